"""Cases of invoices with what is right: PDFs whose text layer is read as the service reads it."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest

from app.core.ocr.invoice import Invoice, read_invoice
from app.core.ocr.page_reader import spoken_language
from app.core.ocr.text import similarity
from app.ml_models.extractor import load_ranker
from scripts.extractor.papers import below_one_another, text_layer

TODAY = date(2026, 11, 30)
SAME_SELLER = 0.85
MIN_FILES = 40

MISSED = {
    ("public_invoice/facturx_EN16931.pdf", "vendor"),  # printed twice, once with its trade name; its XML says it
    ("public_invoice/i2d_QualityHosting.pdf", "invoice_number"),
    ("public_invoice/i2d_coolblue1.pdf", "invoice_number"),
    ("public_invoice/i2d_coolblue2.pdf", "invoice_number"),
}
"""What is left null, though the page has it."""


@pytest.fixture(scope="module")
def cases(eval_data: Path) -> Path:
    """The folder of cases, beside the photos."""
    folder = eval_data.parent / "cases" / "documents"
    if not folder.is_dir():
        pytest.skip("no cases of documents beside CV_EVAL_DATA")
    return folder


def test_invoices_with_a_text_layer_are_read(cases: Path) -> None:
    wanted: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (cases / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["endpoint"].endswith("/ocr/invoice") and row["file"].endswith(".pdf") and row["field"] != "warn":
                wanted[row["file"]].append(row)
    ranker = load_ranker()
    missed, read_files = set(), 0
    for name, rows in wanted.items():
        pages = text_layer(cases / name)
        if not pages:
            continue
        read_files += 1
        language = json.loads(rows[0]["options"]).get("language")
        spoken = spoken_language(language, [line.text for page in pages for line in page.lines])
        invoice = read_invoice(below_one_another(pages), ranker, today=TODAY, vietnamese=spoken == "vi")
        missed |= {(name, row["field"]) for row in rows if not is_right(invoice, row["field"], row["right_value"])}
    assert missed == MISSED
    assert read_files >= MIN_FILES


def is_right(invoice: Invoice, field: str, right: str) -> bool:
    """``right``: alternatives with bars between them; empty where nothing is to be read."""
    alternatives = right.split("|")
    if field == "qty":
        return [item.quantity for item in invoice.items] == [Decimal(value) for value in alternatives]
    value = value_of(invoice, field)
    read = "" if value is None else str(value)
    if field == "vendor":
        return any(similarity(read, name) >= SAME_SELLER for name in alternatives)
    if is_number(read):
        return any(is_number(other) and Decimal(read) == Decimal(other) for other in alternatives)
    return read in alternatives


def value_of(invoice: Invoice, field: str) -> object:
    if field == "n_items":
        return len(invoice.items)
    if field == "invoice_serial":
        return invoice.header.serial
    if field == "vendor_tax_code":
        return invoice.header.vendor_tax_code
    read = invoice.values.get(field)
    return read.value if read else None


def is_number(text: str) -> bool:
    try:
        Decimal(text)
    except InvalidOperation:
        return False
    return True
