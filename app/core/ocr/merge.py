"""Choosing, word by word, between two readings of one line.

PP-OCRv6 reads digits, codes and capitals best but has no letters for most Vietnamese tones and drops them without
a low score; the Vietnamese reader writes every letter but slips on digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from app.core.ocr.text import fold

_UNSURE = 0.80
"""Below this score a Vietnamese reading is noise where the other reader is sure (> 0.9)."""

_EDGE_MARKS = "_.,;:'"
"""The Vietnamese reader invents these at the end of a line."""

_UNIT_SLIP = re.compile(r"(?<=\d)m[I1|](?![A-Za-z0-9])")
"""``500ml``, in which both readers take the l for a one or a capital I."""


@dataclass(frozen=True, slots=True)
class LineReading:
    """What one recogniser made of a line; ``score`` is its mean character probability, 0 to 1."""

    text: str
    score: float


def needs_second_reading(text: str) -> bool:
    """Whether a Vietnamese reader could improve on ``text``: it has two letters, and is no code as ``HD:00207317``."""
    letters = sum(character.isalpha() for character in text)
    digits = sum(character.isdigit() for character in text)
    return letters >= 2 and not (letters <= 4 and digits > 2 * letters)


def merge(latin: LineReading, vietnamese: LineReading) -> LineReading:
    """One reading of the line: Vietnamese for words, Latin for digits and codes."""
    if not vietnamese.text.strip() or (vietnamese.score < _UNSURE and latin.score > 0.9):
        return latin
    if not latin.text.strip():
        return vietnamese
    words = [_choose(left, right) for left, right in _aligned_words(latin.text, vietnamese.text)]
    text = " ".join(word for word in words if word)
    return LineReading(_UNIT_SLIP.sub("ml", text), 0.5 * (latin.score + vietnamese.score))


def _choose(latin: str, vietnamese: str) -> str:
    """The likelier of two readings of the same few words."""
    if not vietnamese:
        return latin if re.search(r"\d", latin) else ""
    if not latin:
        return vietnamese if re.search(r"[^\W\d_]{2}", vietnamese) else ""
    if not _has_accent(vietnamese):
        # Without an accent to add, the language model of the Vietnamese reader can only guess.
        return latin if latin.isascii() or re.search(r"\d", latin) else vietnamese
    digits = sum(character.isdigit() for character in latin)
    letters = sum(character.isalpha() for character in latin)
    if digits > 1 and digits >= letters:
        return latin
    if latin[-1] == "," and vietnamese[-1].isalpha() and 0 <= len(latin) - len(vietnamese) <= 1:
        vietnamese = vietnamese[: len(latin) - 1] + ","  # a comma that was taken for a g, or not seen
    word = vietnamese if latin[-1] in _EDGE_MARKS else vietnamese.rstrip(_EDGE_MARKS)
    return word.upper() if letters > 1 and latin.isupper() else word


def _has_accent(text: str) -> bool:
    return any(character.isalpha() and not character.isascii() for character in text)


def _aligned_words(left: str, right: str) -> list[tuple[str, str]]:
    """Split both texts at the spaces that they agree on."""
    cuts = [(0, 0)]
    left_folded, right_folded = fold(left), fold(right)
    for block in Levenshtein.opcodes(left_folded, right_folded):
        if block.tag != "equal":
            continue
        cuts.extend(
            (block.src_start + offset, block.dest_start + offset)
            for offset in range(block.src_end - block.src_start)
            if left_folded[block.src_start + offset] == " "
        )
    cuts.append((len(left), len(right)))
    return [(left[a:c].strip(), right[b:d].strip()) for (a, b), (c, d) in pairwise(cuts)]
