"""Papers of many countries as words with boxes: what they say is true, and their currency is told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from rapidfuzz import fuzz

from app.core.ocr.currency import find_currency
from app.core.ocr.layout import Page, arrange
from app.types import TextLine
from synthetic_documents.tokens import TokenPaper, einvoice, invoice, receipt
from synthetic_documents.tokens.locales import locales

CURRENCIES = sorted({locale.currency for locale in locales()})
SEEDS = range(8)


def page_of(paper: TokenPaper) -> Page:
    return arrange(
        [
            TextLine(np.array([[w.x1, w.y1], [w.x2, w.y1], [w.x2, w.y2], [w.x1, w.y2]], np.float32), w.text, w.score)
            for w in paper.words
        ]
    )


def drawn(currency: str) -> list[TokenPaper]:
    return [draw(seed, currency=currency) for draw in (invoice, receipt) for seed in SEEDS]


def test_a_seed_draws_the_same_paper_again() -> None:
    assert invoice(7) == invoice(7)
    assert invoice(7) != invoice(8)


@pytest.mark.parametrize("seed", range(40))
def test_sums_of_an_invoice_add_up(seed: int) -> None:
    truth = invoice(seed).truth
    total, subtotal, tax = (truth[name] for name in ("total", "subtotal", "tax"))
    assert isinstance(total, Decimal)
    assert isinstance(subtotal, Decimal)
    assert isinstance(tax, Decimal)
    assert abs(subtotal + tax - total) <= subtotal / 4  # a discount, a charge and their tax
    assert isinstance(truth["date"], date)


@pytest.mark.parametrize("seed", range(20))
def test_an_einvoice_names_its_seller_as_a_line_or_wrapped_and_its_buyer_too(seed: int) -> None:
    paper = einvoice(seed)
    printed = " ".join(word.text for word in paper.words)
    letters = "".join(printed.split())
    for party in ("seller", "buyer"):
        assert fuzz.partial_ratio("".join(str(paper.truth[party]).split()), letters) >= 90
    assert paper.truth["seller"] != paper.truth["buyer"]
    assert paper.vietnamese


@pytest.mark.slow
def test_currencies_of_many_countries_are_told_and_seldom_wrong() -> None:
    assert len(CURRENCIES) >= 20
    found = [
        (currency, find_currency(page_of(paper), vietnamese=paper.vietnamese))
        for currency in CURRENCIES
        for paper in drawn(currency)
    ]
    right = sum(read is not None and read.code == currency for currency, read in found)
    sure = [(currency, read) for currency, read in found if read is not None and read.confidence >= 0.8]
    assert right >= 0.95 * len(found)
    assert sum(read.code != currency for currency, read in sure) <= 0.02 * len(sure)
    assert len(sure) >= 0.8 * len(found)
