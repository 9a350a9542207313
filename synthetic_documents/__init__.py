"""Makes Vietnamese papers that never existed, with the truth beside them: cards, passports, licences, invoices.

Everything is drawn from a seed, so a seed is a document. No photo, no real person and no real company is in them.
"""

from synthetic_documents.base import DrawnItem, SyntheticDocument
from synthetic_documents.cards import citizen_card_2021, citizen_card_2024, driver_licence, identity_card_old
from synthetic_documents.degrade import degraded, on_screen, photographed
from synthetic_documents.invoices import INVOICE_LAYOUTS, vat_invoice
from synthetic_documents.passports import passport

__all__ = [
    "INVOICE_LAYOUTS",
    "DrawnItem",
    "SyntheticDocument",
    "citizen_card_2021",
    "citizen_card_2024",
    "degraded",
    "driver_licence",
    "identity_card_old",
    "on_screen",
    "passport",
    "photographed",
    "vat_invoice",
]
