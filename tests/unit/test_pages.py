"""The pages for people send nobody to a place, a test or a command that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT_DIR = Path(__file__).resolve().parents[2]
PAGES = [PROJECT_DIR / "README.md", PROJECT_DIR / "CONTRIBUTING.md", *sorted((PROJECT_DIR / "docs").glob("*.md"))]
CONTRIBUTING = (PROJECT_DIR / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(
    r"\b(?:alembic|app|benchmarks|console|deploy|docs|evaluation|scripts|sdk|tests)/[\w/.-]+\.[a-z]{2,4}\b"
)
TEST = re.compile(r"\b(tests/[\w/]+\.py)::(test_\w+)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")

MADE = {"deploy/kubernetes/components/secrets/secrets.env", "site/"}
"""In no checkout: commands and people make them."""


def test_every_place_that_contributors_are_sent_to_is_there() -> None:
    places = {place for place in re.findall(r"`([\w./*-]+)`", CONTRIBUTING) if "/" in place or "." in place}
    assert "tests/timeouts.py" in places
    # A name alone is a file of the folder that its list speaks of.
    patterns = {place: [place.rstrip("/"), f"app/**/{place}", f"tests/**/{place}"] for place in places - MADE}
    assert [place for place, tried in patterns.items() if not any(any(PROJECT_DIR.glob(one)) for one in tried)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_link_of_a_page_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = (PROJECT_DIR, PROJECT_DIR / "app", page.parent)
    missing = {name for name in FILE.findall(text) if not any((place / name).exists() for place in places)}
    missing |= {target for target in LINK.findall(text) if not (page.parent / target).exists()}
    assert missing <= MADE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = TEST.findall(page.read_text(encoding="utf-8"))
    texts = {file: (PROJECT_DIR / file).read_text(encoding="utf-8") for file, _ in named}
    assert [f"{file}::{name}" for file, name in named if f"def {name}(" not in texts[file]] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_there(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (PROJECT_DIR / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "lock" in targets
    assert set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)) <= set(targets)


def test_the_patterns_find_what_pages_have() -> None:
    assert FILE.findall("in `app/ocr/x.py`, tests/unit/test_x.py::test_y") == ["app/ocr/x.py", "tests/unit/test_x.py"]
    assert TEST.findall("`tests/unit/test_x.py::test_y`") == [("tests/unit/test_x.py", "test_y")]
    assert LINK.findall("[a](b.md#c) [d](https://e)") == ["b.md"]
