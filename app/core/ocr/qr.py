"""The QR code of Vietnamese citizen cards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

import cv2
import numpy as np
import zxingcpp

from app.types import Image

_FORMATS = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
_SCALES = (1.0, 2.0, 0.5)
"""Small codes are found on the enlarged picture, blurred ones on the reduced one."""

_MAX_SIDE_PX = 4000


@dataclass(frozen=True, slots=True)
class CitizenCode:
    """What the code of a citizen card says; None where a part is empty or no date."""

    number: str
    old_number: str | None
    full_name: str
    birth: date | None
    sex: str | None
    address: str | None
    issued: date | None


def read_citizen_codes(image: Image) -> list[CitizenCode]:
    """The different citizen codes on ``image``; codes of other kinds are passed over."""
    for scale in _SCALES:
        if max(image.shape[:2]) * scale > _MAX_SIDE_PX:
            continue
        scaled = image if scale == 1.0 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        codes = [
            code
            for found in zxingcpp.read_barcodes(np.ascontiguousarray(scaled), formats=_FORMATS)
            if (code := parse_citizen_code(found.text)) is not None
        ]
        if codes:
            return list({code.number: code for code in codes}.values())
    return []


def parse_citizen_code(text: str) -> CitizenCode | None:
    """``number|old number|name|ddmmyyyy|sex|address|ddmmyyyy``; later cards append more parts."""
    parts = [part.strip() for part in text.split("|")]
    if len(parts) < 6 or not re.fullmatch(r"\d{12}", parts[0]):
        return None
    return CitizenCode(
        number=parts[0],
        old_number=parts[1] or None,
        full_name=parts[2],
        birth=_date(parts[3]),
        sex=parts[4] or None,
        address=parts[5] or None,
        issued=_date(parts[6]) if len(parts) > 6 else None,
    )


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%d%m%Y").date()  # noqa: DTZ007  # a day without a zone
    except ValueError:
        return None
