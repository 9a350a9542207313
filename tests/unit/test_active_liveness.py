"""Sessions of movements: who is alive passes, and nothing flat, spliced or shown again does."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from app.core.active_liveness.challenges import INSTRUCTIONS, TURNS, Challenge, draw_challenges
from app.core.active_liveness.geometry import Parallax, StraightHead, UprightFace
from app.core.active_liveness.judge import Guidance, Judgement, Reason, SessionJudge
from app.core.active_liveness.observation import (
    FrameObserver,
    SeenFrame,
    SeenHead,
    pack,
    share_seen_before,
    sketch_of,
    unpack,
)
from app.core.calibration import MatchCalibration
from app.core.face_recognition import largest_face
from app.ml_models.factories.face import FaceEngines
from app.models.liveness import LivenessSessionResponse
from app.services.stores.liveness_sessions import SessionStatus, StoredSession
from app.types import FloatArray, Image
from evaluation.faces.movements import acted
from evaluation.faces.rendered import Depth, bent_depth, flat_depth, head_depth, render
from evaluation.faces.sessions import recorded
from tests.photos import astronaut, portrait

LEFT_RIGHT = (Challenge.TURN_LEFT, Challenge.TURN_RIGHT)
CALIBRATION = MatchCalibration(slope=42.0, intercept=-15.0)

# Eyes, nose tip and corners of the mouth of a head that looks straight ahead; x right, y down, z to the camera.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.58, 0.68], [-0.41, 1.15, 0], [0.41, 1.15, 0]])
SHEET = HEAD * [1, 1, 0]
ME, ANOTHER = np.eye(4, dtype=np.float32)[:2]


def landmarks(points: FloatArray, *, yaw_deg: float = 0.0, pitch_deg: float = 0.0, scale: float = 1.0) -> FloatArray:
    """What a camera sees of points that are turned, from eleven eye distances away."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    x, y, z = points.T
    x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    y, z = y * np.cos(pitch) - z * np.sin(pitch), z * np.cos(pitch) + y * np.sin(pitch)
    seen = np.stack([x, y], axis=1) / (1 - z[:, None] / 11)
    placed: FloatArray = (200 + 45 * scale * seen).astype(np.float32)
    return placed


def frame(number: int, *, yaw_deg: float = 0.0, scale: float = 1.0, vector: FloatArray = ME) -> SeenFrame:
    head = SeenHead(
        landmarks=landmarks(HEAD, yaw_deg=yaw_deg, scale=scale), vector=vector, liveness=0.9, tone=120.0, is_alone=True
    )
    return SeenFrame(150 * number, number.to_bytes(16), number.to_bytes(32), head, None)


def frames_of(yaws: Sequence[float], *, depth: float = 0.65) -> list[SeenFrame]:
    """A frame for each yaw, and the parallax that a surface of that depth shows."""
    frames = [frame(number, yaw_deg=yaw) for number, yaw in enumerate(yaws)]
    for index, (before, after) in enumerate(pairwise(yaws), start=1):
        moved = Parallax(after - before, depth * (after - before))
        frames[index] = dataclasses.replace(frames[index], parallax=moved)
    return frames


BOTH_SIDES = [0, 0, 0, 8, 20, 26, 26, 14, 2, 0, -1, -9, -21, -27, -26]


def judged(frames: Sequence[SeenFrame], challenges: Sequence[Challenge] = LEFT_RIGHT) -> Judgement:
    return SessionJudge(CALIBRATION).judge(challenges, frames)


def test_challenges_show_both_sides_and_never_repeat_at_once() -> None:
    drawn = {draw_challenges(3) for _ in range(300)}
    assert len(drawn) > 10
    assert all(set(TURNS) <= set(challenges) for challenges in drawn)
    assert all(a is not b for challenges in drawn for a, b in pairwise(challenges))


@pytest.mark.parametrize("yaw_deg", [-30, -18, 0, 18, 30])
def test_a_solid_head_shows_how_it_is_turned(yaw_deg: float) -> None:
    turn = StraightHead([landmarks(HEAD)]).turn(landmarks(HEAD, yaw_deg=yaw_deg))
    assert turn.yaw == pytest.approx(yaw_deg, abs=4)
    assert turn.scale == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("yaw_deg", "pitch_deg"), [(25, 0), (50, 0), (-50, 30), (0, 40), (40, 40)])
def test_a_sheet_shows_no_turn_however_it_is_held(yaw_deg: float, pitch_deg: float) -> None:
    turn = StraightHead([landmarks(SHEET)]).turn(landmarks(SHEET, yaw_deg=yaw_deg, pitch_deg=pitch_deg))
    assert abs(turn.yaw) < 0.5
    assert turn.squeeze > 1.05


def test_who_does_as_asked_passes() -> None:
    judgement = judged(frames_of(BOTH_SIDES))
    assert judgement.passed
    assert judgement.reason is None
    assert judgement.guidance is Guidance.DONE
    assert judgement.score == pytest.approx(0.9)


