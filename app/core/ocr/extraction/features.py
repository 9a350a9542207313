"""What is known of a candidate, as numbers about one: for the ranker."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np
from rapidfuzz import fuzz

from app.core.ocr.extraction.candidates import CodeCandidate, DateCandidate, MoneyCandidate, NameCandidate
from app.core.ocr.extraction.dates import Order
from app.core.ocr.extraction.labels import Label, kinds
from app.core.ocr.extraction.sheet import Place, Sheet
from app.core.ocr.number_words import amount_in_words
from app.core.ocr.tax_code import is_tax_code
from app.core.ocr.text import fold, squeeze
from app.types import FloatArray

KINDS = kinds()
_INDEX = {kind: index for index, kind in enumerate(KINDS)}
_FAR = 60.0
_SLACK = Decimal("0.021")
_PERCENT = re.compile(r"\d\s?%")
_TIME = re.compile(r"\d{1,2}\s?[:h]\s?\d{2}")
_COMPANY = re.compile(
    r"\b(sdn|bhd|s/b|ltd|limited|llc|inc|corp|corporation|company|co|plc|gmbh|mbh|ag|kg|ohg|ug|se|sarl|sas|sa|sl|slu|srl|"
    r"spa|bv|nv|oy|oyj|ab|as|aps|pte|pvt|pty|tbk|pt|cv|ltda|eirl|kft|sro|zrt|tnhh|co phan|cong ty|cty|"
    r"doanh nghiep|dntn|"
    r"ho kinh doanh|hkd|llp|eg|ev|e k|inh|foundation|trust)\b"
)
_BUSINESS = re.compile(
    r"\b(sieu thi|cua hang|nha hang|khach san|nha sach|quan|tap hoa|nha thuoc|cafe|coffee|ca phe|mart|minimart|market|"
    r"food|foods|store|stores|shop|hotel|restaurant|restoran|restaurante|ristorante|bakery|trading|enterprise|enterprises|"
    r"industries|supplies|services|group|pharmacy|resort|grocer|supermarket|supermarkt|house|milk tea|tra sua|"
    r"bar|pizzeria|"
    r"backerei|apotheke|gasthof|gasthaus|boulangerie|brasserie|bistro|hostel|inn|lounge|grill|kitchen|book|books|hardware|"
    r"electronics|motors|garage|station|petrol|kaufhaus|markt|klinik|hospital|clinic|university|solutions|design|studio|"
    r"vinmart|circle|seven|eleven|restoran|perniagaan|kedai|pasar|warung|toko)\b"
)
_ADDRESS = re.compile(
    r"\b(dia chi|d/c|dc|add|address|duong|pho|phuong|quan|huyen|xa|thon|to|khu|ngo|ngach|tinh|thanh pho|tp|toa|"
    r"tang|lot|"
    r"jalan|jln|jl|road|rd|street|st|avenue|ave|taman|tmn|seksyen|lorong|plaza|floor|flr|level|kuala|selangor|kawasan|"
    r"bandar|mukim|batu|district|ward|city|strasse|str|platz|weg|gasse|allee|rue|boulevard|place|calle|plaza|avenida|via|"
    r"piazza|straat|laan|gata|vagen|drive|dr|lane|ln|suite|box|zip|johor|penang|malaysia|vietnam|viet nam)\b|strasse\b|"
    r"\b\d{4,6}\s+[a-z]{3,}|\b[a-z]{2}\s\d{5}\b"
)
_NOISE = re.compile(
    r"\b(tel|phone|fax|hotline|dt|sdt|dien thoai|mobile|www|website|email|http|facebook|gst|mst|ma so thue|ngay|"
    r"date|time|"
    r"thoi gian|thu ngan|cashier|nhan vien|staff|welcome|xin chao|cam on|thank|wifi|powered|quay|table|customer|bill|"
    r"page|seite|copy|original|duplicate|uid|vat|kasse|bediener|server|danke|merci|terminal|order)\b"
)
_DOMAIN = re.compile(
    r"(?:www\.|https?://|@|\b)([a-z0-9-]{3,})\.(?:com|vn|net|org|my|de|ch|at|fr|es|it|nl|uk|co|eu|se|no|dk|fi|in)\b"
)

_AMERICAN = re.compile(
    r"\b(?:A[LKZR]|C[AOT]|DE|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[TA]|W[AVIY])"
    r",?\s+\d{5}(?:-\d{4})?\b|\bUSD\b|\b[Ss]ales [Tt]ax\b|\(\d{3}\) ?\d{3}[ -]\d{4}\b|\bUSA\b"
)
_OTHER_DOLLARS = re.compile(r"a\$|s\$|hk\$|nt\$|c\$|r\$|\babn\b|\bgst\b|\bsgd\b|\baud\b|\bhkd\b")
_ELSEWHERE = re.compile(
    r"\b(?:gst|sdn bhd|vat|mwst|ust|tva|iva|btw|moms|jalan|dia chi|ngay|datum|fecha|tong|abn|chf|eur|myr)\b|[€£₫]"
)


def _kind_vector(labels: Sequence[tuple[Label, float]]) -> FloatArray:
    """For each kind how near and how long its best label is, 0 to 1."""
    vector = np.zeros(len(KINDS), np.float32)
    for label, distance in labels:
        weight = (0.4 + 0.6 * min(label.weight / 14.0, 1.0)) * math.exp(-distance / _FAR)
        vector[_INDEX[label.kind]] = max(vector[_INDEX[label.kind]], weight)
    return vector


def _context(sheet: Sheet, place: Place) -> list[float]:
    """Labels around a place: left in its row, nearest of them, right above, in the column's head, in the row above."""
    left = sheet.labels_left(place)
    above, column = sheet.labels_above(place)
    nearest = np.zeros(len(KINDS), np.float32)
    if left:
        best = min(distance for _, distance in left[:6])
        for label, distance in left:
            if distance <= best + 0.01:
                nearest[_INDEX[label.kind]] = 0.4 + 0.6 * min(label.weight / 14.0, 1.0)
    return [
        *_kind_vector(left),
        *nearest,
        *_kind_vector([(label, 0.0) for label in above]),
        *_kind_vector([(label, 0.0) for label in column]),
        min((distance for _, distance in left), default=_FAR) / _FAR,
    ]


