"""Faces in pictures that lie on their side: found by a second look, and told where they are in the picture as sent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.core.face_turning import look_for_faces
from app.types import Box, Face, Image

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


@pytest.mark.parametrize("turned_by", [0, 1, 2, 3])
def test_a_face_is_told_where_it_is_in_the_picture_as_sent(turned_by: int) -> None:
    sent = np.ascontiguousarray(np.rot90(picture(), turned_by))
    look = look_for_faces(sent, detect)
    assert look.quarter_turns == -turned_by % 4
    box = look.as_sent(look.faces[0]).box
    inside = np.zeros(sent.shape[:2], bool)
    inside[round(box.y1) : round(box.y2), round(box.x1) : round(box.x2)] = True
    assert (inside == (sent[:, :, 0] == 255)).all()


def test_a_picture_with_faces_is_looked_at_once() -> None:
    looked_at = []

    def count(image: Image) -> Sequence[Face]:
        looked_at.append(image.shape)
        return detect(image)

    look_for_faces(picture(), count)
    assert len(looked_at) == 1


def test_where_there_is_no_face_there_is_none() -> None:
    look = look_for_faces(np.zeros((HEIGHT, WIDTH, 3), np.uint8), lambda _image: [])
    assert (list(look.faces), look.quarter_turns) == ([], 0)


def test_the_surest_view_counts_and_none_that_is_unsure() -> None:
    sent = np.ascontiguousarray(np.rot90(picture(), 2))

    def unsure(image: Image) -> Sequence[Face]:
        return [] if image is sent else [Face(Box(0, 0, 5, 5), score_of[image.shape], np.zeros((5, 2), np.float32))]

    score_of = {(WIDTH, HEIGHT, 3): 0.96, (HEIGHT, WIDTH, 3): 0.99}
    assert look_for_faces(sent, unsure).quarter_turns == 2
    score_of = {(WIDTH, HEIGHT, 3): 0.92, (HEIGHT, WIDTH, 3): 0.94}
    assert look_for_faces(sent, unsure).faces == ()


def test_a_box_that_reaches_out_of_the_picture_is_told_inside() -> None:
    look = look_for_faces(picture(), lambda _: [Face(Box(-5, -3, 70, 20), 0.9, np.zeros((5, 2), np.float32))])
    assert look.as_sent(look.faces[0]).box == Box(0, 0, WIDTH, 20)
