"""Training of the ranker that reads invoices' fields: labelled papers in, a small network a field out."""
