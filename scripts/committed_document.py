"""A document that the code determines and the repository holds: written, or compared with what is there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def write_or_compare(target: Path, current: str, *, purpose: str | None, complaint: str) -> int:
    """Do what the command line asks: write ``current`` to ``target``, or with ``--check`` only compare.

    Args:
        purpose: for ``--help``.
        complaint: printed where they differ.

    Returns:
        The exit status: 1 where they differ.
    """
    parser = argparse.ArgumentParser(description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    if not parser.parse_args().check:
        target.write_text(current, encoding="utf-8")
    elif not target.is_file() or target.read_text(encoding="utf-8") != current:
        print(complaint, file=sys.stderr)
        return 1
    return 0
