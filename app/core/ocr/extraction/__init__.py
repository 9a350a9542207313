"""Fields of invoices and receipts: candidates, one learned ranker, arithmetic."""
