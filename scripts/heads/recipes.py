"""A recipe: which photos teach a head, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from scripts.heads.card import Story
from scripts.heads.examples import Example, Source, read_examples
from scripts.heads.training import Question


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that training a head needs beside the photos."""

    question: Question
    story: Story
    sources: tuple[Source, ...]

    def read_examples(self) -> list[Example]:
        """The photos. Raises ``BadData``."""
        return [example for source in self.sources for example in read_examples(source)]
