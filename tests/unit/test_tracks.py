"""Boxes become tracks."""

from __future__ import annotations

import numpy as np

from app.core.liveness import Liveness, Uncertainty
from app.types import Box, Face, FloatArray
from app.workflows.cameras.attendance import AttendanceWatch
from app.workflows.cameras.tracks import Tracker
from app.workflows.safety.faces import SeenFace, belongs_to
from app.workflows.safety.lines import make_line


def person(x: float, y: float = 100, *, width: float = 60, height: float = 160) -> Box:
    return Box(x, y, x + width, y + height)


def test_a_walking_person_keeps_one_track() -> None:
    tracker = Tracker()
    ids = [tracker.update([person(100 + 40 * step)], step * 0.5)[0].id for step in range(10)]
    assert set(ids) == {1}
    [track] = tracker.update([person(500)], 5.0)
    assert (track.first_seen_s, track.last_seen_s) == (0.0, 5.0)


def test_somebody_who_hurries_is_expected_ahead() -> None:
    """Steps too long for nearness alone, once it is known where somebody goes."""
    tracker = Tracker()
    steps = (0.0, 100.0, 300.0, 500.0, 700.0)
    ids = [tracker.update([person(x)], step * 0.5)[0].id for step, x in enumerate(steps)]
    assert ids == [1, 1, 1, 1, 1]


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

SIZE = (1000, 1000)


def unit(seed: int) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=64).astype(np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def seen(vector: FloatArray, *, score: float = 0.9, uncertain: Uncertainty | None = None, x: float = 100) -> SeenFace:
    box = person(x, width=80, height=90)
    face = Face(box, 0.99, np.zeros((5, 2), np.float32))
    return SeenFace(face, Liveness(score, score >= 0.5 and uncertain is None, uncertain), vector)


def test_a_person_is_looked_up_after_three_live_frames() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    ready = [watch.see([seen(unit(1))], step * 0.5, size=SIZE) for step in range(3)]
    assert [len(candidates) for candidates in ready] == [0, 0, 1]
    assert ready[2][0].vector @ unit(1) > 0.999


def test_the_frames_are_judged_together() -> None:
    """One frame over the threshold does not make a photograph live, and one under it no person a photograph."""
    photo, live = AttendanceWatch(min_liveness=0.5, interval_s=0.5), AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    shown = [
        photo.see([seen(unit(1), score=score)], step, size=SIZE) for step, score in enumerate((0.1, 0.9, 0.2, 0.1))
    ]
    assert [len(candidates) for candidates in shown] == [0, 0, 0, 0]
    shown = [live.see([seen(unit(1), score=score)], step, size=SIZE) for step, score in enumerate((0.9, 0.4, 0.9))]
    assert [len(candidates) for candidates in shown] == [0, 0, 1]


def test_frames_too_poor_to_judge_count_for_nothing() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(10):
        assert watch.see([seen(unit(1), score=0.99, uncertain=Uncertainty.BLURRY)], step * 0.5, size=SIZE) == []


def test_a_decided_track_is_not_asked_again_and_a_stranger_not_for_ever() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(3):
        candidates = watch.see([seen(unit(1))], step * 0.5, size=SIZE)
    watch.decide(candidates[0].track_id)
    assert watch.see([seen(unit(1))], 1.5, size=SIZE) == []
    stranger = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    asked = sum(len(stranger.see([seen(unit(2))], step * 0.5, size=SIZE)) for step in range(100))
    assert 0 < asked < 15


def test_somebody_else_on_the_same_track_begins_anew() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(3):
        [*candidates] = watch.see([seen(unit(1))], step * 0.5, size=SIZE)
    watch.decide(candidates[0].track_id)
    other = -unit(1)
    ready = [watch.see([seen(other)], 1.5 + step * 0.5, size=SIZE) for step in range(3)]
    assert [len(candidates) for candidates in ready] == [0, 0, 1]
    assert ready[2][0].vector @ other > 0.999


def test_two_people_side_by_side_are_not_mixed() -> None:
    watch = AttendanceWatch(min_liveness=0.5, interval_s=0.5)
    for step in range(3):
        ready = watch.see([seen(unit(1)), seen(unit(2), x=400)], step * 0.5, size=SIZE)
    assert [float(candidate.vector @ unit(index)) > 0.999 for index, candidate in zip((1, 2), ready, strict=True)] == [
        True,
        True,
    ]


# Attendance across a line, from the top of the picture (outside) to its lower part (inside)

DOOR = make_line("door", ((0.0, 0.5), (1.0, 0.5)))


def seen_at(y: float, *, vector: FloatArray, x: float = 500) -> SeenFace:
    """A face whose middle is at ``x`` and ``y`` of a picture of 1000 by 1000."""
    face = Face(Box(x - 40, y - 45, x + 40, y + 45), 0.99, np.zeros((5, 2), np.float32))
    return SeenFace(face, Liveness(0.9, True, None), vector)


def walked(*ys: float, watch: AttendanceWatch, vector: FloatArray, decides: bool = True) -> list[str]:
    """What somebody does who walks from place to place, two frames a second."""
    actions = []
    for step, y in enumerate(ys):
        for candidate in watch.see([seen_at(y, vector=vector)], step * 0.5, size=SIZE):
            actions.append(candidate.action.value)
            if decides:
                watch.decide(candidate.track_id)
    return actions


def door_watch() -> AttendanceWatch:
    return AttendanceWatch(min_liveness=0.5, interval_s=0.5, line=DOOR)


def test_who_crosses_the_line_comes_or_goes() -> None:
    assert walked(400, 430, 460, 540, 580, watch=door_watch(), vector=unit(1)) == ["check_in"]
    assert walked(600, 560, 530, 460, 420, watch=door_watch(), vector=unit(1)) == ["check_out"]


def test_who_stays_on_one_side_does_neither_however_long() -> None:
    assert walked(*[420, 430] * 20, watch=door_watch(), vector=unit(1)) == []


def test_who_turns_round_in_the_door_has_come_and_gone() -> None:
    assert walked(420, 460, 540, 560, 540, 460, 420, watch=door_watch(), vector=unit(1)) == ["check_in", "check_out"]


def test_a_face_that_trembles_on_the_line_has_not_crossed_it() -> None:
    assert walked(470, 495, 505, 496, 504, 495, 470, watch=door_watch(), vector=unit(1)) == []


def test_a_crossing_before_the_third_frame_counts_once_the_face_is_known() -> None:
    assert walked(470, 540, 580, 600, watch=door_watch(), vector=unit(1)) == ["check_in"]


def test_two_people_in_one_frame_each_have_their_own_direction() -> None:
    watch, found = door_watch(), {}
    for step, (left, right) in enumerate(((420, 600), (450, 560), (480, 530), (540, 460), (580, 420))):
        faces = [seen_at(left, vector=unit(1), x=200), seen_at(right, vector=unit(2), x=800)]
        for candidate in watch.see(faces, step * 0.5, size=SIZE):
            found[int(candidate.vector @ unit(1) > 0.9)] = candidate.action.value
    assert found == {1: "check_in", 0: "check_out"}
