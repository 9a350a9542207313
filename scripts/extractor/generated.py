"""Generated papers beside the labelled ones: layouts, languages and currencies of which no set has enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.core.ocr.layout import arrange
from app.types import TextLine
from scripts.extractor.papers import GENERATED, Paper
from synthetic_documents.tokens import TokenPaper, einvoice, invoice, receipt

_FIELDS = ("total", "subtotal", "date", "due_date", "seller")
"""Those of which papers left out were read better for it; numbers and taxes were read worse."""

PAPERS = 300
_GROUPS = 60
"""Together they weigh as much as so many sellers with one paper, times the root of their papers."""


E_INVOICES = 90
_E_INVOICE_GROUPS = 15


def generated_papers(count: int = PAPERS, e_invoices: int = E_INVOICES) -> list[Paper]:
    """Invoices and receipts by turns; then Vietnamese e-invoices, which teach what names their sellers alone."""
    papers = [
        _paper(f"{seed}", invoice(seed) if seed % 2 else receipt(seed), group=seed % _GROUPS) for seed in range(count)
    ]
    return papers + [
        _paper(f"e{seed}", einvoice(seed), group=_GROUPS + seed % _E_INVOICE_GROUPS, fields=("seller",))
        for seed in range(e_invoices)
    ]


def _paper(name: str, made: TokenPaper, *, group: int, fields: Sequence[str] = _FIELDS) -> Paper:
    labels = {field: frozenset({made.truth[field]} if field in made.truth else ()) for field in fields}
    page = arrange(text_lines(made))
    return Paper(
        f"{GENERATED}/{name}", GENERATED, GENERATED, f"{GENERATED} {group}", False, page, made.vietnamese, labels
    )


def text_lines(made: TokenPaper) -> list[TextLine]:
    """As a reader gives them."""
    return [
        TextLine(np.array([[w.x1, w.y1], [w.x2, w.y1], [w.x2, w.y2], [w.x1, w.y2]], np.float32), w.text, w.score)
        for w in made.words
        if w.text.strip()
    ]
