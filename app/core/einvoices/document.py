"""What an e-invoice says, whichever standard it is written in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Standard(StrEnum):
    """How the file is written."""

    VIETNAM = "vn_tt78"
    CII = "cii"
    UBL = "ubl"


class DocumentKind(StrEnum):
    """What a paper is for."""

    INVOICE = "invoice"
    RECEIPT = "receipt"
    CREDIT_NOTE = "credit_note"
    PRO_FORMA = "pro_forma"
    FOLIO = "folio"


class LineKind(StrEnum):
    """What a line is for. A note carries no amount; a discount's amount is taken off."""

    GOODS = "goods"
    PROMOTION = "promotion"
    DISCOUNT = "discount"
    NOTE = "note"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class Party:
    """Seller or buyer; None where the file does not say."""

    name: str | None = None
    tax_code: str | None = None
    address: str | None = None
    phone: str | None = None
    email: str | None = None
    website: str | None = None
    bank_account: str | None = None
    bank_name: str | None = None
    person: str | None = None
    citizen_id: str | None = None
    budget_code: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line. ``tax_rate`` is as written: ``8%``, ``KCT`` (not taxable), ``KKKNT``, ``KHAC:8%``."""

    kind: LineKind
    description: str
    number: str | None = None
    code: str | None = None
    unit: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    discount_rate: Decimal | None = None
    discount: Decimal | None = None
    amount: Decimal | None = None
    tax_rate: str | None = None
    tax_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TaxAtRate:
    """Base and tax at one rate; ``rate`` as written, ``rate_percent`` None where the goods are not taxable."""

    rate: str
    rate_percent: Decimal | None
    base: Decimal | None
    tax: Decimal | None


@dataclass(frozen=True, slots=True)
class Fee:
    """A charge beside the lines, such as a service charge."""

    name: str
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class InvoiceReference:
    """The invoice that this one replaces, adjusts or credits."""

    relation: str
    number: str | None
    serial: str | None = None
    form: str | None = None
    date: dt.date | None = None


class SignatureStatus(StrEnum):
    """``VALID_UNTRUSTED_SIGNER``: signed as shown, by somebody whom no root vouches for. ``UNCHECKED``: signed in a way
    that is not checked here; the reason says which."""

    VALID = "valid"
    VALID_UNTRUSTED_SIGNER = "valid_untrusted_signer"
    INVALID = "invalid"
    UNCHECKED = "unchecked"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over an invoice.

    Attributes:
        role: whose place it stands in: ``seller``, ``buyer``, ``tax_authority``, ``message`` or ``other``.
        reason: a stable code where ``status`` is not ``VALID``.
        signer: the certificate's common name.
        signer_tax_code: as the certificate names it.
        signed_at: ISO time that the signer claims, where the signature covers the claim.
        matches_seller: whether the signer's tax code is the seller's; None for other roles, or where it has none.
    """

    role: str
    status: SignatureStatus
    reason: str | None = None
    signer: str | None = None
    signer_tax_code: str | None = None
    signed_at: str | None = None
    matches_seller: bool | None = None


@dataclass(frozen=True, slots=True)
class EInvoice:
    """Every field of an e-invoice; None where the file does not hold it. Amounts keep their sign."""

    standard: Standard
    kind: DocumentKind
    number: str | None
    date: dt.date | None
    currency: str | None
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    tax_lines: tuple[TaxAtRate, ...]
    fees: tuple[Fee, ...]
    subtotal: Decimal | None
    tax: Decimal | None
    total: Decimal | None
    related: InvoiceReference | None
    due_date: dt.date | None = None
    paid: Decimal | None = None
    due: Decimal | None = None
    rounding: Decimal | None = None
    title: str | None = None
    form: str | None = None
    serial: str | None = None
    exchange_rate: Decimal | None = None
    payment_method: str | None = None
    discount: Decimal | None = None
    total_in_words: str | None = None
    authority_code: str | None = None
    qr: str | None = None
    extra: tuple[tuple[str, str], ...] = ()
    signatures: tuple[Signature, ...] = ()
    warnings: tuple[str, ...] = ()
