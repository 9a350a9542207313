"""Invoices and receipts of many countries as words with boxes, without pixels: cheap enough to teach from."""

from synthetic_documents.tokens.papers import TokenPaper, einvoice, invoice, receipt

__all__ = ["TokenPaper", "einvoice", "invoice", "receipt"]
