"""The codes that cards carry, such as the QR code of Vietnamese citizen cards."""

from __future__ import annotations

import cv2
import numpy as np
import zxingcpp

from app.core.ocr.issuers.base import CardCode
from app.core.ocr.issuers.registry import read_card_code
from app.types import Image

_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_SCALES = (1.0, 2.0, 0.5)
"""Small codes are found on the enlarged picture, blurred ones on the reduced one."""

_MAX_SIDE_PX = 4000


def read_card_codes(image: Image) -> list[CardCode]:
    """The different holders' codes on ``image``; codes of other kinds are passed over."""
    for scale in _SCALES:
        if max(image.shape[:2]) * scale > _MAX_SIDE_PX:
            continue
        scaled = image if scale == 1.0 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        codes = [
            code
            for found in zxingcpp.read_barcodes(np.ascontiguousarray(scaled), formats=_FORMATS)
            if (code := read_card_code(found.text)) is not None
        ]
        if codes:
            return list({code.number: code for code in codes}.values())
    return []
