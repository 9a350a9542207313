"""Where the labels of invoices stand in a text, in two dozen languages, misread letters allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rapidfuzz import fuzz, process

from app.core.ocr.text import fold

_FILE = Path(__file__).with_name("labels.toml")
_WORD = re.compile(r"[a-z]+")
_MIN_REPAIRED = 4
"""Shorter words are not repaired: each is a letter away from another."""

_REPAIR_CUTOFF = 78.0
_MIN_SQUEEZED = 7
_MAX_WORDS = 6


@dataclass(frozen=True, slots=True)
class Label:
    """A label in a text: ``text[start:end]``. ``weight`` is the number of its letters."""

    kind: str
    start: int
    end: int
    weight: int


@dataclass(frozen=True, slots=True)
class _Lexicon:
    kinds: Mapping[str, frozenset[str]]
    words: frozenset[str]
    squeezed: tuple[tuple[str, str], ...]
    scripts: tuple[tuple[str, frozenset[str]], ...]


def kinds() -> tuple[str, ...]:
    """The names of what labels announce."""
    return tuple(tomllib.loads(_FILE.read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    table: dict[str, list[str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    scripts: dict[str, set[str]] = {}
    for kind, labels in table.items():
        for label in labels:
            place = found if re.fullmatch(r"[a-z0-9 ]+", label) else scripts
            place.setdefault(label if place is found else fold(label), set()).add(kind)
    words = {word for label in found for word in _WORD.findall(label) if len(word) >= _MIN_REPAIRED}
    squeezed = sorted(
        (
            (label.replace(" ", ""), label)
            for label in found
            if " " in label and len(label.replace(" ", "")) >= _MIN_SQUEEZED
        ),
        key=lambda pair: -len(pair[0]),
    )
    return _Lexicon(
        {label: frozenset(kinds) for label, kinds in found.items()},
        frozenset(words),
        tuple(squeezed),
        tuple(sorted(((label, frozenset(kinds)) for label, kinds in scripts.items()), key=lambda p: -len(p[0]))),
    )


@lru_cache(maxsize=20_000)
def _repaired(word: str) -> str:
    lexicon = _lexicon()
    if len(word) < _MIN_REPAIRED or word in lexicon.words:
        return word
    best = process.extractOne(word, lexicon.words, scorer=fuzz.ratio, score_cutoff=_REPAIR_CUTOFF)
    return best[0] if best and abs(len(best[0]) - len(word)) <= 1 else word


@lru_cache(maxsize=4096)
def find_labels(text: str) -> tuple[Label, ...]:
    """Every label in ``text``, longest first where they overlap; one text may announce several things."""
    folded = fold(text)
    lexicon = _lexicon()
    words = [(match.start(), match.end(), _repaired(match[0])) for match in _WORD.finditer(folded)]
    found: list[Label] = []
    taken: set[int] = set()
    for length in range(min(_MAX_WORDS, len(words)), 0, -1):
        for first in range(len(words) - length + 1):
            positions = range(first, first + length)
            if not taken.isdisjoint(positions):
                continue
            label = " ".join(words[index][2] for index in positions)
            start, end = words[first][0], words[positions[-1]][1]
            found += [Label(kind, start, end, len(label)) for kind in sorted(lexicon.kinds.get(label, ()))]
            if label in lexicon.kinds:
                taken.update(positions)
    found += _squeezed_labels(words, taken, lexicon)
    covered: set[int] = set()
    for label, kinds_of in lexicon.scripts:
        start = folded.find(label)
        if start >= 0 and covered.isdisjoint(range(start, start + len(label))):
            covered.update(range(start, start + len(label)))
            found += [Label(kind, start, start + len(label), 3 * len(label)) for kind in sorted(kinds_of)]
    return tuple(sorted(found, key=lambda item: item.start))


def _squeezed_labels(words: list[tuple[int, int, str]], taken: set[int], lexicon: _Lexicon) -> list[Label]:
    """Labels whose words a reader ran together."""
    found = []
    for index, (start, end, word) in enumerate(words):
        if index in taken or len(word) < _MIN_SQUEEZED:
            continue
        for squeezed, label in lexicon.squeezed:
            if word.startswith(squeezed):
                found += [Label(kind, start, end, len(label)) for kind in sorted(lexicon.kinds[label])]
                break
    return found
