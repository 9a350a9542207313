"""Words placed on a page: texts with boxes, as a reader gives them, with the slips that readers make."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass, field

_LOOKALIKES = {"0": "O", "O": "0", "1": "l", "l": "1", "5": "S", "S": "5", "8": "B", "B": "8", "m": "rn", "e": "c"}
_WIDE = 0.55
"""The width of a letter, of its height."""


@dataclass(frozen=True, slots=True)
class Word:
    """``text`` in the box, px; ``score`` is 0 to 1."""

    text: str
    x1: float
    y1: float
    x2: float
    y2: float
    score: float


@dataclass(slots=True)
class TokenSheet:
    """Collects words. ``slips`` is the share of letters that are misread; ``plain``: the reader drops accents."""

    rng: random.Random
    size_px: float
    slips: float = 0.0
    plain: bool = False
    words: list[Word] = field(default_factory=list)

    def width(self, text: str, scale: float = 1.0) -> float:
        return _WIDE * self.size_px * scale * len(text)

    def write(
        self, x: float, y: float, text: str, *, scale: float = 1.0, right: bool = False, centre: bool = False
    ) -> None:
        """``text`` from ``x`` on, up to it (``right``) or around it (``centre``)."""
        if not text:
            return
        width, height = self.width(text, scale), self.size_px * scale
        left = x - width if right else x - width / 2 if centre else x
        wobble = self.rng.gauss(0, 0.04 * height)
        score = min(1.0, max(0.6, self.rng.gauss(0.97 - 2 * self.slips, 0.02)))
        self.words.append(Word(self._misread(text), left, y + wobble, left + width, y + wobble + height, score))

    def _misread(self, text: str) -> str:
        if self.plain and self.rng.random() < 0.8:
            text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
        if not self.slips:
            return text
        return "".join(self._slip(character) for character in text)

    def _slip(self, character: str) -> str:
        # Digits are spared: the truth is what is printed, and a paper misread teaches nothing.
        if character.isdigit() or self.rng.random() >= self.slips:
            return character
        return _LOOKALIKES.get(character, "" if character == " " else character)
