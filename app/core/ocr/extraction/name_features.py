"""What is known of a name, as numbers about one: for the ranker."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from rapidfuzz import fuzz

from app.core.ocr.extraction.candidates import NameCandidate, clean_name, has_legal_form
from app.core.ocr.extraction.context import first_row, label_context, position
from app.core.ocr.extraction.sheet import Sheet
from app.core.ocr.text import fold, squeeze
from app.types import FloatArray

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
    r"cung cap boi|giai phap|phan mem|tra cuu|mau|mau so|ky hieu|specimen|muster|sample|"
    r"page|seite|copy|original|duplicate|uid|vat|kasse|bediener|server|danke|merci|terminal|order)\b"
)
_DOMAIN = re.compile(
    r"(?:www\.|https?://|@|\b)([a-z0-9-]{3,})\.(?:com|vn|net|org|my|de|ch|at|fr|es|it|nl|uk|co|eu|se|no|dk|fi|in)\b"
)


def name_features(sheet: Sheet, candidates: Sequence[NameCandidate]) -> FloatArray:
    """(n, d) float32."""
    text = sheet.page.text
    squeezed_page = squeeze(text)
    domains = {match[1] for match in _DOMAIN.finditer(fold(text))} - {"gmail", "yahoo", "hotmail"}
    first_money = first_row(sheet, "head")
    first_buyer, first_title = first_row(sheet, "buyer"), first_row(sheet, "title")
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
                *label_context(sheet, place),
                *position(sheet, place),
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
                float(has_legal_form(value)),
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
                float(candidate.lines == 3),
                *_stack(sheet, candidate),
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
                float(place.start > 0),
            ]
        )
    return np.asarray(rows, np.float32)


def _stack(sheet: Sheet, candidate: NameCandidate) -> list[float]:
    """Whether a name's lines belong together, and what stands right above and below them: half a name is none."""
    place, last = candidate.place, candidate.last
    first_cell, last_cell = sheet.rows[place.row].cells[place.cell], sheet.rows[last[0]].cells[last[1]]
    below, above = sheet.below.get(last), sheet.above.get((place.row, place.cell))
    after = sheet.rows[below[0]].cells[below[1]] if below else None
    before = sheet.rows[above[0]].cells[above[1]] if above else None
    return [
        float(_ends_in_form(candidate.value)),
        float(candidate.lines > 1 and _ends_in_form(first_cell.text)),
        float(candidate.lines > 1 and _is_form(last_cell.text)),
        last_cell.height / max(first_cell.height, 1.0),
        float(candidate.lines > 1 and _is_apart(last_cell.text)),
        float(after is not None and _ends_in_form(after.text)),
        float(after is not None and _is_apart(after.text)),
        after.height / max(last_cell.height, 1.0) if after else 0.0,
        float(before is not None and not _is_apart(before.text)),
        float(before is not None and _ends_in_form(before.text)),
        before.height / max(first_cell.height, 1.0) if before else 0.0,
    ]


def _ends_in_form(text: str) -> bool:
    words = re.sub(r"[.,()]", "", fold(clean_name(text))).split()
    return bool(words) and has_legal_form(" ".join(words[-2:]))


def _is_form(text: str) -> bool:
    """A legal form with a word beside it at most."""
    return len(clean_name(text).split()) <= 3 and _ends_in_form(text)


def _is_apart(text: str) -> bool:
    """An address, or a number with its label."""
    folded = fold(text)
    return bool(_ADDRESS.search(folded) or _NOISE.search(folded)) or sum(c.isdigit() for c in folded) >= 4


def _distance(row: int, other: int | None) -> float:
    return 1.0 if other is None else max(min((row - other) / 10.0, 1.0), -1.0)
