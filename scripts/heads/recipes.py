"""Recipes: which photos teach which head. The shipped heads' stand in ``packs/heads/recipes.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt
from pydantic.types import Strict

from app.core.heads import Pooling
from app.ml_models.data_files import FileTable, Share, Texts, read_toml
from app.ml_models.heads import HEADS_DIR
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


class _SourceTable(FileTable):
    """As ``Source`` describes them; ``folder`` is below the folder of data."""

    folder: str
    positive: Texts
    negative: Texts = ()
    labels_file: str = "labels.csv"
    label_column: str = "label"
    group_column: str = "group"
    where: dict[str, str] = Field(default_factory=dict)
    positive_weight: NonNegativeFloat = 1.0
    negative_weight: NonNegativeFloat = 1.0

    def as_source(self, data_dir: Path) -> Source:
        return Source(
            folder=data_dir / self.folder,
            positive=frozenset(self.positive),
            negative=frozenset(self.negative),
            labels_file=self.labels_file,
            label_column=self.label_column,
            group_column=self.group_column,
            where=tuple(self.where.items()),
            positive_weight=self.positive_weight,
            negative_weight=self.negative_weight,
        )


class _HeadTable(FileTable):
    """As ``Question`` and ``Story`` describe them; ``background`` names folders below the folder of data."""

    name: str
    title: str
    positive: str
    negative: str
    data: str
    limits: Texts
    pooling: Annotated[Pooling, Strict(strict=False)]
    looks: Texts
    tiles: Annotated[Tiles, Strict(strict=False)]
    l2: NonNegativeFloat
    cautious: bool = True
    threshold: Share = 0.5
    relit: NonNegativeInt = 0
    background: Texts = ()
    background_weight: NonNegativeFloat = 1.0
    source: Annotated[tuple[_SourceTable, ...], Strict(strict=False)]

    def as_recipe(self, data_dir: Path) -> Recipe:
        return Recipe(
            question=Question(
                name=self.name,
                pooling=self.pooling,
                looks=self.looks,
                tiles=self.tiles,
                cautious=self.cautious,
                l2=self.l2,
                threshold=self.threshold,
                relit=self.relit,
            ),
            story=Story(
                title=self.title, positive=self.positive, negative=self.negative, data=self.data, limits=self.limits
            ),
            sources=tuple(table.as_source(data_dir) for table in self.source),
            background=tuple(data_dir / folder for folder in self.background),
            background_weight=self.background_weight,
        )


class _RecipesFile(FileTable):
    head: Annotated[tuple[_HeadTable, ...], Strict(strict=False)]


def read_recipes(data_dir: Path, *, path: Path = RECIPES_FILE) -> list[Recipe]:
    """The recipes of a file, with their folders below ``data_dir``.

    Raises:
        ConfigurationError: a value is missing or wrong.
    """
    return [table.as_recipe(data_dir) for table in read_toml(path, _RecipesFile).head]
