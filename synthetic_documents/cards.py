"""Identity cards and driving licences in their printed layouts."""

from __future__ import annotations

import random

import numpy as np
import zxingcpp
from numpy.typing import NDArray
from PIL import Image

from synthetic_documents.base import Canvas, SyntheticDocument, families
from synthetic_documents.mrz_lines import td1
from synthetic_documents.people import SyntheticPerson, person

_SIZE = (1012, 638)
"""ID-1 at about 300 dpi."""

_RED, _LABEL, _INK = (190, 30, 40), (70, 75, 70), (20, 20, 25)


def qr_text(holder: SyntheticPerson) -> str:
    """What the code on a citizen card says."""
    dates = (holder.born.strftime("%d%m%Y"), holder.issued.strftime("%d%m%Y"))
    return "|".join([holder.number, holder.old_number, holder.name, dates[0], holder.sex, holder.residence, dates[1]])


def _qr(text: str, size_px: int) -> Image.Image:
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="L")
    bits: NDArray[np.uint8] = np.array(code.to_image(scale=4, add_quiet_zones=True))
    return Image.fromarray(bits).convert("RGB").resize((size_px, size_px), Image.Resampling.NEAREST)


def _truth(holder: SyntheticPerson) -> dict[str, str]:
    return {
        "id_number": holder.number,
        "full_name": holder.name.upper(),
        "date_of_birth": holder.born.isoformat(),
        "gender": "Female" if holder.female else "Male",
        "nationality": "Vietnamese",
    }


def _labelled(canvas: Canvas, y: float, label: str, value: str, *, x: float = 300, bold: bool = False) -> float:
    """A label and its value on one line; returns the next y."""
    end = canvas.write((x, y), label + " ", 21, colour=_LABEL)
    canvas.write((end + 4, y - 3), value, 27, bold=bold, colour=_INK)
    return y + 44


def _wrapped(canvas: Canvas, y: float, label: str, value: str, *, x: float = 300, size: int = 27) -> float:
    """A label, then its value in the lines below it."""
    canvas.write((x, y), label, 21, colour=_LABEL)
    for line in canvas.wrap(value, size, _SIZE[0] - x - 30):
        y += 33
        canvas.write((x, y), line, size, colour=_INK)
    return y + 40


def _card(rng: random.Random, tint: tuple[int, int, int], lines: tuple[int, int, int]) -> Canvas:
    canvas = Canvas(*_SIZE, family=rng.choice(families()), background=tint)
    canvas.guilloche(rng, lines)
    return canvas