def test_progress_and_guidance_follow_the_person() -> None:
    frames = frames_of(BOTH_SIDES)
    told = [judged(frames[:count]) for count in (1, 3, 6, 10, 13)]
    assert [one.done for one in told] == [0, 0, 1, 1, 1]
    assert [one.guidance for one in told] == [
        Guidance.LOOK_STRAIGHT, Guidance.MOVE, Guidance.LOOK_STRAIGHT, Guidance.MOVE, Guidance.MOVE,
    ]  # fmt: skip
    assert not any(one.passed or one.reason for one in told)


@pytest.mark.parametrize(
    ("yaws", "guidance"),
    [
        ([0, 0, 0, 5, 10, 10], Guidance.FURTHER),
        ([0, 0, 0, 2, 3, 2], Guidance.MOVE),  # sways
        ([0, 0, 0, -5, -10, -10], Guidance.MOVE),  # to the other side
        ([0, 0, 0, 8, 20, 26], Guidance.LOOK_STRAIGHT),
    ],
)
def test_a_turn_that_falls_short_is_asked_for_a_little_more(yaws: list[float], guidance: Guidance) -> None:
    judgement = judged(frames_of(yaws))
    assert judgement.guidance is guidance
    assert judgement.reason is None


def test_whoever_turns_further_then_passes() -> None:
    judgement = judged(frames_of([0, 0, 0, 5, 10, 10, 20, 26, 26, 14, 2, 0, -1, -9, -21, -27, -26]))
    assert judgement.passed


@pytest.mark.parametrize("guidance", Guidance)
def test_every_guidance_has_its_words(guidance: Guidance) -> None:
    session = StoredSession(
        id=str(uuid.UUID(int=1)), challenges=LEFT_RIGHT, status=SessionStatus.OPEN, done=1, frames=9, score=None,
        guidance=guidance, reason=None, version=1, sealed_state=None, age_s=2.0, expires_at=datetime.now(UTC),
    )  # fmt: skip
    message = LivenessSessionResponse.of(session).message
    assert message.endswith(".")
    assert (message == INSTRUCTIONS[Challenge.TURN_RIGHT]) is (guidance is Guidance.MOVE)


def test_movements_in_another_order_fail() -> None:
    assert judged(frames_of([-yaw for yaw in BOTH_SIDES])).reason is Reason.WRONG_MOVEMENT


@pytest.mark.parametrize(("yaw_deg", "reason"), [(-17, None), (-24, Reason.WRONG_MOVEMENT)])
def test_only_a_clear_movement_counts_as_a_wrong_one(yaw_deg: float, reason: Reason | None) -> None:
    judgement = judged(frames_of([0, 0, 0, -10, yaw_deg, yaw_deg, yaw_deg, -10, 0, 0]))
    assert judgement.reason is reason
    assert judgement.done == 0


def test_a_turn_that_goes_on_after_a_slip_is_no_wrong_movement() -> None:
    judgement = judged(frames_of([0, 0, 0, 8, 15, 15, 7, 16, 26, 26, 14, 2, 0, -1, -9, -21, -27, -26]))
    assert judgement.passed


def test_the_tone_of_a_face_leaves_out_what_is_around_it() -> None:
    image = astronaut()
    points = np.array([[204, 101], [247, 103], [225, 127], [203, 140], [244, 142]], np.float32)
    elsewhere = np.full_like(image, 250)
    elsewhere[95:150, 195:255] = image[95:150, 195:255]
    assert UprightFace(elsewhere, points).tone == pytest.approx(UprightFace(image, points).tone, abs=0.5)
    darker = (image * 0.5).astype(np.uint8)
    assert UprightFace(darker, points).tone == pytest.approx(UprightFace(image, points).tone / 2, abs=1)


def test_a_surface_whose_pixels_show_too_little_depth_fails() -> None:
    assert judged(frames_of(BOTH_SIDES, depth=0.35)).reason is Reason.FLAT_SURFACE


def test_frames_that_were_sent_one_by_one_show_no_depth() -> None:
    frames = [dataclasses.replace(one, parallax=None) for one in frames_of(BOTH_SIDES)]
    assert judged(frames).reason is Reason.DEPTH_UNSEEN


def test_a_leap_fails() -> None:
    assert judged(frames_of([0, 0, 0, 26, 26, 26])).reason is Reason.JUMP


@pytest.mark.parametrize("turned", [[0, 18, 18, 18], [0, 18, 18, 18, 0, 0], [18, 18, 0, 0, 0]])
def test_a_head_that_rests_here_and_in_the_next_frame_there_fails(turned: list[float]) -> None:
    """Slower than a head may be, but no head goes from rest to rest between two frames."""
    assert judged(frames_of([0, 0, 0, *turned])).reason is Reason.JUMP


def test_a_brisk_turn_that_gathers_speed_passes() -> None:
    brisk = [0, 0, 0, 7, 28, 36, 36, 28, 7, 0, 0, -7, -28, -36, -36]
    assert judged(frames_of(brisk)).passed


