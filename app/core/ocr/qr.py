"""The codes that papers carry: the QR codes of Vietnamese citizen cards, e-invoices and cards of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
import zxingcpp

from app.core.einvoices.qr import InvoiceCode, read_invoice_code
from app.core.ocr.issuers.base import CardCode
from app.core.ocr.issuers.registry import read_card_code
from app.types import Image

Code = TypeVar("Code", CardCode, InvoiceCode, str)

_SCALES = (1.0, 2.0, 0.5)
"""Small codes are found on the enlarged picture, blurred ones on the reduced one."""

_MAX_SIDE_PX = 4000


def read_card_codes(image: Image) -> list[CardCode]:
    """The different holders' codes on ``image``; codes of other kinds are passed over."""
    return list({code.number: code for code in _read(image, read_card_code)}.values())


def read_invoice_codes(image: Image) -> list[InvoiceCode]:
    """The different e-invoices' codes on ``image``."""
    return list(dict.fromkeys(_read(image, read_invoice_code)))


def read_texts(image: Image) -> list[str]:
    """What the different codes on ``image`` say, whatever they are for."""
    return list(dict.fromkeys(_read(image, str)))


def _read(image: Image, meaning: Callable[[str], Code | None]) -> list[Code]:
    """The codes that mean something, from the first scale at which one does."""
    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)  # kept by the module, it is told as a leak at exit
    for scale in _SCALES:
        if max(image.shape[:2]) * scale > _MAX_SIDE_PX or min(image.shape[:2]) * scale < 1:
            continue
        scaled = image if scale == 1.0 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        found = zxingcpp.read_barcodes(np.ascontiguousarray(scaled), formats=formats)
        if codes := [code for one in found if (code := meaning(one.text)) is not None]:
            return codes
    return []