def _position(sheet: Sheet, place: Place) -> list[float]:
    height = max(sheet.bottom - sheet.top, 1.0)
    width = max(sheet.right - sheet.left, 1.0)
    cells = sheet.rows[place.row].cells
    return [
        (place.y - sheet.top) / height,
        (sheet.right - place.x2) / width,
        (place.x1 - sheet.left) / width,
        min(place.height / sheet.text_height, 4.0) / 2.0,
        float(place.cell == len(cells) - 1),
        float(place.cell == 0),
        min(len(cells), 8) / 8.0,
        min(place.row, 20) / 20.0,
        min(len(sheet.rows) - 1 - place.row, 20) / 20.0,
        place.score,
    ]


def money_features(sheet: Sheet, candidates: Sequence[MoneyCandidate]) -> FloatArray:
    """(n, d) float32."""
    values = [candidate.value for candidate in candidates]
    magnitudes = [abs(value) for value in values]
    counts = Counter(magnitudes)
    top = max(magnitudes, default=Decimal(0))
    with_cents = sum(candidate.amount.decimals == 2 for candidate in candidates) > len(candidates) / 2
    contexts = [_context(sheet, candidate.place) for candidate in candidates]
    roles = [_roles(sheet, candidate.place) for candidate in candidates]
    spelled = {words for row in sheet.rows if (words := amount_in_words(row.text))}
    relations = _relations(magnitudes, roles)
    columns = _column_sums(candidates)
    rows = []
    for index, candidate in enumerate(candidates):
        value, amount = magnitudes[index], candidate.amount
        text = sheet.rows[candidate.place.row].text
        larger = len({other for other in magnitudes if other > value})
        rows.append(
            [
                *contexts[index],
                *_position(sheet, candidate.place),
                float(value == top),
                min(larger, 10) / 10.0,
                min(math.log10(float(value) + 1), 10) / 10.0,
                float(value) / float(top) if top else 0.0,
                min(counts[value] - 1, 4) / 4.0,
                float(amount.currency is not None),
                float(amount.grouped),
                float(amount.decimals == 2),
                float((amount.decimals == 2) == with_cents),
                float(not amount.grouped and not amount.decimals and not amount.currency),
                float(candidate.value < 0),
                float(candidate.value == 0),
                float(bool(_PERCENT.search(text))),
                min(sheet.row_letters(candidate.place.row), 40) / 40.0,
                float(value in spelled),
                *relations[index],
                columns[index],
                float(_is_year(candidate)),
            ]
        )
    return np.asarray(rows, np.float32)