def test_a_turn_between_frames_that_lie_far_apart_passes() -> None:
    frames = [
        dataclasses.replace(one, at_ms=2 * one.at_ms)
        for one in frames_of([0, 0, 0, 22, 26, 26, 4, 0, -1, -22, -26, -26])
    ]
    assert judged(frames).passed


def test_a_gap_in_time_fails() -> None:
    frames = frames_of(BOTH_SIDES)
    later = [dataclasses.replace(one, at_ms=one.at_ms + 900) for one in frames[5:]]
    assert judged([*frames[:5], *later]).reason is Reason.FRAMES_MISSING


def test_a_frame_that_comes_again_fails() -> None:
    frames = frames_of(BOTH_SIDES)
    again = dataclasses.replace(frames[9], digest=frames[1].digest)
    assert judged([*frames[:9], again]).reason is Reason.FRAME_REUSED


def test_somebody_else_fails() -> None:
    frames = frames_of(BOTH_SIDES[:9])
    others = [frame(number, vector=ANOTHER) for number in (9, 10)]
    assert judged([*frames, others[0]]).reason is None
    assert judged([*frames, *others]).reason is Reason.DIFFERENT_PERSON


def test_whoever_takes_over_in_the_last_turn_is_somebody_else() -> None:
    """A turned head resembles many, so neighbours are compared: they are alike in anybody's own session."""
    frames = frames_of([0, 0, 0, 10, 20, 20, 10, 0, 0, -10, -20, -20])
    lookalike = (0.42 * ME + np.sqrt(1 - 0.42**2) * ANOTHER).astype(np.float32)
    taken = [*frames[:-2], *(one_of(frame, lookalike) for frame in frames[-2:])]
    assert judged(frames).reason is None
    assert judged(taken).reason is Reason.DIFFERENT_PERSON


def test_one_bad_frame_is_nobody_else() -> None:
    frames = frames_of([0, 0, 0, 10, 20, 20, 10, 0, 0, -10, -20, -20, -10, 0])
    blurred = [*frames[:6], one_of(frames[6], ANOTHER), *frames[7:]]
    assert judged(blurred).reason is None


def one_of(frame: SeenFrame, vector: FloatArray) -> SeenFrame:
    """The same frame with another person in it."""
    assert frame.head is not None
    return dataclasses.replace(frame, head=dataclasses.replace(frame.head, vector=vector))


def test_passive_evidence_against_the_person_fails() -> None:
    frames = []
    for one in frames_of(BOTH_SIDES):
        assert one.head is not None
        frames.append(dataclasses.replace(one, head=dataclasses.replace(one.head, liveness=0.02)))
    assert judged(frames).reason is Reason.PRESENTATION_ATTACK


def test_who_does_nothing_fails_in_the_end() -> None:
    assert judged(frames_of([0.0] * 39)).reason is None
    assert judged(frames_of([0.0] * 40)).reason is Reason.NOT_COMPLETED


def test_what_is_kept_of_a_frame_comes_back() -> None:
    one = dataclasses.replace(frame(3, yaw_deg=12), parallax=Parallax(4.0, 2.5))
    back = unpack(pack(one))
    assert (back.at_ms, back.digest, back.sketch, back.parallax) == (one.at_ms, one.digest, one.sketch, one.parallax)
    assert back.head is not None
    assert one.head is not None
    assert np.allclose(back.head.landmarks, one.head.landmarks, atol=0.01)
    assert np.allclose(back.head.vector, one.head.vector, atol=1e-3)


def test_a_frame_is_known_again_in_another_encoding_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    sketches = [sketch_of(recorded(astronaut(), rng, light=1.0, quality=quality)) for quality in (95, 60)]
    assert share_seen_before(sketches[0], sketches[1]) == 1.0
    assert share_seen_before(sketches[0], sketch_of(portrait(1))) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "reach", "passes"),
    [(head_depth, 1.0, True), (flat_depth, 1.6, False), (bent_depth(radius=1.5, axis_deg=0), 1.5, False)],
)
def test_rendered_heads_pass_and_sheets_do_not(
    face_engines: FaceEngines, depth: Depth, reach: float, passes: bool
) -> None:
    face = largest_face(face_engines.recognition.detect_faces(astronaut()))
    assert face is not None
    points, rng = face.landmarks, np.random.default_rng(7)

    def film() -> Iterator[tuple[int, Image]]:
        for at_ms, stance in acted(LEFT_RIGHT, rng, reach=reach):
            image = render(astronaut(), points, depth, stance, whole=not passes)
            yield at_ms, recorded(image, rng, light=1.0, quality=90)

    frames = FrameObserver(face_engines.recognition, face_engines.liveness).observe(film())
    judgement = SessionJudge(face_engines.recognition.calibration).judge(LEFT_RIGHT, frames)
    assert judgement.passed is passes
