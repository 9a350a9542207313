"""Draw the pictures with which /docs tries operations out: a head, a room, and papers that never existed.

python scripts/draw_example_pictures.py    # writes app/api/example_pictures
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from synthetic_documents.cards import citizen_card_2024
from synthetic_documents.invoices import vat_invoice

FOLDER = Path(__file__).resolve().parents[1] / "app" / "api" / "example_pictures"
Plane: TypeAlias = NDArray[np.floating[Any]]
Colour: TypeAlias = tuple[float, float, float]  # blue, green, red

_HEAD_PX, _ROOM_PX = 640, (480, 640)
_SKIN: Colour = (150, 175, 222)
_HAIR: Colour = (28, 34, 48)


def _above(distance: Plane, edge: float) -> Plane:
    """A mask, 1 where ``distance`` is positive, with a soft edge of that width."""
    return np.asarray(1 / (1 + np.exp(-np.clip(distance / edge, -50, 50))), np.float32)


def _bump(x: Plane, y: Plane, width: float, height: float) -> Plane:
    return np.asarray(np.exp(-((x / width) ** 2 + (y / height) ** 2) / 2), np.float32)


def _paint(image: Plane, mask: Plane, colour: Colour | Plane) -> Plane:
    return np.asarray(image * (1 - mask[..., None]) + np.asarray(colour, np.float32) * mask[..., None], np.float32)


def _dark(share: float, colour: Colour = _SKIN) -> Colour:
    return colour[0] * share, colour[1] * share, colour[2] * share


def _relief(x: Plane, y: Plane, outline: Plane) -> Plane:
    """How far each point of the face stands out; the sides are alike."""
    side = np.abs(x)
    z = np.sqrt(np.clip(1.02 - outline, 0, None)) * 0.62
    ridge = 0.45 + 0.75 * np.clip((y + 0.2) / 0.38, 0, 1)
    z += 0.15 * np.exp(-((x / 0.075) ** 2) / 2) * _above(y + 0.16, 0.05) * _above(0.20 - y, 0.03) * ridge  # nose
    z += 0.085 * _bump(side - 0.085, y - 0.165, 0.045, 0.05)
    z -= 0.075 * _bump(side - 0.235, y + 0.10, 0.12, 0.075)  # eye sockets
    z += 0.035 * _bump(side - 0.24, y + 0.25, 0.16, 0.05)  # brows
    z += 0.045 * _bump(side - 0.33, y - 0.13, 0.13, 0.12)  # cheeks
    z += 0.05 * _bump(x, y - 0.40, 0.19, 0.075)  # mouth
    z += 0.05 * _bump(x, y - 0.65, 0.14, 0.09)  # chin
    return np.asarray(cv2.GaussianBlur(z, (0, 0), _HEAD_PX / 160), np.float32)


def _light(z: Plane) -> Plane:
    """The relief lit from the upper left, and a little from the right."""
    slope_y, slope_x = np.gradient(z, 2 / _HEAD_PX / 0.8)
    normal = np.dstack([-slope_x, -slope_y, np.ones_like(z)])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)

    def from_direction(*direction: float) -> Plane:
        return np.asarray(np.clip(normal @ (np.array(direction) / np.linalg.norm(direction)), 0, None), np.float32)

    return np.asarray(0.30 + 0.62 * from_direction(-0.35, -0.55, 0.9) + 0.18 * from_direction(0.8, 0, 0.6), np.float32)


def _mouth(image: Plane, x: Plane, y: Plane) -> Plane:
    side = np.abs(x)
    width = np.clip(1 - (side / 0.205) ** 2, 0, None)
    top = 0.395 - 0.042 * width**0.8 + 0.018 * np.exp(-((x / 0.035) ** 2))
    middle = 0.405 + 0.010 * width - 0.012 * (side / 0.2) ** 2
    bottom = 0.41 + 0.075 * width**0.9
    within = _above(0.2 - side, 0.008)
    image = _paint(image, 0.85 * _above(y - top, 0.006) * _above(middle - y, 0.004) * within, (78, 75, 134))
    image = _paint(image, 0.8 * _above(y - middle, 0.004) * _above(bottom - y, 0.008) * within, (106, 104, 182))
    return _paint(image, 0.85 * np.exp(-(((y - middle) / 0.007) ** 2)) * _above(0.205 - side, 0.01), (40, 34, 70))


def _eyes(image: Plane, x: Plane, y: Plane) -> Plane:
    across = np.abs(x) - 0.235
    width = np.clip(1 - (across / 0.118) ** 2, 0, None)
    upper, lower = -0.105 - 0.052 * width**0.75, -0.100 + 0.034 * width**0.9
    eye = _above(y - upper, 0.005) * _above(lower - y, 0.005) * _above(0.116 - np.abs(across), 0.006)
    image = _paint(image, eye, (222, 226, 230))
    inward = x - np.sign(x) * 0.235
    from_centre = np.hypot(inward, y + 0.118)
    image = _paint(image, eye * _above(0.052 - from_centre, 0.004), (30, 50, 82))
    image = _paint(image, eye * _above(0.024 - from_centre, 0.004), (12, 12, 14))
    image = _paint(image, eye * _above(0.012 - np.hypot(inward + 0.016, y + 0.134), 0.003), (250, 250, 250))
    lashes = 0.9 * np.exp(-(((y - upper) / 0.011) ** 2)) * _above(0.122 - np.abs(across), 0.008)
    image = _paint(image, lashes, (22, 24, 34))
    brow = -0.245 - 0.030 * np.clip(1 - ((across - 0.02) / 0.14) ** 2, 0, None)
    thickness = np.clip(0.026 - 0.05 * np.clip(across, 0, 1), 0.008, None)
    hairs = 0.85 * np.exp(-(((y - brow) / thickness) ** 2)) * _above(0.145 - np.abs(across), 0.012)
    return _paint(image, hairs, _HAIR)


def head() -> NDArray[np.uint8]:
    """Somebody who never existed, looking at the camera."""
    grid = np.mgrid[0:_HEAD_PX, 0:_HEAD_PX].astype(np.float32) / _HEAD_PX * 2 - 1
    x, y = grid[1] / 0.80, (grid[0] + 0.02) / 0.80
    side = np.abs(x)
    jaw = 0.60 - 0.17 * np.clip(y, 0, 1) ** 1.5 - 0.05 * np.clip(-y, 0, 1)
    outline = (x / jaw) ** 2 + (y / 0.86) ** 2
    crown = _above(1 - np.hypot(x / 0.72, (y + 0.16) / 0.88), 0.02)
    image = np.full((_HEAD_PX, _HEAD_PX, 3), (176, 168, 150), np.float32)
    image = _paint(image, crown * _above(0.45 - y, 0.03), _HAIR)
    image = _paint(
        image, _above(0.27 - side + 0.2 * np.clip(y - 0.75, 0, 1), 0.015) * _above(y - 0.45, 0.02), _dark(0.62)
    )
    image = _paint(image, _above(y - 0.93 - 0.25 * side**2 - 0.12 * np.exp(-((x / 0.2) ** 2)), 0.01), (120, 70, 40))
    image = _paint(image, _above(1 - np.hypot((side - 0.605) / 0.07, y / 0.16), 0.05), _dark(0.80))
    skin = np.asarray(_SKIN, np.float32) * _light(_relief(x, y, outline))[..., None]
    image = _paint(image, _above(1 - np.sqrt(outline), 0.012), skin)
    image = _paint(image, 0.75 * np.exp(-(((side - 0.06) / 0.028) ** 2) - ((y - 0.215) / 0.016) ** 2), _dark(0.25))
    image = _eyes(_mouth(image, x, y), x, y)
    fringe = _above(-0.60 + 0.42 * side**2.2 + 0.06 * np.sin(x * 9 + 0.6) - y, 0.02)
    image = _paint(image, fringe * crown, _HAIR)
    return np.clip(image, 0, 255).astype(np.uint8)


# Corners and colour of each part, from behind to the front.
_ROOM: tuple[tuple[tuple[tuple[int, int], ...], Colour], ...] = (
    (((0, 0), (640, 0), (640, 330), (0, 330)), (196, 212, 222)),  # wall
    (((0, 330), (640, 330), (640, 480), (0, 480)), (92, 122, 158)),  # floor
    (((0, 318), (640, 318), (640, 330), (0, 330)), (235, 238, 240)),
    (((60, 60), (210, 60), (210, 220), (60, 220)), (250, 246, 238)),  # window
    (((70, 70), (200, 70), (200, 210), (70, 210)), (236, 206, 160)),
    (((70, 150), (200, 140), (200, 210), (70, 210)), (120, 170, 120)),
    (((40, 46), (80, 46), (70, 260), (36, 260)), (150, 130, 110)),  # curtains
    (((190, 46), (230, 46), (234, 260), (200, 260)), (150, 130, 110)),
    (((290, 150), (600, 150), (600, 300), (290, 300)), (76, 102, 140)),  # bed
    (((270, 290), (610, 290), (640, 430), (230, 430)), (240, 240, 238)),
    (((230, 430), (640, 430), (640, 465), (236, 465)), (214, 214, 212)),
    (((252, 350), (628, 350), (640, 430), (230, 430)), (150, 96, 60)),
    (((230, 430), (640, 430), (640, 446), (232, 446)), (120, 76, 46)),
    (((300, 262), (308, 252), (422, 252), (430, 262), (428, 308), (306, 308)), (252, 252, 252)),  # pillows
    (((450, 262), (458, 252), (572, 252), (580, 262), (578, 308), (456, 308)), (252, 252, 252)),
    (((236, 286), (282, 286), (282, 360), (236, 360)), (56, 80, 116)),  # table and lamp
    (((254, 250), (264, 250), (262, 286), (256, 286)), (90, 110, 130)),
    (((238, 214), (280, 214), (290, 252), (228, 252)), (190, 226, 246)),
)


def room() -> NDArray[np.uint8]:
    """A made bed beside a window."""
    image = np.zeros((*_ROOM_PX, 3), np.uint8)
    for corners, colour in _ROOM:
        cv2.fillPoly(image, [np.array(corners, np.int32)], colour, cv2.LINE_AA)
    y, x = np.mgrid[0 : _ROOM_PX[0], 0 : _ROOM_PX[1]]
    light = 0.82 + 0.28 * np.exp(-(((x - 200) / 330) ** 2) - ((y - 180) / 300) ** 2)
    return np.asarray(np.clip(cv2.GaussianBlur(image, (0, 0), 1.2) * light[..., None], 0, 255), np.uint8)


def _scaled(image: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    height = round(image.shape[0] * width / image.shape[1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    jpeg, webp = cv2.IMWRITE_JPEG_QUALITY, cv2.IMWRITE_WEBP_QUALITY
    cv2.imwrite(str(FOLDER / "face.jpg"), _scaled(head(), 160), [jpeg, 60])
    cv2.imwrite(str(FOLDER / "room.jpg"), _scaled(room(), 256), [jpeg, 50])
    cv2.imwrite(str(FOLDER / "id_card.webp"), _scaled(_grey(citizen_card_2024(3).image), 600), [webp, 5])
    cv2.imwrite(str(FOLDER / "invoice.webp"), _scaled(_grey(vat_invoice(3, "english").image), 600), [webp, 5])


if __name__ == "__main__":
    main()
