"""The labelled photos, and pictures made of them."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from app.types import Box, Image

_GREY = 127


def read_labels(folder: Path) -> list[dict[str, str]]:
    """The rows of ``labels.csv``."""
    with (folder / "labels.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def files_by_person(folder: Path, rows: Sequence[Mapping[str, str]]) -> dict[str, list[Path]]:
    """Each person's photos in the order of the labels, people by name."""
    people: dict[str, list[Path]] = defaultdict(list)
    for row in rows:
        people[row["identity"]].append(folder / row["file"])
    return dict(sorted(people.items()))


def read_image(path: Path) -> Image:
    """A BGR picture. Raises ``FileNotFoundError`` where there is none that can be read."""
    image = cv2.imread(str(path))
    if image is None:
        raise FileNotFoundError(path)
    return image.astype(np.uint8, copy=False)


def on_canvas(image: Image, *, width: int = 640, height: int = 480) -> Image:
    """A tight crop in the middle of a grey frame, at its own size."""
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas


def unstretched(image: Image) -> Image:
    """A square that was stretched from an upright crop, at its proportions in the middle of a frame."""
    return on_canvas(cv2.resize(image, (160, 200), interpolation=cv2.INTER_LINEAR).astype(np.uint8))


def scaled(image: Image, factor: float) -> Image:
    """The picture at another size; by area where it shrinks."""
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=interpolation).astype(np.uint8, copy=False)


def pasted(background: Image, image: Image, face: Box, *, left: int, top: int) -> tuple[Image, Box]:
    """A copy of the background with the picture on it, and where the picture's face then is."""
    scene = background.copy()
    scene[top : top + image.shape[0], left : left + image.shape[1]] = image
    return scene, Box(face.x1 + left, face.y1 + top, face.x2 + left, face.y2 + top)
