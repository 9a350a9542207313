"""From raw model outputs to the public scores that settings and replies speak of."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SMALLEST = 1e-7  # keeps logits finite; far below any score that decides something
_SMALL_GALLERY = 10


@dataclass(frozen=True, slots=True)
class ScoreCalibration:
    """Shifts a probability on the logit scale so that a model's operating point falls on the public threshold.

    Order is kept, 0 and 1 stay where they are, and ``raw_threshold`` maps to ``public_threshold``.

    Attributes:
        raw_threshold: the model's score at which the pack was measured.
        public_threshold: the spec's default for the setting that bounds this score.
    """

    raw_threshold: float
    public_threshold: float

    def public(self, raw: float) -> float:
        """The public score of a raw one."""
        return _sigmoid(_logit(raw) + _logit(self.public_threshold) - _logit(self.raw_threshold))

    def raw(self, public: float) -> float:
        """The inverse of ``public``."""
        return _sigmoid(_logit(public) - _logit(self.public_threshold) + _logit(self.raw_threshold))


@dataclass(frozen=True, slots=True)
class MatchCalibration:
    """How probable it is that two embeddings of a given cosine show one person.

    The logit of one pair is ``slope * cosine + intercept``. A search among N people has N chances to be wrong, so its
    logit is lowered by ln(max(N, 10) / 10): the same confidence then means about the same rate of false matches in
    a small and in a large gallery.
    """

    slope: float
    intercept: float

    def confidence(self, cosine: float, people: int | None = None) -> float:
        """The match probability, 0 to 1.

        Args:
            cosine: similarity of the two embeddings, -1 to 1.
            people: the gallery's size for a search (1:N); None for a comparison with one person (1:1).
        """
        return _sigmoid(self.slope * cosine + self.intercept - _search_penalty(people))

    def cosine(self, confidence: float, people: int | None = None) -> float:
        """The cosine at which ``confidence`` is reached; its inverse."""
        return (_logit(confidence) - self.intercept + _search_penalty(people)) / self.slope


def _search_penalty(people: int | None) -> float:
    return 0.0 if people is None else math.log(max(people, _SMALL_GALLERY) / _SMALL_GALLERY)


def _logit(probability: float) -> float:
    bounded = min(max(probability, _SMALLEST), 1.0 - _SMALLEST)
    return math.log(bounded / (1.0 - bounded))


def _sigmoid(logit: float) -> float:
    # The two branches keep exp() from overflowing.
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    return math.exp(logit) / (1.0 + math.exp(logit))
