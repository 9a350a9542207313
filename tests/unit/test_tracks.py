"""Boxes become tracks."""

from __future__ import annotations

import numpy as np

from app.core.liveness import Liveness, Uncertainty
from app.types import Box, Face, FloatArray
from app.workflows.cameras.attendance import AttendanceWatch
from app.workflows.cameras.tracks import Tracker
from app.workflows.safety.faces import SeenFace, belongs_to


def person(x: float, y: float = 100, *, width: float = 60, height: float = 160) -> Box:
    return Box(x, y, x + width, y + height)


def test_a_walking_person_keeps_one_track() -> None:
    tracker = Tracker()
    ids = [tracker.update([person(100 + 40 * step)], step * 0.5)[0].id for step in range(10)]
    assert set(ids) == {1}
    assert tracker.update([person(500)], 5.0)[0].duration_s == 5.0


def test_two_people_keep_theirs_in_whatever_order_they_are_found() -> None:
    tracker = Tracker()
    first = [track.id for track in tracker.update([person(100), person(400)], 0)]
    second = [track.id for track in tracker.update([person(410), person(110)], 0.5)]
    assert second == list(reversed(first))


def test_somebody_far_away_or_long_after_is_somebody_else() -> None:
    tracker = Tracker(max_gap_s=2)
    [first] = tracker.update([person(100)], 0)
    [elsewhere] = tracker.update([person(1000)], 0.5)
    assert elsewhere.id != first.id
    [after_a_gap] = tracker.update([person(100)], 1.9)
    assert after_a_gap.id == first.id
    [too_late] = tracker.update([person(100)], 4.0)
    assert too_late.id not in (first.id, elsewhere.id)


def test_tracks_end_when_nobody_is_seen() -> None:
    tracker = Tracker(max_gap_s=2)
    tracker.update([person(100)], 0)
    tracker.update([], 2.0)
    assert tracker.alive_ids() == {1}
    tracker.update([], 2.1)
    assert tracker.alive_ids() == frozenset()


def test_a_face_belongs_to_the_person_around_it() -> None:
    body = person(100)
    assert belongs_to(Box(115, 105, 145, 140), body)
    assert not belongs_to(Box(115, 220, 145, 250), body), "at the knees"
    assert not belongs_to(Box(200, 105, 230, 140), body)


# Attendance over a track


def unit(seed: int) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=64).astype(np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def seen(vector: FloatArray, *, score: float = 0.9, uncertain: Uncertainty | None = None, x: float = 100) -> SeenFace:
    box = person(x, width=80, height=90)
    face = Face(box, 0.99, np.zeros((5, 2), np.float32))
    return SeenFace(face, Liveness(score, score >= 0.5 and uncertain is None, uncertain), vector)


def test_a_person_is_looked_up_after_three_live_frames() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    ready = [watch.see([seen(unit(1))], step * 0.5) for step in range(3)]
    assert [len(candidates) for candidates in ready] == [0, 0, 1]
    assert ready[2][0].vector @ unit(1) > 0.999


def test_the_frames_are_judged_together() -> None:
    """One frame over the threshold does not make a photograph live, and one under it no person a photograph."""
    photo, live = AttendanceWatch(min_liveness=0.5, interval_s=0.5), AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    shown = [photo.see([seen(unit(1), score=score)], step) for step, score in enumerate((0.1, 0.9, 0.2, 0.1))]
    assert [len(candidates) for candidates in shown] == [0, 0, 0, 0]
    shown = [live.see([seen(unit(1), score=score)], step) for step, score in enumerate((0.9, 0.4, 0.9))]
    assert [len(candidates) for candidates in shown] == [0, 0, 1]


def test_frames_too_poor_to_judge_count_for_nothing() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(10):
        assert watch.see([seen(unit(1), score=0.99, uncertain=Uncertainty.BLURRY)], step * 0.5) == []


def test_a_decided_track_is_not_asked_again_and_a_stranger_not_for_ever() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(3):
        candidates = watch.see([seen(unit(1))], step * 0.5)
    watch.decide(candidates[0].track_id)
    assert watch.see([seen(unit(1))], 1.5) == []
    stranger = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    asked = sum(len(stranger.see([seen(unit(2))], step * 0.5)) for step in range(100))
    assert 0 < asked < 15


def test_somebody_else_on_the_same_track_begins_anew() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(3):
        [*candidates] = watch.see([seen(unit(1))], step * 0.5)
    watch.decide(candidates[0].track_id)
    other = -unit(1)
    ready = [watch.see([seen(other)], 1.5 + step * 0.5) for step in range(3)]
    assert [len(candidates) for candidates in ready] == [0, 0, 1]
    assert ready[2][0].vector @ other > 0.999


def test_two_people_side_by_side_are_not_mixed() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(3):
        ready = watch.see([seen(unit(1)), seen(unit(2), x=400)], step * 0.5)
    assert [float(candidate.vector @ unit(index)) > 0.999 for index, candidate in zip((1, 2), ready, strict=True)] == [
        True,
        True,
    ]