def _is_year(candidate: MoneyCandidate) -> bool:
    return 1990 <= candidate.value <= 2035 and not candidate.amount.grouped and not candidate.amount.decimals


def _roles(sheet: Sheet, place: Place) -> frozenset[str]:
    """The kinds of the labels that speak for a place: in its row, else right above."""
    left = {label.kind for label, _ in sheet.labels_left(place)}
    return frozenset(left or {label.kind for label in sheet.labels_above(place)[0]})


def _relations(values: Sequence[Decimal], roles: Sequence[frozenset[str]]) -> list[list[float]]:
    """What arithmetic says of each amount: subtotal with tax, paid less change, parts of others."""
    of: dict[str, set[Decimal]] = {
        kind: {value for value, kinds_of in zip(values, roles, strict=True) if kind in kinds_of and value}
        for kind in ("subtotal", "tax", "total", "due", "paid", "change", "discount", "charge", "rounding", "tip")
    }
    extra = {kind: sorted(of[kind])[:12] for kind in of}
    additions = {Decimal(0), *extra["charge"], *extra["tip"]}
    changes = {Decimal(0), *extra["discount"], *extra["rounding"], *(-value for value in extra["rounding"])}
    bases = [*extra["subtotal"], *extra["total"], *extra["due"]]
    sums = {base + tax + more for base in bases for tax in extra["tax"] for more in additions}
    sums |= {base + more for base in bases for more in additions if more}
    reduced = {base - change for base in bases for change in changes if change}
    paid_less_change = {paid - back for paid in extra["paid"] for back in extra["change"] if paid > back}
    taxes = set(extra["tax"])
    everything = set(values)
    rows = []
    for value in values:
        pairs = any(value - tax in everything and value > tax for tax in taxes)
        rows.append(
            [
                float(_near(value, sums)),
                float(_near(value, reduced)),
                float(_near(value, paid_less_change)),
                float(_near(value, of["paid"])),
                float(_near(value, of["due"])),
                float(_near(value, of["total"])),
                float(_near(value, of["subtotal"])),
                float(pairs),
                float(any(base + value in everything for base in of["subtotal"] if base != value)),
                float(any(total - value in everything for total in (*of["due"], *of["total"]) if total > value)),
            ]
        )
    return rows


def _near(value: Decimal, others: set[Decimal]) -> bool:
    return value in others or (
        value != value.to_integral_value() and any(abs(value - other) <= _SLACK for other in others)
    )


def _column_sums(candidates: Sequence[MoneyCandidate]) -> list[float]:
    """Whether an amount is the sum of two or more right above it in its column."""
    result = []
    for index, candidate in enumerate(candidates):
        running, hit, used = Decimal(0), 0.0, 0
        for other in reversed(candidates[:index]):
            if (
                other.place.row == candidate.place.row
                or abs(other.place.x2 - candidate.place.x2) > 2.5 * candidate.place.height
            ):
                continue
            running += other.value
            used += 1
            if used > 1 and running == candidate.value:
                hit = 1.0
                break
            if used > 40 or running > candidate.value > 0:
                break
        result.append(hit)
    return result


