"""Masks and zones: what a detector is shown, and what counts of what it finds."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import pytest

from app.config import WEIGHTS_DIR
from app.core.anomalies import Anomaly, AnomalyDetector, AnomalyType, Examination, Suspect
from app.core.usual_scene import UsualScene
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Box, Image
from app.workflows.safety.areas import Area, Areas, examine_in_areas
from app.workflows.safety.zones import Zone, make_zone
from tests.photos import evaluation_data, read_photo

FIRE, SMOKE, FLOOD, PERSON = AnomalyType.FIRE, AnomalyType.SMOKE, AnomalyType.FLOOD, AnomalyType.INTRUSION
LEFT = make_zone("left", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)])
WHOLE = make_zone("whole", [(0, 0), (1, 0), (1, 1), (0, 1)])


class RedDetector:
    """Finds every type where a picture has red pixels, in their box, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []

    def warm_up(self) -> None:
        """Nothing to warm."""

    @property
    def views_id(self) -> str:
        return "red"

    def examine(self, image: Image, types: Set[AnomalyType], usual: UsualScene | None = None) -> Examination:
        del usual
        self.asked.append({kind.value for kind in types})
        rows, columns = np.nonzero(image[:, :, 2] > 200)
        if not len(rows):
            return Examination([])
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        suspects = (Suspect(0, np.ones(1, np.float32), frozenset(types)),)
        anomalies = [Anomaly(kind, 0.9, box, reaches_alert=True) for kind in sorted(types)]
        scores = {kind.value: float(len(rows)) for kind in types}
        return Examination(anomalies, suspects, frozenset(types), scores)


def picture(*, red_from_x: int, red_to_x: int) -> Image:
    """100 by 100 grey, with a red band."""
    image = np.full((100, 100, 3), 100, np.uint8)
    image[40:60, red_from_x:red_to_x] = (0, 0, 255)
    return image


@pytest.fixture(scope="module")
def detector() -> AnomalyDetector:
    """The shipped heads."""
    return build_anomaly_detector(ModelLoader(load_pack("compact"), WEIGHTS_DIR))


def found(image: Image, types: set[AnomalyType], areas: Areas) -> tuple[list[str], list[set[str]]]:
    red = RedDetector()
    return [one.type.value for one in examine_in_areas(red, image, types, areas).anomalies], red.asked


def test_without_areas_the_picture_is_looked_at_once() -> None:
    assert found(picture(red_from_x=10, red_to_x=20), {FIRE, FLOOD}, Areas()) == (
        ["fire", "flood"],
        [{"fire", "flood"}],
    )


def test_a_mask_hides_its_part_for_its_types_alone() -> None:
    areas = Areas(masks=(Area(LEFT, (FIRE,)),))
    types, asked = found(picture(red_from_x=10, red_to_x=20), {FIRE, FLOOD}, areas)
    assert (types, sorted(map(sorted, asked))) == (["flood"], [["fire"], ["flood"]])
    assert found(picture(red_from_x=70, red_to_x=80), {FIRE}, areas)[0] == ["fire"]


def test_what_is_masked_is_neither_learnt_nor_held_back() -> None:
    areas = Areas(masks=(Area(LEFT, (FIRE,)),))
    masked = examine_in_areas(RedDetector(), picture(red_from_x=10, red_to_x=20), {FIRE}, areas)
    assert (masked.suspects, masked.held_back) == ((), frozenset())
    seen = examine_in_areas(RedDetector(), picture(red_from_x=70, red_to_x=80), {FIRE, FLOOD}, areas)
    assert ([one.view for one in seen.suspects], seen.held_back) == ([0], {FIRE, FLOOD})


def test_what_heads_said_of_each_look_is_kept_together() -> None:
    areas = Areas(masks=(Area(LEFT, (FIRE,)),), zones=(Area(WHOLE, (FLOOD,)),))
    seen = examine_in_areas(RedDetector(), picture(red_from_x=70, red_to_x=80), {FIRE, FLOOD}, areas)
    assert seen.scores == {"fire": 200.0, "flood": 200.0}


def test_outside_its_zones_a_hazard_is_not_looked_for() -> None:
    areas = Areas(zones=(Area(LEFT, (FIRE,)),))
    assert found(picture(red_from_x=70, red_to_x=80), {FIRE, FLOOD}, areas)[0] == ["flood"]
    assert found(picture(red_from_x=10, red_to_x=20), {FIRE}, areas)[0] == ["fire"]


def test_people_are_found_in_the_whole_picture_and_masked_by_their_feet() -> None:
    areas = Areas(masks=(Area(LEFT),), zones=(Area(LEFT),))
    assert found(picture(red_from_x=10, red_to_x=90), {PERSON}, areas)[0] == ["intrusion"], "feet at 0.5"
    assert found(picture(red_from_x=10, red_to_x=80), {PERSON}, areas)[0] == []


def test_a_masked_fire_is_none_to_the_real_heads(detector: AnomalyDetector) -> None:
    photos = [read_photo(path) for path in sorted((evaluation_data("hazards_outdoor") / "fire").glob("*.jpg"))[:4]]
    alarms = [examine_in_areas(detector, photo, {FIRE}, Areas()).anomalies for photo in photos]
    assert sum(any(one.reaches_alert for one in anomalies) for anomalies in alarms) >= 3
    for photo in photos:
        assert examine_in_areas(detector, photo, {FIRE}, Areas(masks=(Area(WHOLE, (FIRE,)),))).anomalies == []


def test_a_mask_makes_no_alarm_of_a_quiet_scene(detector: AnomalyDetector) -> None:
    scenes = [read_photo(path) for path in sorted(evaluation_data("cctv_normal").rglob("*.jpg"))[:6]]
    masks: tuple[Zone, ...] = (LEFT, make_zone("lamp", [(0.6, 0.1), (0.9, 0.1), (0.9, 0.4), (0.6, 0.4)]))
    for scene in scenes:
        for mask in masks:
            areas = Areas(masks=(Area(mask),))
            assert not any(
                one.reaches_alert for one in examine_in_areas(detector, scene, {FIRE, SMOKE, FLOOD}, areas).anomalies
            )
