"""Tables in documents that a command writes: what stands between its mark and the end mark is replaced."""

from __future__ import annotations

import re
from pathlib import Path


def put(document: Path, command: str, text: str) -> None:
    """Replace what ``command`` wrote last time.

    Raises:
        ValueError: the document has no mark of that command.
    """
    block = re.compile(rf"(<!-- written by {re.escape(command)} -->\n).*?(<!-- end -->)", re.S)
    old = document.read_text(encoding="utf-8")
    if not block.search(old):
        raise ValueError(f"{document} has no place for the table of {command}")
    document.write_text(block.sub(lambda found: f"{found[1]}{text.strip()}\n{found[2]}", old), encoding="utf-8")
