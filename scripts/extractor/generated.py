"""Generated papers beside the labelled ones: layouts, languages and currencies of which no set has enough."""

from __future__ import annotations

import numpy as np

from app.core.ocr.layout import arrange
from app.types import TextLine
from scripts.extractor.papers import GENERATED, Paper
from synthetic_documents.tokens import TokenPaper, invoice, receipt

_FIELDS = ("total", "subtotal", "date", "due_date", "seller")
"""Those of which papers left out were read better for it; numbers and taxes were read worse."""

PAPERS = 300
_GROUPS = 60
"""Together they weigh as much as so many sellers with one paper, times the root of their papers."""


def generated_papers(count: int = PAPERS) -> list[Paper]:
    """Invoices and receipts by turns."""
    return [_paper(seed, invoice(seed) if seed % 2 else receipt(seed)) for seed in range(count)]


def _paper(seed: int, made: TokenPaper) -> Paper:
    labels = {name: frozenset({made.truth[name]} if name in made.truth else ()) for name in _FIELDS}
    group = f"{GENERATED} {seed % _GROUPS}"
    page = arrange(text_lines(made))
    return Paper(f"{GENERATED}/{seed}", GENERATED, GENERATED, group, False, page, made.vietnamese, labels)


def text_lines(made: TokenPaper) -> list[TextLine]:
    """As a reader gives them."""
    return [
        TextLine(np.array([[w.x1, w.y1], [w.x2, w.y1], [w.x2, w.y2], [w.x1, w.y2]], np.float32), w.text, w.score)
        for w in made.words
        if w.text.strip()
    ]
