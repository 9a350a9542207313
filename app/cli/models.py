"""``cv models``: what a pack consists of, whether it is here, and how it gets here."""

from __future__ import annotations

import click

from app.cli.environment import NO_BACKENDS, run_script
from app.cli.output import Report
from app.config import load_settings
from app.errors import ModelUnavailable
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader

HERE = frozenset({"verified", "unverified"})


def states_of(loader: ModelLoader) -> dict[str, str]:
    """By role: verified, unverified (its manifest pins no checksum), or what is wrong and which command repairs it."""
    return {role: _state(loader, role) for role in sorted(loader.pack.models)}


def _state(loader: ModelLoader, role: str) -> str:
    try:
        loader.path(role)
    except ModelUnavailable as error:
        return error.message
    return "verified" if loader.spec(role).is_pinned else "unverified"


@click.group("models")
def command() -> None:
    """List and install the models of a pack."""


@command.command("list")
@click.option("--pack", "name", help="Its name; default: MODEL_PACK.")
@click.pass_obj
def list_(output: Report, name: str | None) -> int:
    """The models of a pack: whether they are here, and under which licence. Exit status 1: some are not."""
    settings = load_settings(**NO_BACKENDS)
    loader = ModelLoader(load_pack(name or settings.MODEL_PACK), settings.MODEL_WEIGHTS_DIR)
    states = states_of(loader)
    for role, state in states.items():
        output.line(f"{role:<24} {state:<11} {loader.spec(role).licence}")
    output.result({"pack": loader.pack.name, "models": states})
    return 0 if set(states.values()) <= HERE else 1


@command.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def install(arguments: tuple[str, ...]) -> int:
    """Fetch, verify and convert a pack: scripts/download_models.py, which --help explains."""
    return run_script("download_models.py", arguments)
