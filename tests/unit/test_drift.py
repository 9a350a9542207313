"""What heads say at each camera, counted for as many cameras as there is room for."""

from __future__ import annotations

from prometheus_client import REGISTRY

from app.core.anomalies import Examination
from app.workflows.safety.drift import DriftMeter


def counted(camera_id: str, head: str, part: str = "count") -> float | None:
    return REGISTRY.get_sample_value(f"cv_camera_head_score_{part}", {"camera": camera_id, "head": head})


def says(**scores: float) -> Examination:
    return Examination([], scores=scores)


def test_each_head_is_counted_at_its_camera() -> None:
    meter = DriftMeter()
    meter.note("cam_a", says(hazard_flood=0.25, view_outdoors=1.0))
    meter.note("cam_a", says(hazard_flood=0.5))
    assert counted("cam_a", "hazard_flood") == 2
    assert counted("cam_a", "hazard_flood", "sum") == 0.75
    assert counted("cam_a", "view_outdoors", "sum") == 1.0
    meter.forget("cam_a")


def test_a_frame_that_no_head_judged_says_nothing() -> None:
    DriftMeter().note("cam_people", Examination([]))
    assert counted("cam_people", "hazard_flood") is None


def test_a_camera_that_went_elsewhere_leaves_no_series_and_others_stay() -> None:
    meter = DriftMeter()
    for camera_id in ("cam_gone", "cam_stays"):
        meter.note(camera_id, says(hazard_flood=0.5))
    meter.forget("cam_gone")
    meter.forget("cam_never_seen")
    assert counted("cam_gone", "hazard_flood") is None
    assert counted("cam_stays", "hazard_flood") == 1
    meter.forget("cam_stays")


def test_the_camera_that_was_silent_longest_makes_room() -> None:
    meter = DriftMeter(most=2)
    for camera_id in ("cam_1", "cam_2", "cam_1", "cam_3"):
        meter.note(camera_id, says(hazard_flood=0.5))
    assert counted("cam_2", "hazard_flood") is None
    assert [counted(camera_id, "hazard_flood") for camera_id in ("cam_1", "cam_3")] == [2, 1]
    for camera_id in ("cam_1", "cam_3"):
        meter.forget(camera_id)
