"""Rooms: evidence from photos with real weights, and the rules that make a verdict of evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.core.room_analyzer import DEPTHS, ChecklistItem, ItemAnswer, PhotoEvidence, RoomAnalyzer, RoomFinding
from app.core.room_proofs import RequiredView
from app.core.room_rules import RoomRules, RoomStatus, RoomVerdict, judge_room
from app.core.room_views import SeenView, Subject, View
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.factories.room import ROOM_HEADS, build_room_analyzer, room_classes, room_heads
from app.ml_models.heads import load_heads, views_of, write_head
from app.ml_models.known_views import KNOWN_ROOMS, read_known_views
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
    view: View = View.BEDROOM,
    bed: float = 0.99,
    floor: float = 0.99,
    in_doubt: bool = False,
    untidy: float | None = 0.02,
    findings: tuple[RoomFinding, ...] = (),
    things: Mapping[str, float] | None = None,
    **sights: float,
) -> PhotoEvidence:
    """Evidence; each sight is the probability that the item is in order."""
    if untidy is not None and untidy > 0.5 and not findings:
        findings = (finding("room_untidy", untidy),)
    if room < 0.5:
        view = View.NOT_A_ROOM
    return PhotoEvidence(
        room=room,
        seen=SeenView(view, max(room, 1 - room), view, {Subject.BED: bed, Subject.FLOOR: floor}),
        in_doubt=in_doubt,
        untidy=untidy,
        sights={ChecklistItem(name): ItemAnswer(value=p > 0.5, confidence=max(p, 1 - p)) for name, p in sights.items()},
        findings=findings,
        things=things or {},
    )


def finding(label: str = "bed_unmade", confidence: float = 0.95) -> RoomFinding:
    return RoomFinding(label, confidence, Severity.HIGH, None)


def judge(
    *photos: PhotoEvidence, room_type: str | None = None, earlier: RoomVerdict | None = None, **rules: object
) -> RoomVerdict:
    values: Mapping[str, object] = {
        "required": RULES.required,
        "items_by_type": RULES.items_by_type,
        "minutes": RULES.minutes,
        **rules,
    }
    proven = earlier.proofs if earlier else None
    return judge_room(photos, RoomRules(**values), room_type=room_type, earlier=proven)  # type: ignore[arg-type]


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


def test_no_photo_of_a_room_decides_nothing_and_says_why() -> None:
    verdict = judge(photo(room=0.1, untidy=None))
    assert (verdict.status, verdict.ready_for_guest, verdict.confidence) == (None, False, 0.0)
    assert verdict.message is not None
    assert "None of the photos shows a room" in verdict.message


@pytest.mark.parametrize("view", [View.BATHROOM, View.CORRIDOR, View.DETAIL])
def test_a_tidy_part_decides_nothing(view: View) -> None:
    verdict = judge(photo(view=view, untidy=0.01 if view is View.BATHROOM else None))
    assert (verdict.status, verdict.ready_for_guest) == (None, False)
    assert verdict.message is not None
    assert "No photo shows enough" in verdict.message


def test_a_dirty_bathroom_makes_the_room_dirty_with_its_tag() -> None:
    against = finding("bathroom_untidy", 0.93)
    verdict = judge(photo(untidy=0.02), photo(view=View.BATHROOM, untidy=0.93, findings=(against,)))
    assert (verdict.status, verdict.confidence) == (RoomStatus.DIRTY, 0.93)
    assert [(placed.finding.label, placed.photo) for placed in verdict.findings] == [("bathroom_untidy", 1)]


@pytest.mark.parametrize(
    "unseen", [{"bed": 0.3}, {"floor": 0.3}, {"in_doubt": True}, {"view": View.OTHER_ROOM, "bed": 0.0}]
)
def test_one_photo_makes_ready_only_with_bed_and_floor_in_sight_and_no_doubt(unseen: dict[str, Any]) -> None:
    verdict = judge(photo(**unseen))
    assert (verdict.status, verdict.ready_for_guest) == (RoomStatus.CLEAN, False)
    assert judge(photo(**unseen), photo()).ready_for_guest


BED_AND_BATHROOM: dict[str, Any] = {"views_by_type": {"*": (RequiredView.BED, RequiredView.BATHROOM), "dormitory": ()}}


def bathroom(untidy: float = 0.02, **fields: Any) -> PhotoEvidence:
    return photo(view=View.BATHROOM, untidy=untidy, **fields)


def test_views_that_are_asked_for_make_a_room_ready_together() -> None:
    alone = judge(photo(), **BED_AND_BATHROOM)
    assert (alone.status, alone.ready_for_guest) == (RoomStatus.CLEAN, False)
    assert alone.views_missing == (RequiredView.BATHROOM,)
    together = judge(photo(), bathroom(), **BED_AND_BATHROOM)
    assert (together.ready_for_guest, together.views_missing) == (True, ())
    assert judge(photo(), room_type="dormitory", **BED_AND_BATHROOM).ready_for_guest


def test_views_before_count_whatever_came_first() -> None:
    bed, bath = judge(photo(untidy=0.04), **BED_AND_BATHROOM), judge(bathroom(), **BED_AND_BATHROOM)
    assert (bath.status, bath.views_missing) == (None, (RequiredView.BED,))
    assert judge(photo(), earlier=bath, **BED_AND_BATHROOM).ready_for_guest
    completed = judge(bathroom(), earlier=bed, **BED_AND_BATHROOM)
    assert (completed.status, completed.ready_for_guest, completed.message) == (RoomStatus.CLEAN, True, None)
    assert completed.confidence == pytest.approx(0.96)
    assert not judge(bathroom(), earlier=bed).ready_for_guest


@pytest.mark.parametrize(
    "last", [photo(view=View.DETAIL, untidy=None), photo(view=View.CORRIDOR, untidy=None), bathroom(0.3)]
)
def test_what_shows_no_view_in_order_completes_nothing(last: PhotoEvidence) -> None:
    bed = judge(photo(), **BED_AND_BATHROOM)
    verdict = judge(last, earlier=bed, **BED_AND_BATHROOM)
    assert (verdict.status, verdict.ready_for_guest) == (None, False)
    assert verdict.views_missing == (RequiredView.BATHROOM,)


@pytest.mark.parametrize("unseen", [{"bed": 0.3}, {"floor": 0.3}, {"in_doubt": True}, {"room": 0.8}, {"untidy": 0.2}])
def test_a_bed_that_is_not_surely_in_order_is_no_proof(unseen: dict[str, Any]) -> None:
    verdict = judge(photo(**unseen), bathroom(), **BED_AND_BATHROOM)
    assert not verdict.ready_for_guest
    assert RequiredView.BED in verdict.views_missing


@pytest.mark.parametrize("last", [photo(untidy=0.6), photo(untidy=0.3), photo(towels_present=0.02)])
def test_dirt_doubt_and_what_does_not_hold_void_what_was_shown(last: PhotoEvidence) -> None:
    bath = judge(bathroom(), **BED_AND_BATHROOM)
    verdict = judge(last, earlier=bath, **BED_AND_BATHROOM)
    assert verdict.disproves
    assert not verdict.ready_for_guest
    assert RequiredView.BATHROOM in verdict.views_missing


def test_a_dirty_room_proves_nothing_though_its_bathroom_is_tidy() -> None:
    verdict = judge(photo(untidy=0.97), bathroom(), **BED_AND_BATHROOM)
    assert verdict.proofs == {}
    assert verdict.views_missing == (RequiredView.BED, RequiredView.BATHROOM)


def test_items_that_must_hold_count_with_the_views_before() -> None:
    rules: dict[str, Any] = {"required": frozenset({ChecklistItem.TOWELS_PRESENT}), **BED_AND_BATHROOM}
    bath = judge(bathroom(towels_present=0.95), **rules)
    assert judge(photo(), earlier=bath, **rules).ready_for_guest
    assert not judge(photo(), earlier=judge(bathroom(), **rules), **rules).ready_for_guest


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


def test_a_tidy_bathroom_beside_a_room_answers_its_items() -> None:
    bathroom = photo(view=View.BATHROOM, untidy=0.02, towels_present=0.95)
    verdict = judge(photo(untidy=0.02), bathroom)
    towels = verdict.checklist[ChecklistItem.TOWELS_PRESENT]
    assert verdict.ready_for_guest
    assert towels is not None
    assert (towels.value, towels.photo) == (True, 1)


def test_a_close_up_answers_its_item_and_things_are_told_from_where_they_are_surest() -> None:
    close_up = photo(view=View.DETAIL, untidy=None, things={"bath_towel": 0.9}, towels_present=0.9)
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
    rules: dict[str, Any] = {
        "required": frozenset(ChecklistItem),
        "items_by_type": {"lounge": frozenset({ChecklistItem.FLOOR_CLEAN})},
    }
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
    assert evidence.seen.view is View.NOT_A_ROOM
    assert evidence.untidy is None
    assert evidence.sights == {}
    assert evidence.findings == ()


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_photo_like_none_that_taught_is_no_room_and_never_surely(eval_data: Path, depth: str) -> None:
    loader = ModelLoader(load_pack("compact"), WEIGHTS_DIR)
    extractor = build_feature_extractor(loader)
    heads = room_heads(load_heads(*ROOM_HEADS, model_id=extractor.model_id), own={})
    shipped = read_known_views(KNOWN_ROOMS, model_id=extractor.model_id)
    bedroom = cv2.imread(str(sorted((eval_data / "rooms" / "clean").glob("*.jpg"))[0]))
    assert bedroom is not None
    seen = {}
    for name, known in (("shipped", shipped), ("strange", replace(shipped, farthest=0.01)), ("any", None)):
        looking = RoomAnalyzer(extractor, heads=heads, classes=room_classes(), known=known)
        [seen[name]] = looking.inspect([bedroom.astype(np.uint8)], depth=depth)
    assert seen["shipped"] == seen["any"]
    assert seen["shipped"].seen.view is not View.NOT_A_ROOM
    assert (seen["strange"].seen.view, seen["strange"].untidy, seen["strange"].findings) == (View.NOT_A_ROOM, None, ())
    assert seen["strange"].seen.confidence < 0.7


def test_a_hotel_that_taught_what_a_room_is_has_no_unknown_ones(tmp_path: Path) -> None:
    """Its head says yes to everything, and is asked alone."""
    loader = ModelLoader(load_pack("compact"), WEIGHTS_DIR)
    level = TwoSlopeCalibration(midpoint=-9.0, slope_below=1.0, slope_above=1.0)
    calibrations = dict.fromkeys(DEPTHS, level)
    own = LinearHead("room_shown", np.zeros(1280, np.float32), 0.0, Pooling.MEAN, calibrations)
    model_id = loader.spec("image_features").model_id
    write_head(tmp_path / "room_shown.json", own, model_id=model_id, facts={"views": views_of(DEPTHS)})
    [evidence] = build_room_analyzer(loader, own_heads_dir=tmp_path).inspect([coffee()], depth=DEPTHS[0])
    assert evidence.room > 0.9


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
