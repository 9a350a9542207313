"""Pairs of photos with a known change: things laid into real photos of rooms, photographed again from elsewhere.

"Photographed again" is a random perspective, pixels that move by depth, other light and colour, noise and JPEG. The
things are cut out of product photos.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.core.room_changes import ChangeKind
from app.types import Box, FloatArray, Image

SOURCES = ("rooms", "rooms_places")
_WHITE = 235
_CORNER_SHARE = 0.06
_DEPTH_SHARE = 0.006
_AREAS = (0.01, 0.06)


@dataclass(frozen=True, slots=True)
class CutOut:
    """``mask``: (h, w) float32, 1 where ``image`` shows the thing."""

    image: Image
    mask: FloatArray


@dataclass(frozen=True, slots=True)
class ChangedPair:
    """A reference, a photo, and what changed between them; ``kind`` None: nothing. Boxes are places in the photo.

    ``before``: where in the photo a thing that moved, or is missing, stood.
    """

    reference: Image
    photo: Image
    kind: ChangeKind | None
    box: Box | None
    before: Box | None


def read_rooms(data: Path, source: str) -> list[Image]:
    """Photos of tidy rooms of that source; of rooms_places whole ones that were drawn at random."""
    if source == "rooms":
        paths = sorted((data / source / "clean").glob("*.jpg"))
    else:
        wanted = {"tidy": "tidy", "whole_room": "yes", "pick": "random"}
        with (data / source / "labels.csv").open(encoding="utf-8", newline="") as file:
            paths = [
                data / source / row["file"]
                for row in csv.DictReader(file)
                if row["room_type"] in ("bedroom", "bathroom") and all(row[name] == v for name, v in wanted.items())
            ]
    return [image.astype(np.uint8) for path in paths if (image := cv2.imread(str(path))) is not None]


def read_things(data: Path) -> list[CutOut]:
    """Product photos on white, without the white."""
    return [
        thing
        for path in sorted((data / "lost_found").rglob("*.jpg"))
        if (image := cv2.imread(str(path))) is not None
        if (thing := _cut_out(cv2.resize(image, (160, 160 * image.shape[0] // image.shape[1])).astype(np.uint8)))
    ]


def _cut_out(image: Image) -> CutOut | None:
    """None where the background is not white."""
    _, labels = cv2.connectedComponents((image.min(axis=2) > _WHITE).astype(np.uint8))
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    shown = (~np.isin(labels, rim[rim > 0])).astype(np.uint8)
    shown = cv2.morphologyEx(shown, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.uint8)
    if not 0.1 < shown.mean() < 0.8:
        return None
    x, y, width, height = cv2.boundingRect(shown)
    part = (slice(y, y + height), slice(x, x + width))
    return CutOut(image[part], shown[part].astype(np.float32))


def changed_pairs(rooms: Sequence[Image], things: Sequence[CutOut], *, seed: int) -> Iterator[ChangedPair]:
    """For each room a pair without a change, and one with each kind of change."""
    random = np.random.default_rng(seed)
    for room in rooms:
        yield _pair(room, room, None, None, None, random)
        for kind in (ChangeKind.ADDED, ChangeKind.MISSING, ChangeKind.MOVED):
            thing = things[int(random.integers(len(things)))]
            area = float(np.exp(random.uniform(*np.log(_AREAS))))
            with_thing, box = _lay(room, thing, random.uniform(0.2, 0.8, 2), area)
            if kind is ChangeKind.ADDED:
                yield _pair(room, with_thing, kind, box, None, random)
            elif kind is ChangeKind.MISSING:
                yield _pair(with_thing, room, kind, None, box, random)
            else:
                there, place = _lay(room, thing, _away_from(box, room, random), area)
                yield _pair(with_thing, there, kind, place, box, random)


def _away_from(box: Box, room: Image, random: np.random.Generator) -> FloatArray:
    height, width = room.shape[:2]
    centre = np.array([(box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height])
    drawn = random.uniform(0.2, 0.8, (100, 2))
    far = drawn[np.abs(drawn - centre).max(axis=1) >= 0.3]
    return np.asarray(far[0], np.float32)


def _lay(room: Image, thing: CutOut, at: npt.NDArray[np.floating], area: float) -> tuple[Image, Box]:
    """The room with the thing in it, its middle ``at`` that share of the sides, and its place."""
    height, width = room.shape[:2]
    factor = float(np.sqrt(area * height * width / thing.mask.sum()))
    size = (
        min(max(round(thing.image.shape[1] * factor), 4), width - 2),
        min(max(round(thing.image.shape[0] * factor), 4), height - 2),
    )
    image = cv2.resize(thing.image, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(thing.mask, size, interpolation=cv2.INTER_AREA)[..., None]
    x = int(np.clip(at[0] * width - size[0] / 2, 1, width - size[0] - 1))
    y = int(np.clip(at[1] * height - size[1] / 2, 1, height - size[1] - 1))
    laid = room.copy()
    place = laid[y : y + size[1], x : x + size[0]]
    place[:] = (image * mask + place * (1 - mask)).astype(np.uint8)
    return laid, Box(x, y, x + size[0], y + size[1])


def _pair(
    before: Image, after: Image, kind: ChangeKind | None, box: Box | None, gone: Box | None, random: np.random.Generator
) -> ChangedPair:
    height, width = before.shape[:2]
    still = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    elsewhere = _from_elsewhere(width, height, random)
    return ChangedPair(
        _photographed(before, (still[0], still[1]), random),
        _photographed(after, elsewhere, random),
        kind,
        _seen(box, elsewhere) if box else None,
        _seen(gone, elsewhere) if gone else None,
    )


def _from_elsewhere(width: int, height: int, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Where each pixel of the new photo lies in the old one: x and y, each (h, w)."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + random.uniform(-_CORNER_SHARE, _CORNER_SHARE, (4, 2)) * np.array([width, height])
    middle = np.array([width / 2, height / 2])
    # Nearer by as much as the corners move, so that no pixel lies outside of the old photo.
    moved = middle + (moved - middle) * (1 + 2 * _CORNER_SHARE)
    back = np.linalg.inv(cv2.getPerspectiveTransform(corners, moved.astype(np.float32)))
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    places = cv2.perspectiveTransform(np.dstack([xs, ys]).reshape(-1, 1, 2), back).reshape(height, width, 2)
    depth = random.normal(0, _DEPTH_SHARE * width, (2, 4, 4)).astype(np.float32)
    shift = [cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in depth]
    return (places[..., 0] + shift[0]).astype(np.float32), (places[..., 1] + shift[1]).astype(np.float32)


def _photographed(image: Image, places: tuple[FloatArray, FloatArray], random: np.random.Generator) -> Image:
    taken = cv2.remap(image, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT).astype(np.float32) / 255
    tint = random.uniform(0.75, 1.25) * random.uniform(0.93, 1.07, 3)
    from_one_side = 1 + random.uniform(-0.2, 0.2) * np.linspace(-1, 1, image.shape[1])[None, :, None]
    lit = taken ** random.uniform(0.85, 1.2) * tint * from_one_side * 255 + random.normal(0, 3, taken.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(70, 92))]
    _, encoded = cv2.imencode(".jpg", np.clip(lit, 0, 255).astype(np.uint8), quality)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _seen(box: Box, places: tuple[FloatArray, FloatArray]) -> Box | None:
    """Where a box of the old photo lies in the new one; None where hardly a pixel of it is left."""
    xs, ys = places
    ys_in, xs_in = np.nonzero((xs >= box.x1) & (xs < box.x2) & (ys >= box.y1) & (ys < box.y2))
    if len(xs_in) < 9:
        return None
    return Box(float(xs_in.min()), float(ys_in.min()), float(xs_in.max() + 1), float(ys_in.max() + 1))
