"""The currency of a paper, from evidence alone: codes, symbols, words, and the seller's country."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.ocr.layout import Page
from app.core.ocr.text import fold

_CODES = (
    "VND", "USD", "EUR", "GBP", "CHF", "AUD", "CAD", "NZD", "SGD", "HKD", "TWD", "CNY", "RMB", "JPY", "KRW",
    "THB", "IDR", "MYR", "PHP", "INR", "NPR", "LKR", "PKR", "AED", "SAR", "ZAR", "BRL", "MXN", "SEK", "NOK",
    "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "ILS", "RUB", "KHR", "LAK", "MMK",
)  # fmt: skip
_CODE = re.compile(rf"(?<![A-Za-z])({'|'.join(_CODES)})(?![A-Za-z])")
_ALIAS = {"RMB": "CNY"}
_SYMBOLS: tuple[tuple[str, str], ...] = (
    (r"A\$|AU\$", "AUD"), (r"C\$|CA\$|CDN\$", "CAD"), (r"S\$|SG\$", "SGD"), (r"HK\$", "HKD"), (r"NT\$", "TWD"),
    (r"NZ\$", "NZD"), (r"R\$", "BRL"), (r"US\$", "USD"), ("€", "EUR"), ("£", "GBP"), ("₫", "VND"), ("฿|บาท", "THB"),
    ("₹", "INR"), ("₩|원", "KRW"), ("₱", "PHP"), ("円", "JPY"), ("zł", "PLN"), ("Kč", "CZK"),
    (r"(?<![A-Za-z])RM\s?(?=[\d(:)]|$)", "MYR"), (r"\(RM\)", "MYR"), (r"(?<![A-Za-z])Rp\.?\s?(?=\d)", "IDR"),
    (r"(?<![A-Za-z])S?Fr\.?\s?(?=\d)|\.[-–—]{1,2}(?=\s|$)", "CHF"), (r"\d\s?(?:đ|vnđ)(?![a-zà-ỹ])|VNĐ|vnđ", "VND"),
)  # fmt: skip
_AMBIGUOUS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"(?<![A-Za-z])\$", ("USD", "CAD", "AUD", "SGD", "HKD", "TWD", "NZD", "MXN")),
    ("¥|￥", ("JPY", "CNY")),
    (r"(?<![A-Za-z])kr\.?(?![a-z])|\d,-(?=\s|$)", ("SEK", "NOK", "DKK", "ISK")),
    (r"(?<![A-Za-z])Rs\.?\s?(?=\d)", ("INR", "NPR", "PKR", "LKR")),
    (r"元", ("CNY", "TWD", "HKD")),
)
"""Symbols of several currencies, the commonest first; the country decides."""

_WORDS: dict[str, str] = {
    "VND": r"\bdong\b|\bvnd\b|\bviet nam dong\b",
    "MYR": r"\bringgit\b", "THB": r"\bbaht\b", "IDR": r"\brupiah\b", "INR": r"\brupees?\b", "PHP": r"\bpesos?\b",
    "GBP": r"\bpounds? sterling\b|\bpence\b", "EUR": r"\beuros?\b", "CHF": r"\bfranken\b|\bswiss francs?\b",
    "JPY": r"\byen\b", "KRW": r"\bwon\b", "CNY": r"\brenminbi\b|\byuan\b", "USD": r"\bus dollars?\b|\bdollars only\b",
}  # fmt: skip
_COUNTRIES: dict[str, str] = {
    "VND": r"\bviet ?nam\b|\bha noi\b|\bho chi minh\b|\bhcm\b|\btp\.|\bda nang\b|\bquan \d|\bphuong\b|"
    r"\bma so thue\b|\bhoa don\b|"
    r"\btong (?:cong|tien)\b|\bthanh toan\b|\bthanh tien\b|\bngay\b|\bkhach\b|\.vn\b|\+84",
    "MYR": r"\bsdn\b|\bbhd\b|\bkuala lumpur\b|\bselangor\b|\bmalaysia\b|\bjalan\b|\bjohor\b|\bpenang\b|"
    r"\btaman\b|\.my\b|\+60|"
    r"\bs/b\b|\bgst id\b",
    "SGD": r"\bsingapore\b|\bpte\.? ltd\b|\.sg\b|\+65\b|\bsingapur\b",
    "THB": "[\u0e00-\u0e7f]{3}|\\bthailand\\b|\\bbangkok\\b|\\.th\\b|\\+66",
    "IDR": r"\bindonesia\b|\bjakarta\b|\bppn\b|\bnpwp\b|\bjl\.|\btunai\b|\bkembali\b|\btanggal\b|\.id\b|\+62",
    "PHP": r"\bphilippines\b|\bmanila\b|\bmakati\b|\bcebu\b|\bvatable\b|\.ph\b|\+63",
    "INR": r"\bindia\b|\bgstin\b|\bcgst\b|\bsgst\b|\bigst\b|\bmumbai\b|\bdelhi\b|\bbangalore\b|\bbengaluru\b|"
    r"\bkarnataka\b|"
    r"\bpvt\b|\.in\b|\+91|\bpan no\b|\bharyana\b",
    "NPR": r"\bnepal\b|\bkathmandu\b|\bpokhara\b|\.np\b|\+977",
    "JPY": r"[\u3040-\u30ff]{2}|\bjapan\b|\btokyo\b|\.jp\b|\+81|消費税",
    "KRW": r"[\uac00-\ud7af]{2}|\bkorea\b|\bseoul\b|\.kr\b|\+82",
    "TWD": r"統一|發票|民國|臺|\btaiwan\b|\btaipei\b|\.tw\b|\+886",
    "HKD": r"\bhong kong\b|\bkowloon\b|\.hk\b|\+852",
    "CNY": r"发票|税|人民币|\bchina\b|\bshanghai\b|\bbeijing\b|\bshenzhen\b|\.cn\b|\+86",
    "AUD": r"\baustralia\b|\babn\b|\bsydney\b|\bmelbourne\b|\bnsw\b|\bqld\b|\.au\b|\+61",
    "NZD": r"\bnew zealand\b|\bauckland\b|\.nz\b|\+64",
    "CAD": r"\bcanada\b|\bontario\b|\bquebec\b|\btoronto\b|\bvancouver\b|\bhst\b|\bpst\b|"
    r"\b[a-z]\d[a-z] ?\d[a-z]\d\b|\.ca\b",
    "USD": r"\busa\b|\bunited states\b|\b(?:ca|ny|tx|fl|wa|il|ma|nj|pa|ga|nc|oh|mi|va|co|az|nv),? \d{5}\b|"
    r"\bsales tax\b|"
    r"\bst# \d|\bwal-?mart\b|\bzip\b",
    "CHF": r"\bche-?\d{3}|\bschweiz\b|\bsuisse\b|\bsvizzera\b|\bswitzerland\b|\bch-\d{4}\b|\.ch\b|\+41|"
    r"\bzurich\b|\bluzern\b|"
    r"\bbasel\b|\bbern\b|\bgeneve\b|\blausanne\b|\btwint\b|\bmigros\b|\bcoop\b|\bpostfinance\b|\bliechtenstein\b|\bmwst-nr\b",
    "EUR": r"\bde\s?\d{9}\b|\batu\d{8}\b|\bfr\s?\w{2}\s?\d{9}\b|\bit\s?\d{11}\b|\bnl\s?\d{9}b\d\d\b|"
    r"\bes\s?[a-z]\d{8}\b|"
    r"\bdeutschland\b|\bgermany\b|\bfrance\b|\bfrankreich\b|\bosterreich\b|\baustria\b|\bspain\b|\bespana\b|\bitalia\b|"
    r"\bnederland\b|\bfinland\b|\bsuomi\b|\bireland\b|\bbelgium\b|\bportugal\b|\bgmbh\b|\bust-?id|\bsiret\b|\.de\b|\.fr\b|"
    r"\.at\b|\.es\b|\.it\b|\.nl\b|\.fi\b|\+49|\+33|\+43|\+34|\+39|\+31|\+358|\btva\b|\balv\b|\bdanke\b|\bumsatzsteuer\b",
    "GBP": r"\bunited kingdom\b|\blondon\b|\bengland\b|\bscotland\b|\bgb\s?\d{3}\s?\d{4}\s?\d{2}\b|\.uk\b|\+44|"
    r"\b[a-z]{1,2}\d{1,2}[a-z]? ?\d[abd-hjlnp-uw-z]{2}\b",
    "SEK": r"\bsverige\b|\bsweden\b|\bstockholm\b|\borg\.? ?nr\b|\.se\b|\+46",
    "NOK": r"\bnorge\b|\bnorway\b|\boslo\b|\bmva\b|\.no\b|\+47",
    "DKK": r"\bdanmark\b|\bdenmark\b|\bkobenhavn\b|\bcvr\b|\.dk\b|\+45",
    "ZAR": r"\bsouth africa\b|\bcape town\b|\bjohannesburg\b|\.za\b|\+27|\bsandton\b|\bcc reg\b",
    "PLN": r"\bpolska\b|\bpoland\b|\bwarszawa\b|\bnip\b|\.pl\b|\+48",
    "CZK": r"\bceska\b|\bpraha\b|\bdic\b|\.cz\b|\+420",
}  # fmt: skip
_RAND = re.compile(r"(?<![A-Za-z])R\s?(?=\d+[.,]\d{2})")
_SYMBOL_WEIGHT, _CODE_WEIGHT, _WORD_WEIGHT, _COUNTRY_WEIGHT = 3.0, 3.0, 2.0, 0.7
_MIN_EVIDENCE = 1.0
_NO_CENTS = {"VND", "JPY", "KRW", "IDR"}
_MAX_COUNTRY_SIGNS = 4


@dataclass(frozen=True, slots=True)
class Currency:
    """An ISO 4217 code. ``confidence`` is 0 to 1."""

    code: str
    confidence: float


def find_currency(page: Page, *, vietnamese: bool = False) -> Currency | None:
    """The currency that the page gives evidence of; None where it gives none, or as much for another.

    Args:
        vietnamese: the page's language: evidence of its country.
    """
    text = page.text
    countries = _countries(fold(text), text)
    if vietnamese:
        countries["VND"] += 3 * _COUNTRY_WEIGHT
    cents = len(re.findall(r"\d[.,]\d{2}(?!\d)", text))
    if cents >= 3:
        for code in _NO_CENTS:
            countries[code] *= 0.5
    evidence: defaultdict[str, float] = defaultdict(float, {code: score for code, score in countries.items() if score})
    for code, count, weight in _marks(text, countries):
        evidence[code] += weight * (1.0 + 0.5 * math.log(count))
    ranked = sorted(evidence.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < _MIN_EVIDENCE:
        return None
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    code, first = ranked[0]
    lead = (first - second) / first
    confidence = min(0.5 + 0.5 * lead, 0.99) * min(0.62 + 0.13 * first, 1.0)
    return Currency(code, round(confidence, 3))


def _countries(folded: str, text: str) -> defaultdict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for code, pattern in _COUNTRIES.items():
        signs = {match[0] for match in re.finditer(pattern, folded)}
        found[code] = _COUNTRY_WEIGHT * min(len(signs), _MAX_COUNTRY_SIGNS)
    if _RAND.search(text) and found["ZAR"]:
        found["ZAR"] += _SYMBOL_WEIGHT
    return found


def _marks(text: str, countries: dict[str, float]) -> Iterator[tuple[str, int, float]]:
    """``(code, how often, weight)`` of codes, symbols and words."""
    codes = Counter(_ALIAS.get(match[1], match[1]) for match in _CODE.finditer(text))
    yield from ((code, count, _CODE_WEIGHT) for code, count in codes.items())
    for pattern, code in _SYMBOLS:
        count = len(re.findall(pattern, text, re.MULTILINE))
        # Dashes behind a full stop are Swiss where something else is, and a rule elsewhere.
        if count and (code != "CHF" or countries["CHF"]):
            yield code, count, _SYMBOL_WEIGHT
    for pattern, possible in _AMBIGUOUS:
        count = len(re.findall(pattern, text, re.MULTILINE))
        if not count:
            continue
        likeliest = max(possible, key=lambda code: (countries[code], -possible.index(code)))
        # Another country's paper with a sign that its money does not have: a misread letter.
        foreign = max((score for code, score in countries.items() if code not in possible), default=0.0)
        settled = countries[likeliest] > 0 or foreign < 2 * _COUNTRY_WEIGHT
        if settled:
            yield likeliest, count, _SYMBOL_WEIGHT * (1.0 if countries[likeliest] or foreign == 0 else 0.6)
    folded = fold(text)
    for code, pattern in _WORDS.items():
        count = len(re.findall(pattern, folded))
        if count:
            yield code, count, _WORD_WEIGHT