def date_features(sheet: Sheet, candidates: Sequence[DateCandidate]) -> FloatArray:
    """(n, d) float32."""
    orders = order_evidence(sheet, candidates)
    values = sorted({candidate.value for candidate in candidates})
    counts = Counter(candidate.value for candidate in candidates)
    days = set(values)
    rows = []
    for candidate in candidates:
        reading = candidate.reading
        text = sheet.rows[candidate.place.row].text
        rows.append(
            [
                *_context(sheet, candidate.place),
                *_position(sheet, candidate.place),
                *(float(reading.order is order) for order in Order),
                float(reading.clean),
                float(reading.unambiguous),
                orders.get(reading.order, 0.0),
                float(bool(_TIME.search(text))),
                float(candidate.value == values[0]),
                float(candidate.value == values[-1]),
                min(len(values), 6) / 6.0,
                min(counts[candidate.value] - 1, 3) / 3.0,
                float(any(candidate.value + timedelta(days=gap) in days for gap in (7, 10, 14, 15, 30, 31, 60))),
                float(any(candidate.value - timedelta(days=gap) in days for gap in (7, 10, 14, 15, 30, 31, 60))),
                min(sheet.row_letters(candidate.place.row), 40) / 40.0,
                float(candidate.value.year < 2005),
                float(reading.separator == "."),
                float(reading.separator == "-"),
            ]
        )
    return np.asarray(rows, np.float32)


def order_evidence(sheet: Sheet, candidates: Sequence[DateCandidate]) -> dict[Order, float]:
    """How much speaks for each order of numeric dates on this page, about -1 to 1: its other dates, and its country."""
    sure = Counter(
        candidate.reading.order
        for candidate in candidates
        if candidate.reading.unambiguous and candidate.reading.order in (Order.DAY_FIRST, Order.MONTH_FIRST)
    )
    text = fold(sheet.page.text)
    american = len(_AMERICAN.findall(sheet.page.text)) + 0.5 * ("$" in text and not _OTHER_DOLLARS.search(text))
    elsewhere = len(_ELSEWHERE.findall(text))
    month_first = math.tanh(
        0.9 * min(american, 4) - 0.5 * min(elsewhere, 6) + 3.0 * (sure[Order.MONTH_FIRST] - sure[Order.DAY_FIRST])
    )
    return {Order.MONTH_FIRST: month_first, Order.DAY_FIRST: -month_first}


