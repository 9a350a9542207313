"""``cv``: what operators do with the service, one command a task. A command is imported when it is asked for, so that
help is quick.

Exit status: 0 done; 1 done, and something is left or does not fit; 2 nothing could be done; 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType

import click

from app.cli.environment import found_settings
from app.cli.output import Report
from app.errors import VisionError

DONE, LEFT, FAILED, INTERRUPTED = 0, 1, 2, 130

COMMANDS = {
    "backup": ("backup:backup", "Write one archive of everything but the master keys."),
    "capacity": ("capacity", "Say how many staff, cameras, rooms and documents a number of cores serves."),
    "check-backup": ("check_backup", "Tell whether the master keys open a dump of the database."),
    "doctor": ("doctor", "Look at everything that the service needs, and say what is wrong."),
    "export": ("export", "Write out corrected rooms, or what is stored about a person."),
    "heads": ("heads", "Train, list and learn what the hotel teaches the service."),
    "import": ("image_import", "Index a folder of pictures."),
    "keys": ("keys", "Make, list and revoke API keys."),
    "migrate": ("migrate", "Bring tables and vector collections to this version."),
    "models": ("models", "List and install the models of a pack."),
    "reconcile": ("reconcile", "Find and repair what does not fit between the backends."),
    "reindex": ("reindex", "Move what is stored to another model pack."),
    "restore": ("backup:restore", "Bring back what cv backup wrote."),
    "rotate-key": ("rotate_key", "Seal with the newest master key, and change that key."),
    "upgrade": ("upgrade", "Bring the data of an earlier version to this one."),
    "users": ("users", "Say who may sign in, and as what."),
}


class LazyGroup(click.Group):
    """Knows its commands by name, and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"app.cli.{module}"), name or "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--json", is_flag=True, expose_value=False, help="The result as JSON on standard output.")
def cv() -> None:
    """Operate the CV service.

    Settings come from the environment, then from those of a running `make run` or `make servers` (CV_DATA_DIR says
    which), then from .env. Results go to standard output, what happens meanwhile to standard error.

    Exit status: 0 done; 1 done, and something is left or does not fit; 2 nothing could be done; 130 interrupted: what
    was stored is whole, and the same command goes on.
    """


def main(given: Sequence[str] | None = None) -> int:
    """Run a command; the exit status."""
    words = sys.argv[1:] if given is None else given
    arguments = [word for word in words if word != "--json"]  # wherever in the line somebody thinks of it
    output = Report(as_json=len(arguments) < len(words))
    os.environ.update(found_settings(os.environ))
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = cv.main(arguments, prog_name="cv", obj=output, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return FAILED
    except VisionError as error:
        output.fail(error.code, error.message)
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        output.note("interrupted; what was stored is whole, and the same command goes on")
        return INTERRUPTED
    return status if isinstance(status, int) else DONE


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
