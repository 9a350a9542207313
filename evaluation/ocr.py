"""How well documents are read: real receipts, real machine-readable papers, synthetic Vietnamese papers.

Run through ``scripts/evaluate.py ocr``. Nothing is learnt from the photos: the rules hold labels and layouts that
receipts of any shop share. Each receipt's registry is filled from the other receipts, as confirmations would fill it.
Pages read are kept in ``--cache DIR``, so that a change of the rules does not read every picture again.
"""

from __future__ import annotations

import argparse
import csv
import json
import pickle
import re
import sys
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from rapidfuzz import fuzz

import synthetic_documents as synthetic
from app.core.ocr.dates import find_dates
from app.core.ocr.page_reader import PageText
from app.core.ocr.seller import Supplier
from app.core.ocr.text import similarity, squeeze
from app.core.ocr_engine import IdentityReading, InvoiceReading, OCREngine, SourcePage, find_invoice
from app.ml_models.extractor import load_ranker
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Image
from evaluation.figures import Share, as_json, as_table
from evaluation.papers import left_out

R = TypeVar("R")
Made = dict[str, list[bool]]

_SAME_SELLER = 0.85
_SURE = 0.8
_NEARLY_RIGHT = 0.95
"""Of a description's characters, tone marks included."""

_TARGETS = {
    "receipts_vn: total": 0.92,
    "receipts_vn: date": 0.95,
    "receipts_vn: seller, unknown": 0.70,
    "receipts_vn: seller, known from others": 0.90,
    "receipts_en: total": 0.93,
    "receipts_en: date": 0.95,
    "passports: number, birth, expiry, sex": 0.93,
    "id_specimens with a zone: fields right": 0.95,
    "id_specimens without a zone: not wrong with confidence": 1.0,
    "synthetic, clean: fields, exact": 0.97,
    "synthetic, degraded: fields, exact": 0.90,
    "synthetic, clean: figures of line items": 0.90,
    "synthetic, degraded: figures of line items": 0.90,
    "synthetic, clean: line items, words nearly right": 0.90,
    "synthetic, degraded: line items, words nearly right": 0.90,
}
_CONDITIONS = {"clean": synthetic.photographed, "degraded": synthetic.degraded}
_PAPERS: dict[str, Callable[[int], synthetic.SyntheticDocument]] = {
    "card-2021": synthetic.citizen_card_2021,
    "card-2021-print": partial(synthetic.citizen_card_2021, with_qr=False),
    "card-2024": synthetic.citizen_card_2024,
    "card-old": synthetic.identity_card_old,
    "licence": synthetic.driver_licence,
    "passport": synthetic.passport,
    **{f"invoice-{name}": partial(synthetic.vat_invoice, layout=name) for name in synthetic.INVOICE_LAYOUTS},
}


class Reader:
    """The engine, with what it read kept on disk and the seconds that each page took."""

    def __init__(self, engine: OCREngine, cache_dir: Path | None, today: date) -> None:
        self._engine = engine
        self._cache_dir = cache_dir
        self.today = today
        self.ranker = load_ranker()
        self.seconds: list[float] = []

    def text(self, key: str, image: Image) -> PageText:
        return self._kept(f"text-{key}", lambda: self._engine.read_text([SourcePage(image)])[0])

    def identity(self, key: str, image: Image) -> IdentityReading:
        return self._kept(f"identity-{key}", lambda: self._engine.read_identity([SourcePage(image)], today=self.today))

    def _kept(self, key: str, read: Callable[[], R]) -> R:
        path = self._cache_dir / f"{key}.pickle" if self._cache_dir else None
        if path is not None and path.is_file():
            kept: R = pickle.loads(path.read_bytes())  # noqa: S301  # a file that this script wrote
            return kept
        started_at = time.perf_counter()
        reading = read()
        self.seconds.append(time.perf_counter() - started_at)
        if path is not None:
            path.write_bytes(pickle.dumps(reading))
        return reading


def _rows(folder: Path) -> Iterator[tuple[dict[str, str], Image]]:
    """Labels with their pictures."""
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row, np.asarray(cv2.imread(str(folder / row["file"])), np.uint8)