def code_features(sheet: Sheet, candidates: Sequence[CodeCandidate]) -> FloatArray:
    """(n, d) float32."""
    text = sheet.page.text
    first_buyer = _first_row(sheet, "buyer")
    rows = []
    for candidate in candidates:
        value, place = candidate.value, candidate.place
        digits = sum(character.isdigit() for character in value)
        cell = sheet.rows[place.row].cells[place.cell].text
        before = fold(cell[: place.start]).rstrip()
        rows.append(
            [
                *_context(sheet, place),
                *_position(sheet, place),
                min(len(value), 24) / 24.0,
                digits / max(len(value), 1),
                float(any(character.isalpha() for character in value)),
                float(value.isdigit()),
                float(value[:1] == "0"),
                float("/" in value or "-" in value),
                float(bool(re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{2,4}", value))),
                float(bool(re.fullmatch(r"\d{1,3}(?:[.,]\d{3})*(?:[.,]\d{2})?", value)) and not value.isdigit()),
                float(bool(re.fullmatch(r"(?:19|20)\d\d", value))),
                float(is_tax_code(value)),
                float(bool(re.fullmatch(r"[A-Z]{2}\d{8,12}[A-Z]?\d*", value.replace(" ", "")))),
                float(" " in value),
                float(before.endswith(("#", "no.", "no", "nr.", "nr", ":", "so", "no:", "№", "n°"))),
                float(before.endswith(":")),
                float(place.start == 0 and place.end == len(cell)),
                float(place.end == len(cell)),
                float(place.start == 0),
                min(text.count(value) - 1, 3) / 3.0,
                float(first_buyer is not None and place.row >= first_buyer),
                float(bool(re.match(r"\s?%", cell[place.end :]))),
                min(sum(character.isalpha() for character in cell), 40) / 40.0,
                float(place.end < len(cell) and cell[place.end : place.end + 2].strip()[:1].isalpha()),
                float(place.start > 0 and cell[place.start - 1 : place.start].isalnum()),
            ]
        )
    return np.asarray(rows, np.float32)


def _first_row(sheet: Sheet, kind: str) -> int | None:
    return next(
        (
            row
            for row, labels in enumerate(sheet.labels)
            if any(label.kind == kind for cell in labels for label in cell)
        ),
        None,
    )


def name_features(sheet: Sheet, candidates: Sequence[NameCandidate]) -> FloatArray:
    """(n, d) float32."""
    text = sheet.page.text
    squeezed_page = squeeze(text)
    domains = {match[1] for match in _DOMAIN.finditer(fold(text))} - {"gmail", "yahoo", "hotmail"}
    first_money = _first_row(sheet, "head")
    first_buyer, first_title = _first_row(sheet, "buyer"), _first_row(sheet, "title")
    tallest = max((cell.height for cell in sheet.page.cells), default=1.0)
    middle = (sheet.left + sheet.right) / 2
    rows = []
    for candidate in candidates:
        value, place = candidate.value, candidate.place
        folded = fold(value)
        letters = sum(character.isalpha() for character in value)
        digits = sum(character.isdigit() for character in value)
        squeezed = squeeze(value)
        own = [label.kind for label in sheet.labels[place.row][place.cell]]
        labelled = sum(label.weight for label in sheet.labels[place.row][place.cell] if label.kind != "seller")
        centre = (place.x1 + place.x2) / 2
        rows.append(
            [
                *_context(sheet, place),
                *_position(sheet, place),
                *(
                    float(kind in own)
                    for kind in ("title", "buyer", "seller", "date", "number", "phone", "tax_id", "head", "due")
                ),
                min(labelled / max(letters, 1), 1.5),
                min(letters, 50) / 50.0,
                float(letters < 4),
                digits / max(letters + digits, 1),
                float(value.isupper()),
                float(value.istitle()),
                float(bool(_COMPANY.search(re.sub(r"[.,()]", "", folded)))),
                float(bool(_BUSINESS.search(folded))),
                float(bool(_ADDRESS.search(folded))),
                float(bool(_NOISE.search(folded))),
                float("," in value),
                float(":" in value),
                float(value[:1].islower()),
                place.height / tallest,
                abs(centre - middle) / max(sheet.right - sheet.left, 1.0),
                max((fuzz.ratio(squeezed, squeeze(domain)) / 100 for domain in domains), default=0.0),
                max(
                    (fuzz.partial_ratio(squeezed, squeeze(domain)) / 100 for domain in domains if len(squeezed) > 3),
                    default=0.0,
                ),
                min(squeezed_page.count(squeezed) - 1, 3) / 3.0 if len(squeezed) > 4 else 0.0,
                float(candidate.lines == 2),
                float(candidate.behind_label),
                float(place.row == 0),
                float(place.row == 1),
                float(place.row == 2),
                float(first_money is not None and place.row > first_money),
                _distance(place.row, first_buyer),
                float(first_buyer is not None and place.row > first_buyer),
                _distance(place.row, first_title),
                float(first_title is not None and place.row > first_title),
                min(len(value.split()), 10) / 10.0,
                float(bool(re.search(r"[=*#@%|_]", value))),
            ]
        )
    return np.asarray(rows, np.float32)


def _distance(row: int, other: int | None) -> float:
    return 1.0 if other is None else max(min((row - other) / 10.0, 1.0), -1.0)
