"""Recipes: which photos teach which head. The shipped heads' stand in ``packs/heads/recipes.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from app.core.heads import Pooling
from app.ml_models.heads import HEADS_DIR
from app.ml_models.tables import Table
from scripts.heads.card import Story
from scripts.heads.examples import Example, Source, read_background, read_examples
from scripts.heads.training import Question, Tiles

RECIPES_FILE = HEADS_DIR / "recipes.toml"


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that training a head needs beside the photos."""

    question: Question
    story: Story
    sources: tuple[Source, ...]
    background: tuple[Path, ...] = ()
    background_weight: float = 1.0

    def read_examples(self) -> list[Example]:
        """The photos. Raises ``BadData``."""
        examples = [example for source in self.sources for example in read_examples(source)]
        for folder in self.background:
            examples += read_background(folder, weight=self.background_weight)
        return examples


def read_recipes(data_dir: Path, *, path: Path = RECIPES_FILE) -> list[Recipe]:
    """The recipes of a file, with their folders below ``data_dir``.

    Raises:
        ConfigurationError: a value is missing or wrong.
    """
    root = Table(tomllib.loads(path.read_text(encoding="utf-8")), place=path.name)
    return [_read_recipe(table, data_dir) for table in root.tables("head")]


def _read_recipe(table: Table, data_dir: Path) -> Recipe:
    return Recipe(
        question=Question(
            name=table.text("name"),
            pooling=Pooling(table.text("pooling")),
            looks=table.texts("looks"),
            tiles=Tiles(table.text("tiles")),
            cautious=table.flag("cautious", default=True),
            l2=table.number("l2"),
            threshold=table.number("threshold") if "threshold" in table else 0.5,
            relit=int(table.number("relit")) if "relit" in table else 0,
        ),
        story=Story(
            title=table.text("title"),
            positive=table.text("positive"),
            negative=table.text("negative"),
            data=table.text("data"),
            limits=table.texts("limits"),
        ),
        sources=tuple(_read_source(source, data_dir) for source in table.tables("source")),
        background=tuple(data_dir / folder for folder in table.texts("background")) if "background" in table else (),
        background_weight=table.number("background_weight") if "background_weight" in table else 1.0,
    )


def _read_source(table: Table, data_dir: Path) -> Source:
    where = table.table("where")
    return Source(
        folder=data_dir / table.text("folder"),
        positive=frozenset(table.texts("positive")),
        negative=frozenset(table.texts("negative")) if "negative" in table else frozenset(),
        labels_file=table.text("labels_file") if "labels_file" in table else "labels.csv",
        label_column=table.text("label_column") if "label_column" in table else "label",
        group_column=table.text("group_column") if "group_column" in table else "group",
        where=tuple((column, where.text(column)) for column in where),
        positive_weight=table.number("positive_weight") if "positive_weight" in table else 1.0,
        negative_weight=table.number("negative_weight") if "negative_weight" in table else 1.0,
    )
