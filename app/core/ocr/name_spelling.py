"""How print spells the names of a machine-readable zone, which has no accents, hyphens or apostrophes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from app.core.ocr.text import fold

_TRANSLITERATIONS = {
    "Ä": "AE", "Å": "AA", "Æ": "AE", "Ð": "D", "IJ": "IJ", "Ñ": "NXX", "Ö": "OE", "Ø": "OE", "Œ": "OE", "ẞ": "SS",
    "Þ": "TH", "Ü": "UE", "Đ": "D", "Ł": "L", "ß": "SS",
}  # fmt: skip
"""Doc 9303-3, section 6: those that states write otherwise than by leaving the accent out."""

_LONG_WORD = 5
_CLEAR = 0.95


def spell_name(name: str, printed: Sequence[tuple[str, float]]) -> tuple[str, float] | None:
    """The name of a zone as the page prints it, with the least score of its words; None where a word is not printed,
    nor one that is a letter off.

    Args:
        name: capitals without accents, words parted by spaces.
        printed: the page's words with their scores.
    """
    known: dict[tuple[str, ...], tuple[str, float]] = {}
    for word, score in printed:
        capitals = unicodedata.normalize("NFC", word).strip(".,;:()").upper()
        for spelling in (_plain(capitals), _plain(transliterated(capitals))):
            if spelling and _is_better(capitals, score, known.get(spelling)):
                known[spelling] = (capitals, score)
    words, spelled = name.split(), []
    while words:
        length = next((n for n in range(len(words), 0, -1) if tuple(words[:n]) in known), 0)
        found = known[tuple(words[:length])] if length else _nearly(words[0], known)
        if found is None:
            return None
        spelled.append(found)
        words = words[length or 1 :]
    return (" ".join(text for text, _ in spelled), min(score for _, score in spelled)) if spelled else None


def _nearly(word: str, known: Mapping[tuple[str, ...], tuple[str, float]]) -> tuple[str, float] | None:
    """The only clearly printed word that differs from ``word`` in one letter: no check digit covers the zone's."""
    near = {
        text: score
        for spelling, (text, score) in known.items()
        if len(word) >= _LONG_WORD and len(spelling) == 1 and score >= _CLEAR and _letters_apart(word, spelling[0]) == 1
    }
    return next(iter(near.items())) if len(near) == 1 else None


def _letters_apart(left: str, right: str) -> int:
    return sum(a != b for a, b in zip(left, right, strict=True)) if len(left) == len(right) else len(left)


def _is_better(capitals: str, score: float, other: tuple[str, float] | None) -> bool:
    """With more accents, then surer: a reader loses accents and does not invent them."""
    return other is None or (not capitals.isascii(), score) > (not other[0].isascii(), other[1])


def transliterated(capitals: str) -> str:
    """Capitals as a zone has them where its state spells accents out: ``MAENNIK`` for ``MÄNNIK``."""
    return "".join(_TRANSLITERATIONS.get(character, character) for character in capitals)


def _plain(capitals: str) -> tuple[str, ...]:
    """The words of the zone that a printed word stands for: a hyphen parts them, an apostrophe does not."""
    letters = re.sub(r"['’`]", "", fold(capitals).upper())
    return tuple(part for part in re.split(r"[^A-Z]+", letters) if part)
