"""Whether a session's frames show one living person who did as asked. A pure function of what was seen, told again
with each new frame; nothing but the frames is remembered between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np

from app.core.active_liveness.challenges import TURNS, Challenge
from app.core.active_liveness.geometry import HeadTurn, Parallax, StraightHead, face_size
from app.core.active_liveness.observation import SeenFrame, SeenHead
from app.core.calibration import MatchCalibration
from app.core.face_alignment import pose
from app.types import FloatArray

_HALF_WAY = 0.5  # of a movement: less may be no more than sway
_STEP_S = 0.15  # between two frames, as a client sends them
_CLOSE_MS = 220


class Reason(StrEnum):
    """Why a session failed; stable codes for the caller."""

    FRAMES_MISSING = "frames_missing"
    FRAME_REUSED = "frame_reused"
    REPLAYED = "replayed"
    FACE_LOST = "face_lost"
    SEVERAL_PEOPLE = "several_people"
    DIFFERENT_PERSON = "different_person"
    JUMP = "jump"
    WRONG_MOVEMENT = "wrong_movement"
    FLAT_SURFACE = "flat_surface"
    DEPTH_UNSEEN = "depth_unseen"
    PRESENTATION_ATTACK = "presentation_attack"
    NOT_COMPLETED = "not_completed"


class Guidance(StrEnum):
    """What the person should do now."""

    SHOW_FACE = "show_face"
    COME_NEARER = "come_nearer"
    LOOK_STRAIGHT = "look_straight"
    MOVE = "do_challenge"
    FURTHER = "move_further"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class SessionRules:
    """Bounds of a session; how they were measured stands in docs/liveness.md.

    Attributes:
        min_frames, max_frames: of a session.
        max_gap_ms: between two frames.
        max_duration_ms: from the first frame to the last.
        min_face_px: size of the straight face, as ``geometry.face_size``.
        straight_deg: up to which a head counts as straight.
        turn_deg, up_deg, down_deg: from which a head counts as turned.
        closer: growth of the face that counts as closer.
        held_frames: in which a movement has to be seen.
        wrong_share: how much of a movement that was not asked for counts as one; less may be sway.
        min_challenge_ms: nobody sees, understands and moves faster.
        max_speed_deg: of a head, in a second.
        swap_deg: of a turn between two frames that follow closely, from which the frames beside it must show it too.
        min_swing: how much of such a turn they must show together: a head gathers speed and loses it, a swapped
            photo stands still before and after.
        max_growth: of the face from one frame to the next, 0.15 s later.
        max_shift: of the face from one frame to the next, 0.15 s later, in ``face_size``.
        max_tone_step: of the face's light from one frame to the next, as a factor.
        max_lost: share of the frames that may show no face.
        min_depth: parallax of the pixels over that of the landmarks, under which the head is a sheet.
        min_depth_deg: how much turning must have been seen for that.
        max_flatness: of ``_flatness``, from which the head is a sheet too.
        max_squeeze: of one frame, from which it is a sheet.
        min_same_person: match probability of a frame with the first two.
        min_same_neighbour: match probability of frames that follow each other.
        min_vouched: match probability of a picture with the session that vouches for it.
        min_liveness: mean of the passive scores; None where pictures are not judged.
    """

    min_frames: int = 6
    max_frames: int = 40
    max_gap_ms: int = 600
    max_duration_ms: int = 15_000
    min_face_px: float = 30.0
    straight_deg: float = 9.0
    turn_deg: float = 14.0
    up_deg: float = 7.0
    down_deg: float = 6.0
    closer: float = 1.18
    held_frames: int = 2
    wrong_share: float = 1.4
    min_challenge_ms: int = 300
    max_speed_deg: float = 170.0
    swap_deg: float = 12.0
    min_swing: float = 0.35
    max_growth: float = 1.3
    max_shift: float = 0.6
    max_tone_step: float = 1.35
    max_lost: float = 0.34
    min_depth: float = 0.4
    min_depth_deg: float = 18.0
    max_flatness: float = 0.12
    max_squeeze: float = 1.5
    min_same_person: float = 0.2
    min_same_neighbour: float = 0.99
    min_vouched: float = 0.7
    min_liveness: float | None = 0.25


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far a session is.

    Attributes:
        done: challenges that were met.
        passed: whether all were, and nothing speaks against the person.
        reason: why it failed; None while it has not.
        guidance: what to do now.
        score: 0 to 1, how alive the person looked: the passive scores' mean; None where pictures are not judged.
        depth: parallax of the pixels over that of the landmarks; None until enough turning was seen.
    """

    done: int
    passed: bool
    reason: Reason | None
    guidance: Guidance
    score: float | None
    depth: float | None = None

    def failed(self, reason: Reason) -> Judgement:
        """The same, failed after all."""
        return replace(self, passed=False, reason=reason)


