"""The currency of a paper, from evidence alone: codes, symbols, words, and the seller's country."""

from __future__ import annotations

import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.core.ocr.extraction.labels import find_labels
from app.core.ocr.layout import Page, Row
from app.core.ocr.text import fold

_FILE = Path(__file__).with_name("currencies.toml")
_OTHER_CODES = ("RON", "BGN", "ILS", "RUB", "KHR", "LAK", "MMK", "QAR", "RMB")
_WORDS_TOO = {"TRY"}
"""A code that is an English word counts only beside an amount."""

_ALIAS = {"RMB": "CNY"}
_AMBIGUOUS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(?<![A-Za-z])\$", ("USD", "CAD", "AUD", "SGD", "HKD", "TWD", "NZD", "MXN")),
    ("[¥￥]", ("JPY", "CNY")),
    (r"(?<![A-Za-z])kr\.?(?![a-z])|\d,-(?=\s|$)", ("SEK", "NOK", "DKK", "ISK")),
    (r"(?<![A-Za-z])Rs\.?\s?(?=\d)", ("INR", "NPR", "PKR", "LKR")),
    (r"元", ("CNY", "TWD", "HKD")),
    (r"(?<![A-Za-z])R\s?(?=\d+[.,]\d{2})|\d[.,]\d{2} R(?![A-Za-z])", ("ZAR",)),
    (r"\.[-–—]{1,2}(?=\s|$)", ("CHF",)),
)
"""Symbols of several currencies, or like a misread letter; the country decides. Without one the commonest, which is
the first, is taken where it is common enough."""

_ALONE = {r"(?<![A-Za-z])\$", "[¥￥]", r"(?<![A-Za-z])Rs\.?\s?(?=\d)"}
_BESIDE_AMOUNT = re.compile(r"[$¥￥]\s?\d|\d\s?[$¥￥]")
_SETTLED_BY_NUMBER = 3
_SURE_COUNTRY = 2.5
"""So much evidence of a country: its papers may print the mark of a dollar for their own money."""
_NAMED = re.compile(
    r"\b(?:currency|wahrung|devise|moneda|valuta|waluta|mena|moeda|mata uang|tien te|loai tien)\b.{0,12}?\b([a-z]{3})\b"
)
_FOREIGN = re.compile(
    r"\bin (?:eur|euros?|usd)\b|€-? ?euro|\b(?:wechsel)?kurs\b|exchange rate|\bty gia\b|quy doi|taux de change"
)
"""What a sum comes to in another country's money."""

_SYMBOL, _CODE, _WORD, _NAMED_WEIGHT = 3.0, 3.0, 2.0, 5.0
_REGISTRATION, _SCRIPT, _SIGN, _RATE = 1.5, 1.2, 0.7, 0.6
_IN_TOTAL, _IN_FOREIGN, _UNSETTLED = 1.5, 0.3, 0.6
_MIN_EVIDENCE = 0.7
_NO_CENTS = {"VND", "JPY", "KRW", "IDR", "ISK", "HUF"}
_MAX_SIGNS = 4


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 code. ``confidence`` is 0 to 1."""

    code: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Signs:
    """What speaks for one currency."""

    symbols: tuple[re.Pattern[str], ...]
    words: tuple[re.Pattern[str], ...]
    script: tuple[re.Pattern[str], ...]
    registration: tuple[re.Pattern[str], ...]
    signs: tuple[re.Pattern[str], ...]
    rates: re.Pattern[str] | None


@lru_cache(maxsize=1)
def _currencies() -> Mapping[str, _Signs]:
    table: dict[str, dict[str, list[str]]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {code: _signs(entry) for code, entry in table.items()}


def _signs(entry: Mapping[str, Sequence[str]]) -> _Signs:
    def compiled(name: str) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(pattern) for pattern in entry.get(name, ()))

    rates = "|".join(re.escape(rate) for rate in entry.get("rates", ()))
    percent = re.compile(rf"(?<![\d.,])(?:{rates})\s?%") if rates else None
    return _Signs(
        compiled("symbols"), compiled("words"), compiled("script"), compiled("registration"), compiled("signs"), percent
    )


@lru_cache(maxsize=1)
def _code_pattern() -> re.Pattern[str]:
    codes = [*(set(_currencies()) - _WORDS_TOO), *_OTHER_CODES]
    beside = "|".join(rf"{code}(?=\s?\d)" for code in _WORDS_TOO)
    return re.compile(rf"(?<![A-Za-z])({'|'.join(sorted(codes))}|{beside})(?![A-Za-z])")


def find_currency(page: Page, *, vietnamese: bool = False) -> Currency | None:
    """The currency that the page gives evidence of; None where it gives none, or as much for another.

    Args:
        vietnamese: the page's language: evidence of its country.
    """
    countries = _countries(page.text)
    if vietnamese:
        countries["VND"] += 3 * _SIGN
    evidence: defaultdict[str, float] = defaultdict(float, {code: score for code, score in countries.items() if score})
    for code, weight, count in _marks(page, countries):
        evidence[code] += weight * (1.0 + 0.5 * math.log(count))
    ranked = sorted(evidence.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < _MIN_EVIDENCE:
        return None
    code, first = ranked[0]
    lead = (first - (ranked[1][1] if len(ranked) > 1 else 0.0)) / first
    confidence = min(0.5 + 0.5 * lead, 0.99) * min(0.62 + 0.13 * first, 1.0)
    return Currency(code, round(confidence, 3))


def _countries(text: str) -> defaultdict[str, float]:
    """By currency, how much on the page is its country's."""
    folded = fold(text)
    has_cents = len(re.findall(r"\d[.,]\d{2}(?!\d)", text)) >= 3
    found: defaultdict[str, float] = defaultdict(float)
    for code, signs in _currencies().items():
        score = _REGISTRATION * _matching(signs.registration, folded) + _SCRIPT * _matching(signs.script, text)
        score += _SIGN * min(_matching(signs.signs, folded), _MAX_SIGNS)
        score += _RATE * bool(signs.rates and signs.rates.search(folded))
        found[code] = score * (0.5 if has_cents and code in _NO_CENTS else 1.0)
    return found


