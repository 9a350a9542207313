"""docs/security.md: what it says is tested is."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[2]
PAGE = (PROJECT_DIR / "docs" / "security.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<requirement>.+?) \| (?P<met>yes|partly|no) \| .+ \| (?P<tested>[^|]+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_requirement_names_tests_or_none() -> None:
    lists = PAGE.partition("## Held against four lists")[2].partition("## Bill of materials")[0]
    rows = [line for line in lists.splitlines() if line.startswith("| ") and not line.startswith("| requirement")]
    assert len(rows) == len(ROW.findall(lists)), "a row without verdict"
    for row in ROW.finditer(lists):
        tested = row["tested"]
        assert tested == "none" or re.sub(r",\s*", "", TEST.sub("", tested)) == "", row["requirement"]