@dataclass(slots=True)
class _Walk:
    """How the challenges go; ``turns`` are of the frames with a face since the head was straight first."""

    done: int = 0
    held: int = 0
    wrong: int = 0
    is_straight: bool = True
    began_ms: int = 0


class SessionJudge:
    """Judges sessions.

    Args:
        calibration: of the embedder, for whether two frames show one person.
        rules: the bounds.
    """

    def __init__(self, calibration: MatchCalibration, rules: SessionRules | None = None) -> None:
        self.rules = rules or SessionRules()
        self._calibration = calibration

    def judge(self, challenges: Sequence[Challenge], frames: Sequence[SeenFrame]) -> Judgement:
        """How far a session is after these frames, in order of time."""
        heads = [(frame.at_ms, frame.head) for frame in frames if frame.head is not None]
        score = None if self.rules.min_liveness is None else _passive([head for _, head in heads])
        reason = self._broken(frames) or self._stranger([head for _, head in heads])
        straight = self._straight([head for _, head in heads])
        if reason is not None or straight is None:
            return Judgement(0, False, reason or self._spent(frames), self._before_start(heads), score)
        turns = [(at_ms, straight.turn(head.landmarks)) for at_ms, head in heads]
        walk, wrong = self._walk(challenges, turns)
        depth = _depth([frame.parallax for frame in frames if frame.parallax is not None], self.rules)
        complete = walk.done == len(challenges) and len(frames) >= self.rules.min_frames
        reason = self._jump(heads, turns) or self._swapped(turns) or self._squeezed(turns) or wrong
        if reason is None:
            reason = self._final([turn for _, turn in turns], depth, score) if complete else self._spent(frames)
        guidance = Guidance.DONE if complete else self._guidance(challenges, walk, [turn for _, turn in turns])
        return Judgement(walk.done, complete and reason is None, reason, guidance, score, depth)

    def _final(self, turns: Sequence[HeadTurn], depth: float | None, score: float | None) -> Reason | None:
        """What is asked of a session that did all that it was told."""
        if depth is None:
            return Reason.DEPTH_UNSEEN
        if depth < self.rules.min_depth or _flatness(turns, self.rules) > self.rules.max_flatness:
            return Reason.FLAT_SURFACE
        looks_fake = score is not None and score < (self.rules.min_liveness or 0.0)
        return Reason.PRESENTATION_ATTACK if looks_fake else None

    def _broken(self, frames: Sequence[SeenFrame]) -> Reason | None:
        """What the frames say without the person."""
        moments = [frame.at_ms for frame in frames]
        if any(after - before > self.rules.max_gap_ms for before, after in pairwise(moments)):
            return Reason.FRAMES_MISSING
        if len({frame.digest for frame in frames}) < len(frames):
            return Reason.FRAME_REUSED
        lost = sum(frame.head is None for frame in frames)
        if len(frames) >= self.rules.min_frames and lost > self.rules.max_lost * len(frames):
            return Reason.FACE_LOST
        if sum(frame.head is not None and not frame.head.is_alone for frame in frames) > 1:
            return Reason.SEVERAL_PEOPLE
        return None

    def _spent(self, frames: Sequence[SeenFrame]) -> Reason | None:
        """Whether no further frame may come."""
        if not frames:
            return None
        over = frames[-1].at_ms - frames[0].at_ms >= self.rules.max_duration_ms
        return Reason.NOT_COMPLETED if over or len(frames) >= self.rules.max_frames else None

    def vouches_for(self, person: FloatArray, vector: FloatArray) -> bool:
        """Whether a picture shows the person of a session."""
        return self._confidence(person, vector) >= self.rules.min_vouched

    def _confidence(self, person: FloatArray, vector: FloatArray) -> float:
        cosine = float(person @ vector) / max(float(np.linalg.norm(person) * np.linalg.norm(vector)), 1e-6)
        return self._calibration.confidence(cosine)

    def _stranger(self, heads: Sequence[SeenHead]) -> Reason | None:
        """One frame may be a bad one; a second is somebody else.

        All are held against the first two: a mean of all before would take a stranger in whom a turned head resembles.
        That one resembles many, so neighbours are compared as well: they hardly differ, however the head is turned.
        """
        first = np.sum([head.vector for head in heads[:2]], axis=0)
        unlike = sum(self._confidence(first, head.vector) < self.rules.min_same_person for head in heads[2:])
        is_broken = any(
            self._is_break(heads[max(place - 2, 0) : place], heads[place : place + 2])
            for place in range(1, len(heads) - 1)
        )
        return Reason.DIFFERENT_PERSON if unlike >= self.rules.held_frames or is_broken else None

    def _is_break(self, before: Sequence[SeenHead], after: Sequence[SeenHead]) -> bool:
        return all(
            self._confidence(one.vector, other.vector) < self.rules.min_same_neighbour
            for one in before
            for other in after
        )

    def _straight(self, heads: Sequence[SeenHead]) -> StraightHead | None:
        """The head as the first frames show it; None until they show one that is straight and large enough."""
        for first, second in pairwise(heads):
            poses = pose(first.landmarks), pose(second.landmarks)
            large = min(face_size(first.landmarks), face_size(second.landmarks)) >= self.rules.min_face_px
            if large and all(abs(p.yaw) <= 12 and abs(p.pitch) <= 20 for p in poses):
                return StraightHead([first.landmarks, second.landmarks])
        return None

    def _before_start(self, heads: Sequence[tuple[int, SeenHead]]) -> Guidance:
        if not heads:
            return Guidance.SHOW_FACE
        small = face_size(heads[-1][1].landmarks) < self.rules.min_face_px
        return Guidance.COME_NEARER if small else Guidance.LOOK_STRAIGHT

    def _jump(self, heads: Sequence[tuple[int, SeenHead]], turns: Sequence[tuple[int, HeadTurn]]) -> Reason | None:
        """Nothing real leaps: neither the head, nor its size, place or light."""
        rules = self.rules
        for (at, head), (_, turn), (later_at, later), (_, later_turn) in zip(
            heads, turns, heads[1:], turns[1:], strict=False
        ):
            seconds = max(later_at - at, 1) / 1000
            size = face_size(head.landmarks)
            shift = float(np.linalg.norm(later.landmarks.mean(axis=0) - head.landmarks.mean(axis=0))) / size
            growth = max(later_turn.scale / turn.scale, turn.scale / later_turn.scale)
            tone = max((later.tone + 8) / (head.tone + 8), (head.tone + 8) / (later.tone + 8))
            angle = _between(turn, later_turn)
            steps = min(max(seconds / _STEP_S, 1.0), 2.0)
            leaps = (
                angle > max(12.0, rules.max_speed_deg * seconds),
                growth > rules.max_growth**steps,
                shift > rules.max_shift * steps,
                tone > rules.max_tone_step,
            )
            if any(leaps):
                return Reason.JUMP
        return None

    def _swapped(self, turns: Sequence[tuple[int, HeadTurn]]) -> Reason | None:
        """Whether a head that rested was elsewhere in the next frame, and rested there.

        Frames that lie further apart than ``_CLOSE_MS`` may have missed how it began.
        """
        steps = [(later_at - at, _between(turn, later_turn)) for (at, turn), (later_at, later_turn) in pairwise(turns)]
        for before, (gap_ms, angle), after in zip(steps, steps[1:], steps[2:], strict=False):
            swung = before[1] + after[1]
            if gap_ms <= _CLOSE_MS and angle > self.rules.swap_deg and swung < self.rules.min_swing * angle:
                return Reason.JUMP
        return None

    def _squeezed(self, turns: Sequence[tuple[int, HeadTurn]]) -> Reason | None:
        squeezed = sum(turn.squeeze * math.cos(_angle(turn)) > self.rules.max_squeeze for _, turn in turns)
        return Reason.FLAT_SURFACE if squeezed >= self.rules.held_frames else None

    def _walk(
        self, challenges: Sequence[Challenge], turns: Sequence[tuple[int, HeadTurn]]
    ) -> tuple[_Walk, Reason | None]:
        """Go through the challenges in order; each begins with a straight head."""
        walk = _Walk(began_ms=turns[0][0])
        for at_ms, turn in turns:
            if walk.done == len(challenges):
                break
            if not walk.is_straight:
                walk.is_straight = not self._movements(turn) and self._is_straight(turn)
                if walk.is_straight:
                    walk.began_ms = at_ms
                continue
            asked = challenges[walk.done]
            walk.held = walk.held + 1 if asked in self._movements(turn) else 0
            # One frame may be a slip of the landmarks, two are a movement.
            # What was asked before goes on where one frame only seemed straight.
            clear = self._movements(turn, share=self.rules.wrong_share) - set(challenges[: walk.done][-1:])
            walk.wrong = walk.wrong + 1 if clear and asked not in clear else 0
            if walk.wrong >= self.rules.held_frames:
                return walk, Reason.WRONG_MOVEMENT
            if walk.held >= self.rules.held_frames:
                if at_ms - walk.began_ms < self.rules.min_challenge_ms:
                    return walk, Reason.WRONG_MOVEMENT
                walk.done, walk.held, walk.is_straight = walk.done + 1, 0, False
        return walk, None

    def _guidance(self, challenges: Sequence[Challenge], walk: _Walk, turns: Sequence[HeadTurn]) -> Guidance:
        """What to do before all is done."""
        if not walk.is_straight:
            return Guidance.LOOK_STRAIGHT
        asked = challenges[walk.done]
        falls_short = all(_HALF_WAY <= self._share(asked, turn) < 1 for turn in turns[-self.rules.held_frames :])
        return Guidance.FURTHER if falls_short else Guidance.MOVE

    def _share(self, asked: Challenge, turn: HeadTurn) -> float:
        """How much of a movement a frame shows; from 1 it counts."""
        rules = self.rules
        return {
            Challenge.TURN_LEFT: turn.yaw / rules.turn_deg,
            Challenge.TURN_RIGHT: -turn.yaw / rules.turn_deg,
            Challenge.LOOK_UP: turn.pitch / rules.up_deg,
            Challenge.LOOK_DOWN: -turn.pitch / rules.down_deg,
            Challenge.COME_CLOSER: (turn.scale - 1) / (rules.closer - 1),
        }[asked]

    def _is_straight(self, turn: HeadTurn) -> bool:
        return max(abs(turn.yaw), abs(turn.pitch)) <= self.rules.straight_deg

    def _movements(self, turn: HeadTurn, *, share: float = 1.0) -> set[Challenge]:
        """What a frame shows; where the head is turned to a side, its pitch is too unsure to count."""
        shown = {kind for kind in Challenge if self._share(kind, turn) >= share}
        if sideways := shown & set(TURNS):
            return sideways
        if Challenge.COME_CLOSER in shown:
            return {Challenge.COME_CLOSER}
        return shown if abs(turn.yaw) <= self.rules.turn_deg * 0.7 else set()


