"""Room heads: what a photo shows, and training that judges each photo by heads that never saw its scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.core.heads import LinearHead, Pooling
from app.core.looks import DETAILED, QUICK
from app.core.room_views import Subject, View, ViewHeads, classify_view
from scripts.rooms.known import KnownRooms
from scripts.rooms.photos import LabelledRoom
from scripts.rooms.rows import LookRows
from scripts.rooms.training import RoomQuestion, folds_of, judge_head

QUESTION = RoomQuestion("bed_visible", l2=1e-3, each_view=True)


def head(name: str) -> LinearHead:
    return LinearHead(name, np.zeros(2, np.float32), 0.0, Pooling.MEAN, {})


HEADS = ViewHeads(
    shown=head("shown"),
    detail=head("detail"),
    kinds={View.BEDROOM: head("bedroom"), View.BATHROOM: head("bathroom")},
    subjects={Subject.BED: head("bed")},
)


@pytest.mark.parametrize(
    ("said", "view", "room"),
    [
        ({"bedroom": 0.9, "bathroom": 0.2}, View.BEDROOM, View.BEDROOM),
        ({"bedroom": 0.1, "bathroom": 0.8, "detail": 0.7}, View.DETAIL, View.BATHROOM),
        ({"bedroom": 0.4, "bathroom": 0.3}, View.OTHER_ROOM, View.OTHER_ROOM),
    ],
)
def test_a_view_is_the_likeliest_kind_or_a_detail_of_it(said: Mapping[str, float], view: View, room: View) -> None:
    seen = classify_view(lambda asked: said.get(asked.name, 0.0), HEADS, shown=0.95)
    assert (seen.view, seen.room) == (view, room)


def test_where_no_room_is_shown_nothing_is_visible() -> None:
    seen = classify_view(lambda _asked: 0.99, HEADS, shown=0.2)
    assert (seen.view, seen.room, seen.confidence) == (View.NOT_A_ROOM, None, pytest.approx(0.8))
    assert not seen.shows(Subject.BED, at_least=0.0001)


def photos_and_rows(each: int = 30) -> tuple[list[LabelledRoom], LookRows]:
    """Two sources; the first number of a row gives the answer away. Photos 0 and 1 are of one scene."""
    rng = np.random.default_rng(0)
    answers = [index % 2 == 0 for index in range(4 * each)]
    photos = [
        LabelledRoom(
            Path(f"{index}.jpg"),
            "set",
            f"source {index // (2 * each)}",
            f"s{max(index, 1)}",
            "bedroom",
            {"bed_visible": yes, "room_shown": yes},
        )
        for index, yes in enumerate(answers)
    ]
    rows = rng.normal(size=(len(photos), 40)).astype(np.float32)
    rows[:, 0] = np.where(answers, 4.0, -4.0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return photos, LookRows({QUICK: rows[:, None], DETAILED: rows[:, None]}, {QUICK: rows, DETAILED: rows})


def test_photos_of_one_scene_stand_in_one_fold() -> None:
    groups, folds = folds_of(*photos_and_rows())
    assert (groups[0], folds[0]) == (groups[1], folds[1])
    assert len(set(folds)) == 5


def test_a_head_is_judged_on_unseen_scenes_and_sources() -> None:
    photos, rows = photos_and_rows()
    judged = judge_head(QUESTION, photos, rows)
    assert judged.by_scene[QUICK].balanced_accuracy > 0.95
    assert {share.name for share in judged.by_source if share.value > 0.9} == {
        f"{look}: found, source {number}" for look in (QUICK, DETAILED) for number in (0, 1)
    }
    assert judged.counts == {"source 0": (30, 30), "source 1": (30, 30)}
    assert len({one.bias for one in judged.fold_heads.values()}) == 5


def test_known_rooms_are_judged_on_sources_that_are_not_among_them() -> None:
    photos, rows = photos_and_rows(each=60)
    photos[180:] = [replace(photo, source="source 2") for photo in photos[180:]]
    rooms = KnownRooms(photos, rows)
    yes = np.array([photo.answers["room_shown"] for photo in photos])
    assert rooms.known_unseen()[yes].mean() > 0.9
    assert not rooms.known_unseen()[~yes].any()
    named = {
        share.name: share for share in rooms.shares(judge_head(RoomQuestion("room_shown", 1e-3, False), photos, rows))
    }
    assert named["quick: rooms of source 1: said to be a room too"].value > 0.9
    assert named["others of source 1: like rooms of other sources"].value == 0


def test_known_rooms_need_a_second_source() -> None:
    photos, rows = photos_and_rows()
    with pytest.raises(ValueError, match="two sources"):
        KnownRooms(photos, rows).among(np.array([photo.source == "source 0" for photo in photos]))