def _republic(canvas: Canvas, *, centre: float, english: bool) -> None:
    canvas.write((centre, 24), "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 23, bold=True, anchor="ma")
    canvas.write((centre, 56), "Độc lập - Tự do - Hạnh phúc", 21, anchor="ma")
    if english:
        canvas.write((centre, 82), "SOCIALIST REPUBLIC OF VIET NAM", 18, anchor="ma")
        canvas.write((centre, 104), "Independence - Freedom - Happiness", 16, anchor="ma")


def citizen_card_2021(seed: int, *, with_qr: bool = True) -> SyntheticDocument:
    """Căn cước công dân with chip, front and back."""
    rng = random.Random(seed)
    holder = person(rng)
    canvas = _card(rng, (222, 236, 232), (200, 222, 218))
    _republic(canvas, centre=520, english=True)
    canvas.write((540, 136), "CĂN CƯỚC CÔNG DÂN", 36, bold=True, colour=_RED, anchor="ma")
    canvas.write((540, 180), "Citizen Identity Card", 20, colour=_RED, anchor="ma")
    if with_qr:
        canvas.image.paste(_qr(qr_text(holder), 190), (815, 15))
    canvas.portrait((40, 190, 260, 480), rng)
    end = canvas.write((300, 226), "Số / No.: ", 24, colour=_LABEL)
    canvas.write((end + 4, 216), holder.number, 36, bold=True, colour=_INK)
    y = _wrapped(canvas, 268, "Họ và tên / Full name:", holder.name.upper(), size=30)
    y = _labelled(canvas, y, "Ngày sinh / Date of birth:", holder.born.strftime("%d/%m/%Y"))
    end = canvas.write((300, y), "Giới tính / Sex: ", 21, colour=_LABEL)
    end = canvas.write((end + 4, y - 3), holder.sex, 27, colour=_INK)
    end = canvas.write((end + 40, y), "Quốc tịch / Nationality: ", 21, colour=_LABEL)
    canvas.write((end + 4, y - 3), "Việt Nam", 27, colour=_INK)
    y = _wrapped(canvas, y + 42, "Quê quán / Place of origin:", holder.origin, size=25)
    end = canvas.write((300, y), "Nơi thường trú / Place of residence: ", 21, colour=_LABEL)
    first = canvas.wrap(holder.residence, 25, _SIZE[0] - end - 30)[0]
    canvas.write((end, y - 2), first, 25, colour=_INK)
    canvas.write((300, y + 33), holder.residence[len(first) :].strip(), 25, colour=_INK)
    canvas.write((30, 562), "Có giá trị đến:", 18, colour=_LABEL)
    canvas.write((30, 584), "Date of expiry:", 18, colour=_LABEL)
    canvas.write((165, 570), holder.expires.strftime("%d/%m/%Y"), 22, colour=_INK)
    truth = _truth(holder) | {"address": holder.residence, "expiry_date": holder.expires.isoformat()}
    return SyntheticDocument("id_card", canvas.bgr(), truth, back=_back_2021(rng, holder))


def _back_2021(rng: random.Random, holder: SyntheticPerson) -> NDArray[np.uint8]:
    canvas = _card(rng, (222, 236, 232), (200, 222, 218))
    canvas.write((40, 30), "Đặc điểm nhân dạng / Personal identification:", 20, colour=_LABEL)
    canvas.write((40, 62), "Nốt ruồi cách 1,5cm trên sau mép trái", 24, colour=_INK)
    canvas.write((40, 110), "Ngày, tháng, năm / Date, month, year: ", 20, colour=_LABEL)
    canvas.write((440, 106), holder.issued.strftime("%d/%m/%Y"), 25, colour=_INK)
    canvas.write((480, 150), "CỤC TRƯỞNG CỤC CẢNH SÁT", 21, bold=True, anchor="ma")
    canvas.write((480, 178), "QUẢN LÝ HÀNH CHÍNH VỀ TRẬT TỰ XÃ HỘI", 19, bold=True, anchor="ma")
    for index, line in enumerate(td1(holder)):
        canvas.write_monospace((40, 420 + 62 * index), line, width_px=930)
    return canvas.bgr()


def citizen_card_2024(seed: int, *, with_qr: bool = True) -> SyntheticDocument:
    """Căn cước of the 2024 law: address, dates and code moved to the back."""
    rng = random.Random(seed)
    holder = person(rng)
    canvas = _card(rng, (230, 238, 240), (206, 222, 228))
    _republic(canvas, centre=560, english=True)
    canvas.write((570, 140), "CĂN CƯỚC", 38, bold=True, colour=_RED, anchor="ma")
    canvas.write((570, 188), "IDENTITY CARD", 22, bold=True, colour=_RED, anchor="ma")
    canvas.portrait((40, 190, 260, 480), rng)
    y = _wrapped(canvas, 236, "Số định danh cá nhân / Personal identification number:", holder.number, size=34)
    y = _wrapped(canvas, y, "Họ, chữ đệm và tên khai sinh / Full name:", holder.name.upper(), size=30)
    y = _wrapped(canvas, y, "Ngày, tháng, năm sinh / Date of birth:", holder.born.strftime("%d/%m/%Y"))
    canvas.write((300, y), "Giới tính / Sex:", 21, colour=_LABEL)
    canvas.write((300, y + 30), holder.sex, 27, colour=_INK)
    canvas.write((560, y), "Quốc tịch / Nationality:", 21, colour=_LABEL)
    canvas.write((560, y + 30), "Việt Nam", 27, colour=_INK)
    return SyntheticDocument("id_card", canvas.bgr(), _truth(holder), back=_back_2024(rng, holder, with_qr))


def _back_2024(rng: random.Random, holder: SyntheticPerson, with_qr: bool) -> NDArray[np.uint8]:
    canvas = _card(rng, (230, 238, 240), (206, 222, 228))
    y = _wrapped(canvas, 24, "Nơi cư trú / Place of residence:", holder.residence, x=40, size=24)
    y = _wrapped(canvas, y, "Nơi đăng ký khai sinh / Place of birth:", holder.origin, x=40, size=24)
    y = _labelled(canvas, y, "Ngày, tháng, năm cấp / Date of issue:", holder.issued.strftime("%d/%m/%Y"), x=40)
    _labelled(canvas, y, "Ngày, tháng, năm hết hạn / Date of expiry:", holder.expires.strftime("%d/%m/%Y"), x=40)
    if with_qr:
        canvas.image.paste(_qr(qr_text(holder), 180), (800, 210))
    for index, line in enumerate(td1(holder)):
        canvas.write_monospace((40, 430 + 62 * index), line, width_px=930)
    return canvas.bgr()


def identity_card_old(seed: int) -> SyntheticDocument:
    """Giấy chứng minh nhân dân with nine digits, front."""
    rng = random.Random(seed)
    holder = person(rng)
    canvas = _card(rng, (226, 236, 214), (206, 220, 190))
    _republic(canvas, centre=640, english=False)
    canvas.write((640, 98), "GIẤY CHỨNG MINH NHÂN DÂN", 36, bold=True, colour=_RED, anchor="ma")
    canvas.portrait((50, 170, 270, 470), rng)
    canvas.write((640, 150), f"SỐ {holder.old_number}", 40, bold=True, colour=_RED, anchor="ma")
    y = _labelled(canvas, 222, "Họ tên:", holder.name.upper(), bold=True) + 10
    y = _labelled(canvas, y, "Sinh ngày:", holder.born.strftime("%d-%m-%Y")) + 10
    y = _wrapped(canvas, y, "Nguyên quán:", holder.origin)
    _wrapped(canvas, y, "Nơi ĐKHK thường trú:", holder.residence)
    truth = {
        "id_number": holder.old_number,
        "full_name": holder.name.upper(),
        "date_of_birth": holder.born.isoformat(),
        "address": holder.residence,
    }
    return SyntheticDocument("id_card", canvas.bgr(), truth)


def driver_licence(seed: int) -> SyntheticDocument:
    """Giấy phép lái xe, plastic, front."""
    rng = random.Random(seed)
    holder = person(rng)
    canvas = _card(rng, (244, 232, 200), (230, 214, 176))
    canvas.write((30, 28), "BỘ GTVT / MOT", 20, bold=True)
    _republic(canvas, centre=620, english=False)
    canvas.write((600, 100), "GIẤY PHÉP LÁI XE / DRIVER'S LICENSE", 30, bold=True, colour=_RED, anchor="ma")
    number = f"{holder.number[1:3]}{int(holder.female)}{holder.issued:%y}{rng.randint(0, 9999999):07d}"
    canvas.write((600, 148), f"Số / No: {number}", 30, bold=True, colour=_RED, anchor="ma")
    canvas.portrait((40, 170, 250, 450), rng)
    y = _labelled(canvas, 206, "Họ tên / Full name:", holder.name.upper(), bold=True)
    y = _labelled(canvas, y, "Ngày sinh / Date of Birth:", holder.born.strftime("%d/%m/%Y"))
    y = _labelled(canvas, y, "Quốc tịch / Nationality:", "VIỆT NAM")
    y = _wrapped(canvas, y, "Nơi cư trú / Address:", holder.residence)
    place = holder.residence.rsplit(", ", 1)[1]
    issued = holder.issued
    canvas.write(
        (980, y + 6),
        f"{place}, ngày / date {issued:%d} tháng / month {issued:%m} năm / year {issued:%Y}",
        20,
        anchor="ra",
    )
    canvas.write((40, 520), f"Hạng / Class: {rng.choice(('A1', 'B1', 'B2', 'C'))}", 28, bold=True)
    canvas.write((40, 575), f"Có giá trị đến / Expires: {holder.expires:%d/%m/%Y}", 22)
    truth = _truth(holder) | {
        "id_number": number,
        "address": holder.residence,
        "issue_date": issued.isoformat(),
        "expiry_date": holder.expires.isoformat(),
    }
    del truth["gender"]
    return SyntheticDocument("driver_license", canvas.bgr(), truth)
