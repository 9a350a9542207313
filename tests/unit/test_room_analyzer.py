"""Rooms: evidence from photos with real weights, and the rules that make a verdict of evidence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.room_analyzer import DEPTHS, ChecklistItem, ItemAnswer, PhotoEvidence, RoomAnalyzer, RoomFinding
from app.core.room_rules import RoomRules, RoomStatus, RoomVerdict, judge_room
from app.ml_models.factories.room import build_room_analyzer
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Image, Severity
from tests.photos import astronaut, coffee

pytestmark = pytest.mark.slow

RULES = RoomRules(required=frozenset(), items_by_type={}, minutes={"bed_unmade": 10, "room_untidy": 15})


@pytest.fixture(scope="module")
def analyzer() -> RoomAnalyzer:
    return build_room_analyzer(ModelLoader(load_pack("compact"), WEIGHTS_DIR))


def photo(
    *,
    room: float = 0.99,
    untidy: float | None = 0.02,
    findings: tuple[RoomFinding, ...] = (),
    things: Mapping[str, float] | None = None,
    **sights: float,
) -> PhotoEvidence:
    """Evidence; each sight is the probability that the item is in order."""
    return PhotoEvidence(
        room=room,
        untidy=untidy,
        sights={ChecklistItem(name): ItemAnswer(value=p > 0.5, confidence=max(p, 1 - p)) for name, p in sights.items()},
        findings=findings,
        things=things or {},
    )


def finding(label: str = "bed_unmade", confidence: float = 0.95) -> RoomFinding:
    return RoomFinding(label, confidence, Severity.HIGH, None)


def judge(*photos: PhotoEvidence, room_type: str | None = None, **rules: object) -> RoomVerdict:
    values: Mapping[str, object] = {
        "required": RULES.required,
        "items_by_type": RULES.items_by_type,
        "minutes": RULES.minutes,
        **rules,
    }
    return judge_room(photos, RoomRules(**values), room_type=room_type)  # type: ignore[arg-type]


# Rules


def test_a_tidy_room_is_clean_and_ready() -> None:
    verdict = judge(photo(untidy=0.03))
    assert (verdict.status, verdict.ready_for_guest, verdict.uncertain) == (RoomStatus.CLEAN, True, False)
    assert verdict.confidence == pytest.approx(0.97)
    assert verdict.cleaning_minutes == 0


def test_an_untidy_room_is_dirty_and_costs_its_findings() -> None:
    verdict = judge(photo(untidy=0.97, findings=(finding("room_untidy"), finding("bed_unmade"))))
    assert (verdict.status, verdict.ready_for_guest) == (RoomStatus.DIRTY, False)
    assert verdict.cleaning_minutes == 25


@pytest.mark.parametrize("untidy", [0.11, 0.3, 0.5, 0.7, 0.89])
def test_the_grey_band_is_uncertain_and_never_ready(untidy: float) -> None:
    verdict = judge(photo(untidy=untidy))
    assert verdict.uncertain
    assert not verdict.ready_for_guest


def test_no_photo_of_a_room_is_uncertain_and_has_no_confidence() -> None:
    verdict = judge(photo(room=0.1))
    assert (verdict.uncertain, verdict.ready_for_guest, verdict.confidence) == (True, False, 0.0)


def test_a_photo_of_something_else_does_not_count_beside_a_room_and_is_named() -> None:
    verdict = judge(photo(room=0.1, untidy=None), photo(untidy=0.02))
    assert (verdict.status, verdict.ready_for_guest) == (RoomStatus.CLEAN, True)
    assert verdict.no_rooms == (0,)


@pytest.mark.parametrize("untidy", [0.02, 0.98])
def test_what_may_be_a_room_or_not_is_uncertain(untidy: float) -> None:
    verdict = judge(photo(room=0.7, untidy=untidy))
    assert (verdict.uncertain, verdict.ready_for_guest) == (True, False)


def test_a_doubtful_photo_does_not_spoil_tidy_ones_beside_it() -> None:
    assert judge(photo(room=0.7, untidy=0.05), photo(untidy=0.02)).ready_for_guest


def test_a_bathroom_alone_is_uncertain_and_beside_a_room_says_nothing_of_its_status() -> None:
    bathroom = photo(untidy=None, towels_present=0.95)
    assert judge(bathroom).uncertain
    assert not judge(bathroom).ready_for_guest
    verdict = judge(photo(untidy=0.02), bathroom)
    towels = verdict.checklist[ChecklistItem.TOWELS_PRESENT]
    assert verdict.ready_for_guest
    assert towels is not None
    assert (towels.value, towels.photo) == (True, 1)


def test_a_close_up_answers_its_item_and_things_are_told_from_where_they_are_surest() -> None:
    close_up = photo(room=0.1, untidy=None, things={"bath_towel": 0.9}, towels_present=0.9)
    verdict = judge(photo(untidy=0.02, things={"bath_towel": 0.4, "quilt": 0.5}), close_up)
    assert [(thing.label, thing.confidence, thing.photo) for thing in verdict.things] == [
        ("bath_towel", 0.9, 1),
        ("quilt", 0.5, 0),
    ]
    towels = verdict.checklist[ChecklistItem.TOWELS_PRESENT]
    assert towels is not None
    assert towels.photo == 1


def test_one_untidy_photo_makes_the_room_dirty() -> None:
    verdict = judge(photo(untidy=0.02), photo(untidy=0.96))
    assert (verdict.status, verdict.confidence) == (RoomStatus.DIRTY, pytest.approx(0.96))


def test_a_finding_or_an_open_no_keeps_a_clean_room_from_being_ready() -> None:
    assert not judge(photo(findings=(finding(),))).ready_for_guest
    assert not judge(photo(floor_clean=0.05)).ready_for_guest
    assert judge(photo(floor_clean=0.95)).ready_for_guest


def test_each_item_names_the_photo_that_decided_it() -> None:
    verdict = judge(photo(bed_made=0.93), photo(bed_made=0.98, floor_clean=0.92))
    bed, floor = verdict.checklist[ChecklistItem.BED_MADE], verdict.checklist[ChecklistItem.FLOOR_CLEAN]
    assert bed is not None
    assert (bed.value, bed.photo) == (True, 1)
    assert floor is not None
    assert floor.photo == 1
    assert verdict.checklist[ChecklistItem.TOWELS_PRESENT] is None
    assert set(verdict.not_seen) == {
        ChecklistItem.BATHROOM_CLEAN,
        ChecklistItem.TOWELS_PRESENT,
        ChecklistItem.AMENITIES_COMPLETE,
    }


def test_no_beats_yes_however_sure_the_yes_is() -> None:
    bed = judge(photo(bed_made=0.99), photo(bed_made=0.08)).checklist[ChecklistItem.BED_MADE]
    assert bed is not None
    assert (bed.value, bed.photo) == (False, 1)


def test_a_finding_is_told_once_from_the_photo_where_it_is_surest() -> None:
    verdict = judge(photo(findings=(finding(confidence=0.91),)), photo(findings=(finding(confidence=0.97),)))
    [placed] = verdict.findings
    assert (placed.photo, placed.finding.confidence) == (1, 0.97)
    assert verdict.cleaning_minutes == 10


def test_required_items_must_have_been_seen() -> None:
    required = frozenset({ChecklistItem.BED_MADE})
    assert not judge(photo(), required=required).ready_for_guest
    assert judge(photo(bed_made=0.95), required=required).ready_for_guest


def test_items_that_do_not_apply_are_neither_asked_nor_missing() -> None:
    rules = {"required": frozenset(ChecklistItem), "items_by_type": {"lounge": frozenset({ChecklistItem.FLOOR_CLEAN})}}
    verdict = judge(photo(floor_clean=0.95), room_type="lounge", **rules)
    assert verdict.ready_for_guest
    assert verdict.not_seen == ()
    assert set(verdict.not_applicable) == set(ChecklistItem) - {ChecklistItem.FLOOR_CLEAN}
    assert not judge(photo(floor_clean=0.95), room_type="suite", **rules).ready_for_guest


# Real weights


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("picture", [astronaut, coffee], ids=["astronaut", "coffee"])
def test_pictures_of_other_things_are_no_rooms(analyzer: RoomAnalyzer, picture: object, depth: str) -> None:
    image: Image = picture()  # type: ignore[operator]
    [evidence] = analyzer.inspect([image], depth=depth)
    assert evidence.room < 0.5
    assert evidence.untidy is None
    assert evidence.sights == {}
    assert evidence.findings == ()


@pytest.mark.parametrize("depth", DEPTHS)
def test_photos_are_judged_one_by_one(analyzer: RoomAnalyzer, depth: str) -> None:
    images = [astronaut(), coffee(), np.zeros((40, 90, 3), np.uint8)]
    together = analyzer.inspect(images, depth=depth)
    alone = [analyzer.inspect([image], depth=depth)[0] for image in images]
    assert [item.things for item in together] == [item.things for item in alone]
    assert [item.room for item in together] == pytest.approx([item.room for item in alone], abs=1e-4)


@pytest.mark.parametrize("depth", DEPTHS)
def test_real_rooms_are_told_apart_and_places_lie_in_the_photo(
    analyzer: RoomAnalyzer, eval_data: Path, depth: str
) -> None:
    for label, wanted in (("clean", RoomStatus.CLEAN), ("messy", RoomStatus.DIRTY)):
        images = [cv2.imread(str(path)) for path in sorted((eval_data / "rooms" / label).glob("*.jpg"))[:8]]
        found = analyzer.inspect([image.astype(np.uint8) for image in images if image is not None], depth=depth)
        assert all(item.room >= 0.5 for item in found)
        verdicts = [judge_room([item], RULES) for item in found]
        assert [verdict.status for verdict in verdicts].count(wanted) >= 7
        for item in found:
            for box in [found.box for found in item.findings if found.box]:
                assert 0 <= box.x1 < box.x2 <= 299
                assert 0 <= box.y1 < box.y2 <= 299
