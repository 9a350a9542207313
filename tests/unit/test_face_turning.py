"""Faces in pictures that lie on their side: found by a second look, and told where they are in the picture as sent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.core.face_turning import look_for_faces
from app.ml_models.factories.face import FaceEngines
from app.types import Box, Face, Image
from tests.photos import portrait

WIDTH, HEIGHT = 60, 40
MARK = (slice(5, 9), slice(40, 50))  # rows 5 to 9, columns 40 to 50


def picture() -> Image:
    """A white mark on black, wider than high, which is what counts as a face that stands upright."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[MARK] = 255
    return image


def detect(image: Image) -> Sequence[Face]:
    """The mark where it is wider than high and in the upper half."""
    rows, columns = np.nonzero(image[:, :, 0])
    box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    is_upright = box.width > box.height and box.y1 < image.shape[0] / 2
    return [Face(box, 0.99, np.zeros((5, 2), np.float32))] if is_upright else []


class Known:
    """A network that recognises as much as it is told of each view, by its shape and whether the mark is low in it."""

    plain_norm = 9.0

    def __init__(self, upright: float = 12.0, other: float = 5.0) -> None:
        self._upright, self._other = upright, other

    def norm_of(self, image: Image, face: Face) -> float:
        assert face.score > 0.8
        return self._upright if detect(image) else self._other


def unsure(image: Image) -> Sequence[Face]:
    """A face in every view, whichever way it stands; surer of the one that stands upright."""
    return [Face(Box(0, 0, 9, 9), 0.99 if detect(image) else 0.988, np.zeros((5, 2), np.float32))]


@pytest.mark.parametrize("turned_by", [0, 1, 2, 3])
def test_a_face_is_told_where_it_is_in_the_picture_as_sent(turned_by: int) -> None:
    sent = np.ascontiguousarray(np.rot90(picture(), turned_by))
    look = look_for_faces(sent, detect, Known())
    assert look.quarter_turns == -turned_by % 4
    box = look.as_sent(look.faces[0]).box
    inside = np.zeros(sent.shape[:2], bool)
    inside[round(box.y1) : round(box.y2), round(box.x1) : round(box.x2)] = True
    assert (inside == (sent[:, :, 0] == 255)).all()


@pytest.mark.parametrize("turned_by", [0, 1, 2, 3])
def test_a_face_that_is_found_on_its_side_is_turned_to_where_it_is_recognised(turned_by: int) -> None:
    sent = np.ascontiguousarray(np.rot90(picture(), turned_by))
    assert look_for_faces(sent, unsure, Known()).quarter_turns == -turned_by % 4


def test_a_face_that_no_view_makes_clearer_stays_as_it_was_sent() -> None:
    assert look_for_faces(picture(), unsure, Known(upright=7.0)).quarter_turns == 0


@pytest.mark.parametrize(("score", "norm", "looks"), [(0.9995, 0.0, 1), (0.95, 12.0, 1), (0.95, 7.0, 4)])
def test_only_a_face_that_is_neither_sure_nor_clear_costs_further_looks(score: float, norm: float, looks: int) -> None:
    looked_at = []

    def count(image: Image) -> Sequence[Face]:
        looked_at.append(image.shape)
        return [Face(Box(0, 0, 9, 9), score, np.zeros((5, 2), np.float32))]

    look_for_faces(picture(), count, Known(upright=norm))
    assert len(looked_at) == looks


def test_where_there_is_no_face_there_is_none() -> None:
    look = look_for_faces(np.zeros((HEIGHT, WIDTH, 3), np.uint8), lambda _image: [], Known())
    assert (list(look.faces), look.quarter_turns) == ([], 0)


def test_a_turned_view_counts_only_where_it_is_sure() -> None:
    sent = np.ascontiguousarray(np.rot90(picture(), 2))

    def vague(image: Image) -> Sequence[Face]:
        return [] if image is sent else [Face(Box(0, 0, 5, 5), 0.94, np.zeros((5, 2), np.float32))]

    assert look_for_faces(sent, vague, Known()).faces == []


def test_a_box_that_reaches_out_of_the_picture_is_told_inside() -> None:
    faces = [Face(Box(-5, -3, 70, 20), 0.9, np.zeros((5, 2), np.float32))]
    look = look_for_faces(picture(), lambda _: faces, Known())
    assert look.as_sent(look.faces[0]).box == Box(0, 0, WIDTH, 20)


@pytest.mark.parametrize("turned_by", [1, 2, 3])
def test_people_on_their_side_and_upside_down_are_turned(turned_by: int, face_engines: FaceEngines) -> None:
    engine, right = face_engines.recognition, 0
    for person in range(6):
        sent = np.ascontiguousarray(np.rot90(portrait(person), turned_by))
        right += look_for_faces(sent, engine.detect_dominant_faces, engine).quarter_turns == -turned_by % 4
    assert right == 6
