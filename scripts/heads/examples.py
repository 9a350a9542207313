"""Labelled photos for one binary question: a folder for each label, or a labels.csv."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


class BadData(Exception):
    """The photos or labels cannot be trained with; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Example:
    """``group``: photos of one scene share it, and never stand on both sides of a fold. ``weight`` is relative."""

    path: Path
    is_positive: bool
    group: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Source:
    """A folder of photos and what its labels mean for the question.

    Attributes:
        folder: with ``labels_file`` in it, else with one folder a label.
        positive: labels that answer yes.
        negative: labels that answer no; empty for all others. Photos with neither are left out.
        labels_file: a CSV with the columns ``file``, ``label_column`` and, if photos belong together, ``group_column``.
        where: only rows in which these columns have these values.
    """

    folder: Path
    positive: frozenset[str]
    negative: frozenset[str] = frozenset()
    labels_file: str = "labels.csv"
    label_column: str = "label"
    group_column: str = "group"
    where: tuple[tuple[str, str], ...] = ()
    positive_weight: float = 1.0
    negative_weight: float = 1.0


def read_examples(source: Source) -> list[Example]:
    """The labelled photos of a source, by path.

    Raises:
        BadData: no such folder, a column or photo that is missing, or no photo with a label that matters.
    """
    if not source.folder.is_dir():
        raise BadData(f"There is no folder {source.folder}.")
    table = source.folder / source.labels_file
    rows = _rows_of_table(table, source) if table.is_file() else _rows_of_folders(source.folder)
    examples = [
        Example(
            path=path,
            is_positive=label in source.positive,
            group=f"{source.folder.name}/{group}",
            weight=source.positive_weight if label in source.positive else source.negative_weight,
        )
        for path, label, group in rows
        if label in source.positive or _is_negative(label, source.negative)
    ]
    if not examples:
        raise BadData(
            f"{source.folder} has no photo labelled {' or '.join(sorted(source.positive | source.negative))}."
        )
    return sorted(examples, key=lambda example: example.path)


def labels_of(source_folder: Path, *, labels_file: str = "labels.csv", label_column: str = "label") -> list[str]:
    """The labels that a folder knows, sorted."""
    table = source_folder / labels_file
    if table.is_file():
        with table.open(newline="", encoding="utf-8-sig") as lines:
            return sorted({row[label_column] for row in csv.DictReader(lines) if row.get(label_column)})
    return sorted({label for _, label, _ in _rows_of_folders(source_folder)})


def _is_negative(label: str, negative: Collection[str]) -> bool:
    return bool(label) and (not negative or label in negative)


def _rows_of_table(table: Path, source: Source) -> Iterator[tuple[Path, str, str]]:
    with table.open(newline="", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            name, label = row.get("file"), row.get(source.label_column)
            if name is None or label is None:
                raise BadData(f"{table} needs the columns file and {source.label_column}.")
            if any(row.get(column) != value for column, value in source.where):
                continue
            path = table.parent / name
            if not path.is_file():
                raise BadData(f"{table} names {name}, which is not there.")
            yield path, label, row.get(source.group_column) or name


def _rows_of_folders(folder: Path) -> Iterator[tuple[Path, str, str]]:
    for path in folder.glob("*/*"):
        if path.suffix.lower() in PICTURES:
            yield path, path.parent.name, f"{path.parent.name}/{path.name}"