def _matching(patterns: Sequence[re.Pattern[str]], text: str) -> int:
    return sum(pattern.search(text) is not None for pattern in patterns)


def _marks(page: Page, countries: Mapping[str, float]) -> Iterator[tuple[str, float, float]]:
    """``(code, weight, how often)`` of codes, symbols and words; where they stand in the row of a total they weigh
    more, in a conversion less."""
    rows = [(row.text, _factor(row)) for row in page.rows]
    folded = [(fold(text), factor) for text, factor in rows]
    codes: defaultdict[str, list[float]] = defaultdict(list)
    for text, factor in rows:
        for match in _code_pattern().finditer(text):
            codes[_ALIAS.get(match[1], match[1])].append(factor)
    yield from ((code, _CODE * max(factors), len(factors)) for code, factors in codes.items())
    for code, signs in _currencies().items():
        yield from ((code, _SYMBOL * most, count) for most, count in _seen(signs.symbols, rows))
        yield from ((code, _WORD * most, count) for most, count in _seen(signs.words, folded))
    for text, _ in folded:
        named = _NAMED.search(text)
        code = _ALIAS.get(named[1].upper(), named[1].upper()) if named else ""
        if code in _currencies():
            yield code, _NAMED_WEIGHT, 1
    yield from _shared_marks(rows, countries)


def _seen(patterns: Sequence[re.Pattern[str]], rows: Sequence[tuple[str, float]]) -> Iterator[tuple[float, int]]:
    """For each pattern that is there the most that one of its rows weighs, and how often it is there."""
    for pattern in patterns:
        factors = [factor for text, factor in rows for _ in pattern.finditer(text)]
        if factors:
            yield max(factors), len(factors)


def _shared_marks(
    rows: Sequence[tuple[str, float]], countries: Mapping[str, float]
) -> Iterator[tuple[str, float, float]]:
    """Marks of several currencies: the one whose country the page is of. Another country's paper with a mark that its
    money does not have shows a misread letter, unless the mark stands beside several amounts."""
    beside = sum(len(_BESIDE_AMOUNT.findall(text)) for text, _ in rows)
    for pattern, possible in _AMBIGUOUS:
        factors = [factor for text, factor in rows for _ in re.finditer(pattern, text)]
        if not factors:
            continue
        shown = {code: countries[code] for code in possible if countries[code]}
        foreign = max((score for code, score in countries.items() if code not in possible), default=0.0)
        weight = _SYMBOL * max(factors)
        if shown and max(shown.values()) >= 0.5 * foreign:
            yield from ((code, weight * score / sum(shown.values()), len(factors)) for code, score in shown.items())
        elif pattern in _ALONE and foreign < (_SURE_COUNTRY if beside >= _SETTLED_BY_NUMBER else 2 * _SIGN):
            yield possible[0], weight * (1.0 if foreign == 0 else _UNSETTLED), len(factors)


def _factor(row: Row) -> float:
    if _FOREIGN.search(fold(row.text)):
        return _IN_FOREIGN
    kinds = {label.kind for cell in row.cells for label in find_labels(cell.text[:200])}
    return _IN_TOTAL if kinds & {"due", "total"} else 1.0
