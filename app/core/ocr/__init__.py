"""What the OCR engine is made of: readers, layout, and the parsers of receipts and identity papers."""
