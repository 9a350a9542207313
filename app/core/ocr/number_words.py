"""Amounts written out in words, Vietnamese and English, as invoices repeat their total."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import takewhile

from rapidfuzz import fuzz, process

from app.core.ocr.text import fold

_VIETNAMESE_UNITS = {
    "khong": 0, "mot": 1, "hai": 2, "ba": 3, "bon": 4, "tu": 4, "nam": 5, "lam": 5, "sau": 6, "bay": 7, "tam": 8,
    "chin": 9,
}  # fmt: skip
_VIETNAMESE_SCALES = {"nghin": 10**3, "ngan": 10**3, "trieu": 10**6, "ty": 10**9, "ti": 10**9}
_VIETNAMESE_FILLERS = {"linh", "le", "chan", "va"}
_VIETNAMESE_ENDS = {"dong", "vnd"}
_VIETNAMESE_STARTS = set(_VIETNAMESE_UNITS) | {"muoi"}
_VIETNAMESE_WORDS = (
    set(_VIETNAMESE_UNITS) | set(_VIETNAMESE_SCALES) | _VIETNAMESE_FILLERS | {"muoi", "tram"} | _VIETNAMESE_ENDS
)
_LABEL = re.compile(r"\bbang chu\b|\bviet bang\b|\bin words\b")
_MAX_HELP = 6
"""Words that may stand between such a label and the amount: the label in another language."""

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ENGLISH_UNITS = {name: number for number, name in enumerate(_ONES)} | {
    name: 10 * tens for tens, name in enumerate(_TENS, start=2)
}
_ENGLISH_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_ENGLISH_FILLERS = {"and", "only", "dong", "dollars", "ringgit", "vnd", "usd"}

_SCALES = set(_VIETNAMESE_SCALES) | set(_ENGLISH_SCALES) | {"tram", "hundred"}

_MIN_WORDS = 3
"""Fewer number words are more likely part of a name or an item."""


def amount_in_words(text: str) -> Decimal | None:
    """The amount that ``text`` spells, such as ``Một triệu năm trăm nghìn đồng chẵn``; None when it spells none.

    Single letters misread in a word are repaired; a word that is no number word before ``đồng`` voids the whole,
    so that half an amount is never taken for one.
    """
    words = re.findall(r"[a-z]+", fold(text))
    return _vietnamese(words) or _english(words)


def spelled_amounts(texts: Sequence[str]) -> set[Decimal]:
    """Every amount that rows, top to bottom, spell. Behind the label of one, ``Số tiền viết bằng chữ:``, fewer words
    do, nothing need follow them, ``Không`` is zero, and they may go on in the next row."""
    found: set[Decimal] = set()
    index = 0
    while index < len(texts):
        text, below = texts[index], " ".join(texts[index + 1 : index + 2])
        amount, rows = amount_in_words(text), 1
        label = _LABEL.search(fold(text)) if amount is None else None
        if label:
            rest = fold(text)[label.end() :]
            both = _labelled(f"{rest} {fold(below)}") if below else None
            amount, rows = (both, 2) if both is not None else (_labelled(rest), 1)
        if amount is not None:
            found.add(amount)
        index += rows
    return found


def _labelled(text: str) -> Decimal | None:
    """The Vietnamese amount at the beginning of a text; None where other words follow than those of the currency."""
    words = [_repair(word, _VIETNAMESE_WORDS) or word for word in re.findall(r"[a-z]+", text)]
    start = next((index for index, word in enumerate(words[:_MAX_HELP]) if word in _VIETNAMESE_WORDS), None)
    run = list(takewhile(_VIETNAMESE_WORDS.__contains__, words[start:])) if start is not None else []
    after = words[(start or 0) + len(run) :]
    if not run or (run[-1] not in _VIETNAMESE_ENDS and after and after[0] not in _VIETNAMESE_ENDS):
        return None
    numbers = [word for word in run if word not in _VIETNAMESE_ENDS]
    if numbers == ["khong"]:
        return Decimal(0)
    return _vietnamese_value(numbers) if numbers and numbers[0] in _VIETNAMESE_STARTS else None


def _vietnamese(words: list[str]) -> Decimal | None:
    numbers = _spelled(words, _VIETNAMESE_WORDS, starts=_VIETNAMESE_STARTS, ends=_VIETNAMESE_ENDS)
    return _vietnamese_value(numbers) if numbers else None


def _vietnamese_value(numbers: Sequence[str]) -> Decimal | None:
    """None where two digits stand beside each other, or a hundred without one: a word was lost there."""
    total = group = 0
    pending: int | None = None
    for word in numbers:
        if word in _VIETNAMESE_UNITS:
            if pending is not None:
                return None
            pending = _VIETNAMESE_UNITS[word]
        elif word == "muoi":
            group += 10 * pending if pending else 10
            pending = None
        elif word == "tram":
            if pending is None:
                return None
            group += 100 * pending
            pending = None
        elif word in _VIETNAMESE_SCALES:
            scale = _VIETNAMESE_SCALES[word]
            group += pending or 0
            total, group, pending = (total + group) * scale if scale == 10**9 else total + group * scale, 0, None
    return Decimal(total + group + (pending or 0)) or None


def _english(words: list[str]) -> Decimal | None:
    known = set(_ENGLISH_UNITS) | set(_ENGLISH_SCALES) | _ENGLISH_FILLERS | {"hundred"}
    numbers = _spelled(words, known, starts=set(_ENGLISH_UNITS), ends=_ENGLISH_FILLERS - {"and"})
    if numbers is None:
        return None
    total = group = 0
    for word in numbers:
        if word in _ENGLISH_UNITS:
            group += _ENGLISH_UNITS[word]
        elif word == "hundred":
            group *= 100
        elif word in _ENGLISH_SCALES:
            total, group = total + group * _ENGLISH_SCALES[word], 0
    return Decimal(total + group) or None


def _spelled(words: list[str], known: set[str], *, starts: set[str], ends: set[str]) -> list[str] | None:
    """The run of number words that leads up to the last word of ``ends``, or None."""
    repaired = [_repair(word, known) for word in words]
    last = next((index for index in range(len(repaired) - 1, -1, -1) if repaired[index] in ends), None)
    if last is None:
        return None
    first = last
    while first > 0 and repaired[first - 1] is not None:
        first -= 1
    if any(word in _SCALES for word in repaired[:first]):
        return None
    run = [word for word in repaired[first:last] if word]
    while run and run[0] not in starts:
        run.pop(0)
    return run if len(run) >= _MIN_WORDS else None


def _repair(word: str, known: set[str]) -> str | None:
    if word in known:
        return word
    if len(word) < 4:
        return None
    found = process.extractOne(word, [name for name in known if len(name) >= 4], scorer=fuzz.ratio, score_cutoff=75)
    return found[0] if found else None