def measure_receipts(reader: Reader, folder: Path) -> Made:
    """Total, date and seller of a folder of receipts."""
    made: Made = defaultdict(list)
    found = [(row, reader.text(f"{folder.name}-{Path(row['file']).stem}", image)) for row, image in _rows(folder)]
    plain = [find_invoice([text], reader.ranker, today=reader.today) for _, text in found]
    for index, (row, text) in enumerate(found):
        suppliers = _registry([(other[0], plain[i]) for i, other in enumerate(found) if i != index])
        invoice = plain[index].invoice
        known = find_invoice([text], reader.ranker, today=reader.today, suppliers=suppliers).invoice
        labelled = find_dates(row["date"], latest=date(2030, 12, 31))
        total = Decimal(re.sub(r"[^0-9.]", "", row["total"]))
        made[f"{folder.name}: total"].append(invoice is not None and invoice.total == total)
        if labelled:
            made[f"{folder.name}: date"].append(invoice is not None and invoice.date == labelled[0].value)
        for name, read in (("unknown", invoice), ("known from others", known)):
            seller = read.vendor.name if read and read.vendor else ""
            made[f"{folder.name}: seller, {name}"].append(_is_company(seller, row["company"]))
    return made


def _is_company(seller: str, company: str) -> bool:
    """Labels give several names with ``|``; any of them counts."""
    return any(similarity(seller, name) >= _SAME_SELLER for name in (company, *company.split("|")))


def _registry(confirmed: Sequence[tuple[Mapping[str, str], InvoiceReading]]) -> list[Supplier]:
    """Suppliers as confirmations of these readings would leave them, one spelling for each."""
    aliases: dict[str, set[str]] = defaultdict(set)
    prints: dict[str, set[str]] = defaultdict(set)
    for row, reading in confirmed:
        if reading.invoice is None:
            continue
        name = row["company"].split("|")[0].strip()
        name = next((known for known in prints if similarity(known, name) >= _SAME_SELLER), name)
        prints[name] |= reading.fingerprints
        if reading.invoice.vendor:
            aliases[name].add(reading.invoice.vendor.read)
    shared = {mark for name in prints for mark in prints[name] if sum(mark in other for other in prints.values()) > 1}
    return [Supplier(name, None, tuple(aliases[name]), frozenset(prints[name] - shared)) for name in prints]


def measure_machine_readable(reader: Reader, folder: Path) -> Made:
    """Number, birth, expiry and sex of papers with a machine-readable zone."""
    made: Made = defaultdict(list)
    for row, image in _rows(folder):
        identity = reader.identity(f"passports-{Path(row['file']).stem}", image).identity
        value = {name: field.value for name, field in identity.fields.items()} if identity else {}
        read = {
            "doc_number": value.get("id_number", ""),
            "birth_yymmdd": value.get("date_of_birth", "")[2:].replace("-", ""),
            "expiry_yymmdd": value.get("expiry_date", "")[2:].replace("-", ""),
            "sex": value.get("gender", "")[:1],
        }
        made["passports: number, birth, expiry, sex"] += [read[name] == row[name] for name in read if row[name]]
    return made


def measure_specimens(reader: Reader, folder: Path) -> Made:
    """Number, name, birth, expiry and sex of foreign specimens: of those with a zone how many are right, of those
    without one how many are answered, and how many wrong ones are given with confidence."""
    made: Made = defaultdict(list)
    for row, image in _rows(folder):
        identity = reader.identity(f"specimens-{Path(row['file']).stem}", image).identity
        fields = identity.fields if identity else {}
        kind = "with a zone" if row["mrz_type"] else "without a zone"
        truth = {
            "id_number": row["doc_number"],
            "full_name": f"{row['surname']} {row['given']}".strip(),
            "date_of_birth": row["birth_date"],
            "expiry_date": row["expiry_date"],
            "gender": {"M": "Male", "F": "Female"}.get(row["sex"], ""),
        }
        for name, right in truth.items():
            if right:
                found = fields.get(name)
                is_right = found is not None and _bare(found.value) == _bare(right)
                made[f"id_specimens {kind}: fields right"].append(is_right)
                sure = found is not None and found.confidence >= _SURE
                made[f"id_specimens {kind}: not wrong with confidence"].append(is_right or not sure)
    return made


def _bare(text: str) -> str:
    """Without accents, marks and the zone's spelling of umlauts, which is as right as the print's."""
    umlauts = text.upper().replace("Ä", "AE").replace("Ö", "OE").replace("Ü", "UE")
    return squeeze(umlauts)


