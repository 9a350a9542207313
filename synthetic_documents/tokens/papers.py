"""Invoices and receipts with the truth about them, each drawn anew for every seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from synthetic_documents.tokens.drafts import draft
from synthetic_documents.tokens.einvoices import EInvoiceLayout
from synthetic_documents.tokens.layouts import InvoiceLayout, PaperLayout, ReceiptLayout
from synthetic_documents.tokens.locales import Locale, locales
from synthetic_documents.tokens.sheet import TokenSheet, Word


@dataclass(frozen=True, slots=True)
class TokenPaper:
    """``truth`` by field: Decimal, date or text."""

    words: tuple[Word, ...]
    truth: Mapping[str, object]
    vietnamese: bool


def invoice(seed: int, *, currency: str | None = None) -> TokenPaper:
    """An invoice of a random country, or of one with that currency."""
    rng = random.Random(f"invoice {seed} {currency}")
    paper = draft(rng, _locale(rng, currency))
    sheet = TokenSheet(rng, rng.uniform(17, 24), slips=rng.choice((0.0, 0.0, 0.01, 0.03)), plain=rng.random() < 0.2)
    return _drawn(InvoiceLayout(rng, sheet, paper))


def receipt(seed: int, *, currency: str | None = None) -> TokenPaper:
    """A receipt; its prices include taxes."""
    rng = random.Random(f"receipt {seed} {currency}")
    paper = draft(rng, _locale(rng, currency))
    sheet = TokenSheet(rng, rng.uniform(16, 26), slips=rng.choice((0.0, 0.01, 0.03, 0.05)), plain=rng.random() < 0.3)
    return _drawn(ReceiptLayout(rng, sheet, paper))


def einvoice(seed: int) -> TokenPaper:
    """A Vietnamese e-invoice as its template prints it."""
    rng = random.Random(f"einvoice {seed}")
    sheet = TokenSheet(rng, rng.uniform(17, 24), slips=rng.choice((0.0, 0.0, 0.01)))
    return _drawn(EInvoiceLayout(rng, sheet, draft(rng, _locale(rng, "VND"))))


def _drawn(layout: PaperLayout) -> TokenPaper:
    layout.draw()
    vietnamese = layout.paper.locale.language == "vi"
    return TokenPaper(tuple(layout.sheet.words), dict(layout.printed), vietnamese)


def _locale(rng: random.Random, currency: str | None) -> Locale:
    return rng.choice([locale for locale in locales() if currency in (None, locale.currency)])
