"""The pictures with which Swagger UI tries operations out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.api import examples
from app.ml_models.factories.face import FaceEngines
from app.types import Image

FOLDER = Path(examples.__file__).with_name("example_pictures")
MAX_BYTES = 6144  # 8 KiB as base64


def picture(name: str) -> Image:
    image = cv2.imread(str(FOLDER / name))
    assert image is not None
    return image.astype(np.uint8)


def test_an_example_that_names_a_picture_holds_it() -> None:
    example = examples.with_pictures({"images": ["picture:face.jpg"], "note": "a picture: none"})
    assert example["images"][0].startswith("/9j/")
    assert example["note"] == "a picture: none"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_a_picture_is_small_and_can_be_read(name: str) -> None:
    assert (FOLDER / name).stat().st_size <= MAX_BYTES
    assert min(picture(name).shape[:2]) >= 150


def test_the_drawn_face_can_be_enrolled(face_engines: FaceEngines) -> None:
    image = picture("face.jpg")
    verdict = face_engines.gate.assess(image, face_engines.recognition.detect_faces(image))
    assert verdict.reason is None
    assert verdict.face is not None
