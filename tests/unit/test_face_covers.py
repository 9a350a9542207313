"""Masks and dark glasses are seen, bare faces are left alone, and nobody is enrolled covered."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.random import Generator, default_rng

from app.core.face_covers import Cover, FaceCoverDetector
from app.ml_models.factories.face import FaceEngines
from app.types import Image
from scripts.heads.drawn_covers import draw_cap, draw_glasses, draw_hand, draw_mask
from tests.photos import astronaut, evaluation_data, group, masked_portrait, portrait

Draw = Callable[[Image, Generator], Image]


@pytest.fixture
def covers(face_engines: FaceEngines) -> FaceCoverDetector:
    assert face_engines.covers is not None
    return face_engines.covers


def people(engines: FaceEngines) -> list[Image]:
    """Aligned crops of seven bare faces."""
    faces = engines.recognition.detect_faces(group())
    [alone] = engines.recognition.detect_faces(astronaut())
    return [*engines.recognition.align(group(), faces), *engines.recognition.align(astronaut(), [alone])]


def test_bare_faces_have_no_cover(face_engines: FaceEngines, covers: FaceCoverDetector) -> None:
    assert covers.detect(people(face_engines)) == [None] * 7


@pytest.mark.parametrize("draw", [draw_mask, draw_hand])
def test_what_lies_over_mouth_and_nose_is_a_mask(
    face_engines: FaceEngines, covers: FaceCoverDetector, draw: Draw
) -> None:
    drawn = [draw(crop, default_rng(seed)) for seed, crop in enumerate(people(face_engines))]
    assert covers.detect(drawn).count(Cover.MASK) >= 6


@pytest.mark.parametrize("draw", [draw_glasses, draw_cap])
def test_what_lies_over_the_eyes_hides_them(face_engines: FaceEngines, covers: FaceCoverDetector, draw: Draw) -> None:
    drawn = [draw(crop, default_rng(seed)) for seed, crop in enumerate(people(face_engines))]
    assert covers.detect(drawn).count(Cover.EYES) >= 6


def test_several_crops_at_once_are_like_each_alone(face_engines: FaceEngines, covers: FaceCoverDetector) -> None:
    crops = people(face_engines)
    crops[::2] = [draw_mask(crop, default_rng(1)) for crop in crops[::2]]
    assert covers.detect(crops) == [covers.detect([crop])[0] for crop in crops]
    assert covers.detect([]) == []


def test_a_masked_face_is_not_enrolled(face_engines: FaceEngines) -> None:
    image = portrait(2)
    face = face_engines.recognition.detect_faces(image)[0]
    verdict = face_engines.gate.assess(masked_portrait(), [face])
    assert verdict.reason == "face_covered"
    assert "take off the mask" in verdict.message
    assert face_engines.gate.assess(image, [face]).reason is None


def test_worn_masks_are_seen(face_engines: FaceEngines, covers: FaceCoverDetector) -> None:
    """Photos that the heads were trained on: whether they are read as in the training, not how well they generalise."""
    folder = evaluation_data("faces_covered")
    found = seen = 0
    for path in sorted(folder.glob("chandrikadeb_c_*.jpg"))[::6]:
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        faces = face_engines.recognition.detect_dominant_faces(image)
        found += len(faces[:1])
        seen += covers.detect(face_engines.recognition.align(image, faces[:1])) == [Cover.MASK]
    assert found >= 10
    assert seen >= 0.8 * found
