"""The learned choice among candidates: a small network scores each, and one score stands for "none of them"."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from app.types import FloatArray

V = TypeVar("V", bound=Hashable)

_LIMIT = 6.0
"""Of a scaled feature: what lies farther out is as unusual as this."""


@dataclass(frozen=True, slots=True)
class Network:
    """One hidden layer. ``mean`` and ``scale`` bring features to unit variance; ``scale`` is infinite for those that
    never varied."""

    mean: FloatArray
    scale: FloatArray
    hidden: FloatArray
    hidden_bias: FloatArray
    out: FloatArray
    out_bias: float

    def scores(self, features: FloatArray) -> FloatArray:
        """(n,) float32; 0 is the score of "none"."""
        scaled = np.clip((features - self.mean) / self.scale, -_LIMIT, _LIMIT)
        scores: FloatArray = np.tanh(scaled @ self.hidden + self.hidden_bias) @ self.out + np.float32(self.out_bias)
        return scores


@dataclass(frozen=True, slots=True)
class FieldRanker:
    """A network with what its probability is worth: ``slope`` and ``offset`` bring log-odds to those measured on
    sellers that it had not seen."""

    network: Network
    slope: float
    offset: float

    def confidence(self, probability: float) -> float:
        """0 to 1."""
        bounded = min(max(probability, 1e-6), 1.0 - 1e-6)
        log_odds = self.slope * math.log(bounded / (1.0 - bounded)) + self.offset
        return 1.0 / (1.0 + math.exp(-max(min(log_odds, 30.0), -30.0)))


@dataclass(frozen=True, slots=True)
class Choice(Generic[V]):
    """The likeliest value; ``index`` is its best candidate's. ``confidence`` is 0 to 1."""

    value: V
    confidence: float
    index: int


Ranker = Mapping[str, FieldRanker]
"""By the name of the field."""


def choose(ranker: FieldRanker, features: FloatArray, values: Sequence[V]) -> Choice[V] | None:
    """The likeliest value, each by its best candidate: many faint ones are no sign. None without candidates."""
    if not values:
        return None
    scores = ranker.network.scores(features)
    best: dict[V, int] = {}
    for index, value in enumerate(values):
        if value not in best or scores[index] > scores[best[value]]:
            best[value] = index
    value = max(best, key=lambda item: scores[best[item]])
    highest = max(float(scores[best[value]]), 0.0)
    total = math.exp(-highest) + sum(math.exp(float(scores[index]) - highest) for index in best.values())
    probability = math.exp(float(scores[best[value]]) - highest) / total
    return Choice(value, round(ranker.confidence(probability), 4), best[value])
