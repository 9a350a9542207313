"""Invoices that are data: Vietnamese e-invoices, UN/CEFACT CII (Factur-X, ZUGFeRD) and UBL, read field by field."""
