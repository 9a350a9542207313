"""What changed against a reference photo, on a photo that the tests change themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.core.room_analyzer import ChecklistItem, PhotoEvidence
from app.core.room_changes import Change, ChangeKind, compare, compare_best
from app.core.room_items import LookedFor, count_items, with_items
from app.core.room_views import SeenView, View
from app.core.scene_pictures import take_scene
from app.types import Box, Image
from tests.photos import astronaut, coffee

PLACE, OTHER = Box(60, 60, 150, 150), Box(330, 230, 420, 320)


def scene() -> Image:
    """A photo with much to see, 600 x 400."""
    return coffee()


def with_thing(image: Image, place: Box) -> Image:
    """A red and white chequered box, laid into it."""
    changed = image.copy()
    squares = np.indices((9, 9)).sum(axis=0) % 2
    board = np.where(squares[..., None], np.array([40, 40, 220]), np.array([250, 250, 250])).astype(np.uint8)
    size = (round(place.width), round(place.height))
    changed[round(place.y1) : round(place.y2), round(place.x1) : round(place.x2)] = cv2.resize(
        board, size, interpolation=cv2.INTER_NEAREST
    )
    return changed


def from_elsewhere(image: Image) -> tuple[Image, np.ndarray]:
    """The same from another position, nearer and in other light; and where its points went."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = np.array([[-20, -12], [width + 34, -30], [width + 12, height + 26], [-38, height + 14]], np.float32)
    homography = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(image, homography, (width, height)).astype(np.float32)
    return np.clip(seen * np.array([0.8, 0.85, 0.92]) + 6, 0, 255).astype(np.uint8), homography


def moved_place(place: Box, homography: np.ndarray) -> Box:
    corners = np.array([[[place.x1, place.y1], [place.x2, place.y2]]], np.float64)
    [[(x1, y1), (x2, y2)]] = cv2.perspectiveTransform(corners, homography)
    return Box(float(x1), float(y1), float(x2), float(y2))


def changes(reference: Image, photo: Image) -> list[Change]:
    compared = compare(take_scene(reference), take_scene(photo))
    assert compared is not None
    return list(compared.changes)


def test_nothing_changed_from_another_position_in_other_light() -> None:
    photo, _ = from_elsewhere(scene())
    compared = compare(take_scene(scene()), take_scene(photo))
    assert compared is not None
    assert compared.changes == ()
    assert compared.matches > 100
    assert compared.overlap > 0.9


@pytest.mark.parametrize("kind", [ChangeKind.ADDED, ChangeKind.MISSING])
def test_what_was_added_and_what_is_missing_is_told_with_its_place(kind: ChangeKind) -> None:
    full = with_thing(scene(), PLACE)
    reference, now = (scene(), full) if kind is ChangeKind.ADDED else (full, scene())
    photo, homography = from_elsewhere(now)
    [change] = changes(reference, photo)
    assert change.kind is kind
    assert change.confidence > 0.9
    assert change.box.iou(moved_place(PLACE, homography)) > 0.5
    assert change.reference_box.iou(PLACE) > 0.5


def test_a_thing_that_moved_is_told_once_with_both_places() -> None:
    photo, homography = from_elsewhere(with_thing(scene(), OTHER))
    [change] = changes(with_thing(scene(), PLACE), photo)
    assert change.kind is ChangeKind.MOVED
    assert change.box.iou(moved_place(OTHER, homography)) > 0.5
    assert change.reference_box.iou(PLACE) > 0.5


@pytest.mark.parametrize(
    "other", [astronaut(), np.full((400, 600, 3), 127, np.uint8), np.zeros((1, 1, 3), np.uint8)], ids=str
)
def test_another_scene_is_not_compared(other: Image) -> None:
    assert compare(take_scene(scene()), take_scene(other)) is None
    assert compare(take_scene(other), take_scene(scene())) is None


def test_the_reference_of_the_same_view_is_chosen() -> None:
    photo, _ = from_elsewhere(astronaut())
    best = compare_best([take_scene(scene()), take_scene(astronaut())], take_scene(photo))
    assert best is not None
    assert best[0] == 1


def test_a_place_of_the_reference_holds_or_does_not_or_is_out_of_sight() -> None:
    reference = with_thing(scene(), PLACE)
    photo, _ = from_elsewhere(scene())
    compared = compare(take_scene(reference), take_scene(photo))
    assert compared is not None
    assert compared.holds(PLACE) is False
    assert compared.holds(OTHER) is True
    assert compared.holds(Box(0, 0, 8, 8)) is None


# Counted things


def evidence() -> PhotoEvidence:
    return PhotoEvidence(0.99, SeenView(View.BATHROOM, 0.99, View.BATHROOM, {}), 0.02, {}, ())


NAMES = ["Towel", "Towel", "khăn", "soap"]


def seen(number: int, *, present: bool | None, photo: int = 0) -> LookedFor:
    return LookedFor(number, NAMES[number], photo, present, PLACE)


def test_things_are_counted_by_name_over_all_photos() -> None:
    looked_for = [seen(0, present=False), seen(0, present=True, photo=1), seen(1, present=False), seen(3, present=None)]
    assert [(one.name, one.expected, one.found, one.missing) for one in count_items(NAMES, looked_for)] == [
        ("Towel", 2, 1, 1),
        ("khăn", 1, 0, 0),
        ("soap", 1, 0, 0),
    ]


def test_one_that_is_gone_says_no_and_all_that_are_there_say_yes() -> None:
    gone = with_items([evidence(), evidence()], NAMES, [seen(2, present=False, photo=1), seen(3, present=True)])
    assert gone[0].sights.keys() == {ChecklistItem.AMENITIES_COMPLETE}
    assert gone[0].sights[ChecklistItem.AMENITIES_COMPLETE].value is True
    assert gone[1].sights[ChecklistItem.TOWELS_PRESENT].value is False
    assert gone[1].sights[ChecklistItem.TOWELS_PRESENT].box == PLACE
    there = with_items([evidence()], NAMES, [seen(number, present=True) for number in range(4)])
    assert {item: answer.value for item, answer in there[0].sights.items()} == {
        ChecklistItem.TOWELS_PRESENT: True,
        ChecklistItem.AMENITIES_COMPLETE: True,
    }


def test_what_was_not_all_seen_answers_nothing() -> None:
    told = with_items([evidence()], NAMES, [seen(0, present=True), seen(3, present=None)])
    assert told == [evidence()]
