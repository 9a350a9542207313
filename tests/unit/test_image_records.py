"""What is made of a picture and its details before any backend sees them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.services.image_filters import ImageFilter, normal_tags
from app.services.stores.image_store import ImageDetails, conditions_of
from app.services.vectors.milvus_expressions import image_expression, joined_tags
from app.utils.image_processing import bounded
from app.workflows.image_import import Imported, ImportJournal, find_pictures
from app.workflows.image_records import THUMBNAIL_PX, new_image_id

NEW_YEAR = datetime(2025, 1, 17, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("details", "pattern"),
    [
        (ImageDetails(category="room", room_number="201"), r"IMG_ROOM_201_20250117_[0-9a-f]{8}"),
        (ImageDetails(category="lost_found"), r"IMG_LF_20250117_[0-9a-f]{8}"),
        (ImageDetails(category="amenity"), r"IMG_AMENITY_20250117_[0-9a-f]{8}"),
    ],
)
def test_ids_tell_what_where_and_when(details: ImageDetails, pattern: str) -> None:
    assert re.fullmatch(pattern, new_image_id(details, NEW_YEAR))


@pytest.mark.parametrize(
    ("size", "small"), [((480, 640), (240, 320)), ((4000, 10), (320, 1)), ((320, 320), (320, 320)), ((5, 7), (5, 7))]
)
def test_thumbnails_keep_proportions_and_never_grow(size: tuple[int, int], small: tuple[int, int]) -> None:
    made = bounded(np.zeros((*size, 3), np.uint8), side_px=THUMBNAIL_PX)
    assert made.shape == (*small, 3)
    assert max(made.shape) <= THUMBNAIL_PX


def test_tags_are_compared_without_case_and_spaces() -> None:
    assert normal_tags(["  Ready  NOW ", "ready now", "", "a|b"]) == ("ready now", "a b")
    assert joined_tags(normal_tags(["Clean", "Deluxe"])) == "|clean|deluxe|"
    assert joined_tags([]) == ""


def test_a_filter_without_conditions_asks_for_everything() -> None:
    assert image_expression(ImageFilter()) == ""
    assert conditions_of(ImageFilter(), []) == []


def test_words_are_left_to_postgresql() -> None:
    wanted = ImageFilter(
        category="room", item_type="Bed ", tags=("Clean",), location="Floor 2", since=NEW_YEAR, before=NEW_YEAR
    )
    moment = int(NEW_YEAR.timestamp())
    assert image_expression(wanted) == (f'category == "room" and upload_time >= {moment} and upload_time < {moment}')
    arguments: list[object] = ["before"]
    assert len(conditions_of(wanted, arguments)) == 6
    assert arguments == ["before", "room", "bed", ["clean"], "floor 2", NEW_YEAR, NEW_YEAR]


@pytest.mark.parametrize("value", ['x" or "1" == "1', "back\\slash", "line\nbreak", "%"])
def test_values_cannot_leave_their_literal(value: str) -> None:
    expression = image_expression(ImageFilter(room_number=value))
    assert json.loads(expression.removeprefix("room_number == ")) == value


def test_the_journal_remembers_the_last_word_on_each_file(tmp_path: Path) -> None:
    journal = ImportJournal(tmp_path / "journal.jsonl")
    assert journal.read() == {}
    journal.append(Imported("a.jpg", "refused", reason="damaged"))
    journal.append(Imported("b.jpg", "indexed", image_id="IMG_1"))
    journal.append(Imported("a.jpg", "indexed", image_id="IMG_2"))
    with (tmp_path / "journal.jsonl").open("a") as stream:
        stream.write('{"file": "c.j')  # cut short
    assert journal.read() == {
        "a.jpg": Imported("a.jpg", "indexed", image_id="IMG_2"),
        "b.jpg": Imported("b.jpg", "indexed", image_id="IMG_1"),
    }


def test_pictures_are_found_by_suffix_and_not_in_hidden_places(tmp_path: Path) -> None:
    for name in ("b.JPG", "sub/a.png", ".hidden/c.jpg", ".d.jpg", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [path.name for path in find_pictures(tmp_path)] == ["b.JPG", "a.png"]
