"""The specification's names that nothing calls stand in one list, and nothing else is there without being used."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from app.config import Settings

PROJECT_DIR = Path(__file__).resolve().parents[2]
PAGE = (PROJECT_DIR / "docs" / "architecture.md").read_text(encoding="utf-8")
LISTED = re.findall(r"^\| `(\w+)\.(\w+)` \|", PAGE, re.MULTILINE)
METRICS = (PROJECT_DIR / "app" / "utils" / "metrics.py").read_text(encoding="utf-8")
SOURCES = {
    path: path.read_text(encoding="utf-8")
    for folder in ("app", "scripts", "alembic", "evaluation", "benchmarks", "synthetic_documents")
    for path in sorted((PROJECT_DIR / folder).rglob("*.py"))
}
WORDS = Counter(word for text in SOURCES.values() for word in re.findall(r"\w+", text))

ASKED_FOR_BY_LIBRARIES = {
    "emit",
    "find_distributions",
    "format_commands",
    "get_command",
    "get_inputs",
    "list_commands",
}
"""Methods of their interfaces, which they call."""


@cache
def definitions() -> tuple[tuple[Path, str, str], ...]:
    """File, owner and name of every function and class of the service that no decorator takes up."""
    return tuple(_definitions())


def _definitions() -> Iterator[tuple[Path, str, str]]:
    for path, text in SOURCES.items():
        if path.is_relative_to(PROJECT_DIR / "app"):
            for owner in ast.walk(ast.parse(text)):
                for node in ast.iter_child_nodes(owner):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                        taken_up = {ast.unparse(decorator) for decorator in node.decorator_list} - {"staticmethod"}
                        if not taken_up and not node.name.startswith("__"):
                            yield path, getattr(owner, "name", ""), node.name


def test_the_page_lists_names() -> None:
    assert len(LISTED) > 5


@pytest.mark.parametrize(("owner", "name"), LISTED, ids=[name for _, name in LISTED])
def test_a_listed_name_is_there_and_nothing_calls_it(owner: str, name: str) -> None:
    is_setting = owner == "Settings"
    there = Settings.model_fields if is_setting else {what for _, where, what in definitions() if where == owner}
    assert name in there
    use = rf"\.{name}\b" if is_setting else rf"\.{name}\("
    uses = [path for path, text in SOURCES.items() if re.search(use, text)]
    assert not uses


def test_what_is_not_listed_is_used() -> None:
    listed = {name for _, name in LISTED} | ASKED_FOR_BY_LIBRARIES
    unused = [(str(path), name) for path, _, name in definitions() if WORDS[name] == 1 and name not in listed]
    assert not unused


def test_every_metric_is_recorded() -> None:
    names = [node.id for node in ast.walk(ast.parse(METRICS)) if isinstance(node, ast.Name) and node.id.islower()]
    assert len(names) > 30
    assert not [name for name in names if WORDS[name] == 1]


def test_every_setting_that_is_not_listed_is_read() -> None:
    listed = {name for owner, name in LISTED if owner == "Settings"}
    text = "\n".join(SOURCES.values())
    unread = {name for name in Settings.model_fields if not re.search(rf"\.{name}\b", text)}
    assert unread == listed