def measure_synthetic(reader: Reader, seeds: Sequence[int]) -> Made:
    """Every printed field exactly, diacritics included; of line items the figures, and the words with at most one
    character in twenty wrong, and with none."""
    made: Made = defaultdict(list)
    for condition, change in _CONDITIONS.items():
        for name, draw in _PAPERS.items():
            for seed in seeds:
                document = draw(seed)
                key = f"synthetic-{name}-{seed}-{condition}"
                values = _read_synthetic(reader, key, document, change(document.image, seed * 7 + 1), made, condition)
                made[f"synthetic, {condition}: fields, exact"] += [
                    _normal(values.get(field, "")) == _normal(text) for field, text in document.fields.items()
                ]
    return made


def _read_synthetic(
    reader: Reader, key: str, document: synthetic.SyntheticDocument, image: Image, made: Made, condition: str
) -> dict[str, str]:
    """The fields read, by the names of the truth; line items are scored on the way."""
    if document.kind != "invoice":
        identity = reader.identity(key, image).identity
        return {name: field.value for name, field in identity.fields.items()} if identity else {}
    invoice = find_invoice([reader.text(key, image)], reader.ranker, today=reader.today).invoice
    if invoice is None:
        return {}
    lines = [((item.quantity, item.unit_price, item.amount), _normal(item.description)) for item in invoice.items]
    for item in document.items:
        figures = (Decimal(item.quantity), Decimal(item.unit_price), Decimal(item.amount))
        made[f"synthetic, {condition}: figures of line items"].append(any(figures == line[0] for line in lines))
        words = _normal(item.description)
        alike = max((fuzz.ratio(words, read) / 100 for numbers, read in lines if numbers == figures), default=0.0)
        made[f"synthetic, {condition}: line items, words nearly right"].append(alike >= _NEARLY_RIGHT)
        made[f"synthetic, {condition}: line items with every word"].append((figures, words) in lines)
    header = invoice.header
    values = {
        "invoice_number": header.invoice_number,
        "invoice_serial": header.serial,
        "date": invoice.date,
        "vendor": invoice.vendor.name if invoice.vendor else None,
        "vendor_tax_code": header.vendor_tax_code,
        "buyer": header.buyer,
        "payment_method": header.payment_method,
        "subtotal": invoice.subtotal,
        "tax_rate": header.tax_rate_percent,
        "tax_amount": invoice.tax_amount,
        "total_amount": invoice.total,
        "currency": invoice.currency,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Measure how well documents are read.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--cache", type=Path, help="a folder that keeps the pages read")
    parser.add_argument("--seeds", type=int, default=6, help="synthetic papers of each kind and condition")
    parser.add_argument("--identity-only", action="store_true", help="measure real identity papers alone")
    parser.add_argument(
        "--leave-out", nargs="+", choices=("group", "source"), help="judge rankers on invoices they did not see"
    )
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.cache is not None:
        options.cache.mkdir(parents=True, exist_ok=True)
    if options.leave_out is not None:
        return left_out.main(options.data, options.cache, by=options.leave_out, figures=options.json)
    engine = build_ocr_engine(ModelLoader(load_pack(options.pack), options.weights_dir), threads=options.threads)
    reader = Reader(engine, options.cache, date.today())  # noqa: DTZ011  # a day to hold the receipts' dates against
    made: Made = {
        **measure_machine_readable(reader, options.data / "passports"),
        **measure_specimens(reader, options.data / "id_specimens"),
    }
    if not options.identity_only:
        made |= measure_receipts(reader, options.data / "receipts_vn")
        made |= measure_receipts(reader, options.data / "receipts_en")
        made |= measure_synthetic(reader, range(options.seeds))
    shares = [Share(name, sum(hits), len(hits), _TARGETS.get(name)) for name, hits in made.items()]
    print(as_table(shares))
    print(f"\nSynthetic papers: {', '.join(_PAPERS)}; seeds 0 to {options.seeds - 1}.")
    if reader.seconds:
        p50, p95 = np.percentile(reader.seconds, [50, 95])
        print(
            f"\nSeconds a page on {options.threads} thread(s), n = {len(reader.seconds)}: p50 {p50:.2f}, p95 {p95:.2f}"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(shares), indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in shares) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
