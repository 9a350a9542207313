"""Measure the accuracy of the installed model pack on folders of real photos.

    python scripts/evaluate.py [face image …] --data DIR [--report DIR]

Each module of ``evaluation`` measures one capability and has ``main(arguments) -> int``, which prints a
Markdown table and is 1 where a target is missed. ``--report`` keeps what they print, and their figures as JSON.
Where one capability is named, its module takes what else is given: ``ocr --leave-out source --cache DIR``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from app.config import WEIGHTS_DIR

PROJECT_DIR = Path(__file__).resolve().parents[1]

_SHARED = {"__init__", "figures"}
_BY_NAME = {"own"}  # asks a running installation, so only where it is named


def capabilities() -> list[str]:
    """What can be measured, by the modules that are there."""
    return sorted(path.stem for path in (PROJECT_DIR / "evaluation").glob("*.py") if path.stem not in _SHARED)


def evaluate(capability: str, arguments: Sequence[str], report_dir: Path | None) -> int:
    """Run one module; its exit status."""
    module = importlib.import_module(f"evaluation.{capability}")
    if report_dir is None:
        return int(module.main(arguments))
    report_dir.mkdir(parents=True, exist_ok=True)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = int(module.main([*arguments, "--json", str(report_dir / f"{capability}.json")]))
    text = printed.getvalue()
    (report_dir / f"{capability}.md").write_text(text, encoding="utf-8")
    print(text, end="")
    return status


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed, 2 where there is nothing to measure with."""
    known = capabilities()
    parser = argparse.ArgumentParser(description="Measure the accuracy of the installed model pack.")
    parser.add_argument("capability", nargs="*", help=f"of {', '.join(known)}; all but own when left out")
    parser.add_argument("--data", type=Path, default=os.environ.get("CV_EVAL_DATA"), help="default: CV_EVAL_DATA")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, default=WEIGHTS_DIR)
    parser.add_argument("--report", type=Path, help="a folder that gets the tables and the figures")
    options, others = parser.parse_known_args(arguments)
    if others and len(options.capability) != 1:
        parser.error(f"name the one capability that {others[0]} is for")
    if unknown := sorted(set(options.capability) - set(known)):
        parser.error(f"nothing measures {', '.join(unknown)}; known are {', '.join(known)}")
    if set(options.capability) == _BY_NAME and options.data is None:
        options.data = Path()
    if options.data is None or not options.data.is_dir():
        print("There are no photos to measure with: give --data DIR, or set CV_EVAL_DATA.", file=sys.stderr)
        return 2
    shared = ["--data", str(options.data), "--pack", options.pack, "--weights-dir", str(options.weights_dir), *others]
    statuses = []
    for capability in options.capability or [name for name in known if name not in _BY_NAME]:
        print(f"\n## {capability}\n", flush=True)
        statuses.append(evaluate(capability, shared, options.report))
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