def _passive(heads: Sequence[SeenHead]) -> float:
    """Mean of the scores that could be told; nothing speaks for a person of whom none could."""
    scores = [head.liveness for head in heads if head.liveness is not None]
    return float(np.mean(scores)) if scores else 0.0


def _depth(slides: Sequence[Parallax], rules: SessionRules) -> float | None:
    """Least squares through the origin: 0 for a plane, 0.2 to 0.4 for bent sheets, 0.5 to 0.8 for heads."""
    by_landmarks = np.array([slide.by_landmarks for slide in slides])
    if float(np.abs(by_landmarks).sum()) < rules.min_depth_deg:
        return None
    by_pixels = np.array([slide.by_pixels for slide in slides])
    return float(by_landmarks @ by_pixels / (by_landmarks @ by_landmarks))


def _flatness(turns: Sequence[HeadTurn], rules: SessionRules) -> float:
    """How much more the face was squeezed than a head as it turned: about 0, and above 0.1 for a bent sheet.

    The mean of both sides, where both were shown: the landmarks err the other way on the other side.
    """
    sides = []
    for side in (1, -1):
        turned = [turn for turn in turns if side * turn.yaw >= 0.8 * rules.turn_deg]
        if turned:
            sides.append(float(np.median([math.log(turn.squeeze * math.cos(_angle(turn))) for turn in turned])))
    return float(np.mean(sides)) if sides else 0.0


def _between(turn: HeadTurn, later: HeadTurn) -> float:
    """Degrees."""
    return math.hypot(later.yaw - turn.yaw, later.pitch - turn.pitch)


def _angle(turn: HeadTurn) -> float:
    """Radians."""
    return min(math.radians(math.hypot(turn.yaw, turn.pitch)), 1.2)
