"""The data page of a Vietnamese passport."""

from __future__ import annotations

import random

from synthetic_documents.base import Canvas, SyntheticDocument, families
from synthetic_documents.mrz_lines import td3
from synthetic_documents.people import person

_LABEL, _INK = (90, 80, 110), (20, 20, 30)


def passport(seed: int) -> SyntheticDocument:
    """A data page with its machine-readable zone."""
    rng = random.Random(seed)
    holder = person(rng)
    number = f"{rng.choice('BCPEK')}{rng.randint(0, 99999999):08d}"[: rng.choice((8, 9))]
    canvas = Canvas(1200, 840, family=rng.choice(families()), background=(232, 228, 240))
    canvas.guilloche(rng, (214, 208, 228))
    canvas.write(
        (600, 22), "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM / SOCIALIST REPUBLIC OF VIET NAM", 23, bold=True, anchor="ma"
    )
    canvas.write((60, 70), "HỘ CHIẾU / PASSPORT", 28, bold=True)
    canvas.portrait((60, 150, 320, 480), rng)
    sex = f"{holder.sex.upper()} / {'F' if holder.female else 'M'}"
    issued, expires = f"{holder.issued:%d / %m / %Y}", f"{holder.expires:%d / %m / %Y}"
    rows = (
        (("Loại / Type", "P"), ("Mã số / Code", "VNM"), ("Số hộ chiếu / Passport No", number)),
        (("Họ và tên / Full name", holder.name.upper()),),
        (("Quốc tịch / Nationality", "VIỆT NAM / VIETNAMESE"), None, ("Giới tính / Sex", sex)),
        (("Ngày sinh / Date of birth", f"{holder.born:%d / %m / %Y}"), None, ("Số GCMND / ID card No", holder.number)),
        (("Nơi sinh / Place of birth", holder.origin.rsplit(", ", 1)[1].upper()),),
        (("Ngày cấp / Date of issue", issued), None, ("Có giá trị đến / Date of expiry", expires)),
    )  # fmt: skip
    for index, row in enumerate(rows):
        y = 112 + index * 84
        for column, cell in enumerate(row):
            if cell:
                x = (360, 600, 800)[column]
                canvas.write((x, y), cell[0], 19, colour=_LABEL)
                canvas.write((x, y + 27), cell[1], 28, bold=True, colour=_INK)
    for index, line in enumerate(td3(holder, number)):
        canvas.write_monospace((50, 680 + 66 * index), line, width_px=1100)
    truth = {
        "id_number": number,
        "full_name": holder.name.upper(),
        "date_of_birth": holder.born.isoformat(),
        "gender": "Female" if holder.female else "Male",
        "nationality": "Vietnamese",
        "issue_date": holder.issued.isoformat(),
        "expiry_date": holder.expires.isoformat(),
    }
    return SyntheticDocument("passport", canvas.bgr(), truth)
