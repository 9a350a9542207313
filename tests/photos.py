"""Photos for tests: those that packages ship, and variations of them. Third-party photos stay outside the project."""

from __future__ import annotations

import base64
import importlib.util
import os
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.types import Image

# Where the six faces of insightface's group photo are: centre x, centre y, width of the head, in pixels.
_HEADS = ((107, 330, 126), (319, 209, 124), (518, 341, 143), (797, 410, 132), (953, 129, 149), (1179, 336, 130))


def _package_dir(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@cache
def group() -> Image:
    """Six people, looking at the camera."""
    path = _package_dir("insightface") / "data" / "images" / "t1.jpg"
    image = cv2.imread(str(path))
    assert image is not None
    return image.astype(np.uint8)


@cache
def astronaut() -> Image:
    """One person, 512 x 512."""
    image = cv2.imread(str(_package_dir("skimage") / "data" / "astronaut.png"))
    assert image is not None
    return image.astype(np.uint8)


def coffee() -> Image:
    """A cup: a picture without a face."""
    image = cv2.imread(str(_package_dir("skimage") / "data" / "coffee.png"))
    assert image is not None
    return image.astype(np.uint8)


def cat() -> Image:
    """A cat's head."""
    image = cv2.imread(str(_package_dir("skimage") / "data" / "chelsea.png"))
    assert image is not None
    return image.astype(np.uint8)


@cache
def portrait(person: int) -> Image:
    """One of the six people of the group photo alone, upscaled to 480 x 480."""
    x, y, size = _HEADS[person]
    half = round(size * 0.95)
    whole = cv2.copyMakeBorder(group(), half, half, half, half, cv2.BORDER_REPLICATE)
    cut = whole[y : y + 2 * half, x : x + 2 * half]
    return cv2.resize(cut, (480, 480), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def read_photo(path: Path) -> Image:
    """A photo that cv2 can read."""
    image = cv2.imread(str(path))
    assert image is not None, path
    return image.astype(np.uint8)


@cache
def masked_portrait() -> Image:
    """``portrait(2)`` with a blue cloth drawn over nose, mouth and chin."""
    covered = portrait(2).copy()
    outline = np.array([(146, 240), (229, 253), (310, 284), (289, 320), (240, 358), (180, 342), (151, 283)])
    cv2.fillPoly(covered, [outline.astype(np.int32)], (190, 150, 110))
    return covered


def varied(image: Image, *, gain: float = 0.85, angle_deg: float = 4.0, scale: float = 0.9) -> Image:
    """The same scene, darker, tilted and smaller, on grey: another photo, as far as one can be made."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, scale)
    turned = cv2.warpAffine(image, matrix, (width, height), borderValue=(127, 127, 127))
    return np.clip(turned.astype(np.float32) * gain + 8, 0, 255).astype(np.uint8)


def jpeg(image: Image, *, quality: int = 92) -> bytes:
    """The picture as a JPEG file."""
    ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return data.tobytes()


def base64_jpeg(image: Image) -> str:
    """The picture as the spec's requests carry it."""
    return base64.b64encode(jpeg(image)).decode()


def evaluation_data(folder: str) -> Path:
    """A folder of the evaluation photos; skips the test where they are not at hand."""
    root = os.environ.get("CV_EVAL_DATA")
    if not root or not (Path(root) / folder).is_dir():
        pytest.skip(f"CV_EVAL_DATA names no folder with {folder}")
    return Path(root) / folder
