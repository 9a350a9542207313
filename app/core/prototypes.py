"""What a hotel's own tagged pictures teach: the mean vector of those that carry a name, found by its words.

A prototype is added to the text's own vector in a search by words. It sharpens what the glossary knows, and it
gives a meaning to names that no model has heard of, such as the hotel's own amenities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.concepts import Glossary, unit_rows
from app.core.phrases import PhraseFinder, normalise_text
from app.types import Embedding, FloatArray


@dataclass(frozen=True, slots=True)
class PrototypeSet:
    """Vectors by name, each (d,) of unit norm, all of one model."""

    model_id: str
    vectors: Mapping[str, FloatArray]


def learn_prototypes(
    named: Sequence[tuple[str, FloatArray]], glossary: Glossary, *, model_id: str, min_pictures: int
) -> PrototypeSet:
    """One prototype for each name that enough pictures carry.

    Args:
        named: names and vectors of tagged pictures. Names that the glossary takes for one thing count together.
        min_pictures: names with fewer are left out, since one odd picture would speak for all.
    """
    finder = PhraseFinder({thing.name: thing.words for thing in glossary.things})
    groups: dict[str, list[FloatArray]] = {}
    for name, vector in named:
        groups.setdefault(_common_name(name, finder), []).append(vector)
    means = {
        name: unit_rows(np.mean(vectors, axis=0, keepdims=True))[0]
        for name, vectors in groups.items()
        if name and len(vectors) >= min_pictures
    }
    return PrototypeSet(model_id, means)


def _common_name(name: str, finder: PhraseFinder) -> str:
    """The glossary's name for a name that is one of its terms, else the name as it is."""
    normal = normalise_text(name)
    mentions = finder.find(normal)
    if len(mentions) == 1 and mentions[0].phrase == normal and len(mentions[0].names) == 1:
        return mentions[0].names[0]
    return normal


class Prototypes:
    """Finds the prototype of what a text names.

    Args:
        learnt: empty for none.
        glossary: its words lead to the prototypes of its things.
    """

    def __init__(self, learnt: PrototypeSet, glossary: Glossary) -> None:
        words = {thing.name: thing.words for thing in glossary.things}
        self._learnt = learnt
        self._finder = PhraseFinder({name: (*words.get(name, ()), name) for name in learnt.vectors})

    def find(self, text: str) -> Embedding | None:
        """The mean prototype of the names in the text; None where it names none that was learnt."""
        names = [name for mention in self._finder.find(text) for name in mention.names]
        if not names:
            return None
        mean = np.mean([self._learnt.vectors[name] for name in names], axis=0, keepdims=True)
        return Embedding(unit_rows(mean)[0], self._learnt.model_id)
