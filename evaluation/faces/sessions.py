"""Active liveness sessions, by rendered sequences: photos on solid heads against what attackers hold up or send.

The photos are LFW's, the movements are drawn at random, and every frame goes the service's whole way: JPEG, detection,
landmarks, passive liveness, embedding, judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.core.active_liveness.challenges import Challenge, draw_challenges
from app.core.active_liveness.judge import Judgement, Reason, SessionJudge
from app.core.active_liveness.observation import FrameObserver, SeenFrame, share_seen_before
from app.core.face_alignment import pose
from app.core.face_recognition import largest_face
from app.ml_models.factories.face import FaceEngines
from app.types import FloatArray, Image
from evaluation.faces.photos import read_image, read_labels, scaled
from evaluation.faces.rendered import Depth, Stance, bent_depth, flat_depth, head_depth, render
from evaluation.figures import Share

Moments = list[tuple[int, Stance]]

_SEED = 5
_FRAME_S = 0.15
_CHALLENGES = 3
_BATCH = 6
_ENLARGED = 1.3  # LFW's photos are 250 px high, the faces in them some 110
MAX_SEEN_BEFORE = 0.5


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo of one person who looks nearly straight ahead."""

    photo: Image
    landmarks: FloatArray


def evaluate_sessions(engines: FaceEngines, data_dir: Path, *, sequences: int) -> list[Share]:
    """Live sequences that pass, and attacks that do, kind by kind.

    Args:
        sequences: live ones, and attacks all together.
    """
    studio = _Studio(engines)
    portraits = list(_portraits(engines, data_dir / "faces_lfw", sequences))
    live = [studio.live(portrait, _rng(index)) for index, portrait in enumerate(portraits)]
    shares = [_share("live sequences that pass", live, target=0.97, better="higher")]
    each = -(-sequences // len(_ATTACKS))
    for kind, attack in enumerate(_ATTACKS):
        judged = [
            attack(
                studio, portraits[i % len(portraits)], portraits[i % len(portraits) - 1], _rng(1000 * (kind + 1) + i)
            )
            for i in range(each)
        ]
        shares.append(_share(f"{attack.__doc__} that pass", judged, target=0.0, better="lower"))
    return shares


def _share(name: str, judged: Sequence[Judgement], *, target: float, better: Literal["higher", "lower"]) -> Share:
    return Share(name, sum(one.passed for one in judged), len(judged), target=target, better=better)


def _rng(index: int) -> Generator:
    return np.random.default_rng((_SEED, index))


def _portraits(engines: FaceEngines, folder: Path, count: int) -> Iterator[Portrait]:
    rows = read_labels(folder)
    found = 0
    for row in rows[:: max(len(rows) // (2 * count), 1)]:
        photo = scaled(read_image(folder / row["file"]), _ENLARGED)
        face = largest_face(engines.recognition.detect_dominant_faces(photo))
        if face is None or abs(pose(face.landmarks).yaw) > 8 or abs(pose(face.landmarks).pitch) > 15:
            continue
        found += 1
        yield Portrait(photo, face.landmarks)
        if found == count:
            return


class _Studio:
    """Renders sequences and judges them as the service does."""

    def __init__(self, engines: FaceEngines) -> None:
        self._observer = FrameObserver(engines.recognition, engines.liveness)
        self._judge = SessionJudge(engines.recognition.calibration)

    def live(self, portrait: Portrait, rng: Generator) -> Judgement:
        challenges = draw_challenges(_CHALLENGES)
        return self.judge(challenges, self.film(portrait, acted(challenges, rng), rng))

    def judge(self, challenges: Sequence[Challenge], frames: Iterable[SeenFrame]) -> Judgement:
        """What the service says at the end: it stops at the first failure, and when all is done."""
        seen: list[SeenFrame] = []
        judgement = self._judge.judge(challenges, seen)
        for frame in frames:
            seen.append(frame)
            if len(seen) % _BATCH == 0:
                judgement = self._judge.judge(challenges, seen)
                if judgement.passed or judgement.reason is not None:
                    return judgement
        return self._judge.judge(challenges, seen)

    def film(
        self,
        portrait: Portrait,
        moments: Moments,
        rng: Generator,
        *,
        depth: Depth = head_depth,
        touch: Callable[[Image], Image] | None = None,
    ) -> Iterator[SeenFrame]:
        """The frames as they are asked for; a client sends some at a time."""
        light = rng.uniform(0.9, 1.1)

        def images(part: Moments) -> Iterator[tuple[int, Image]]:
            for at_ms, stance in part:
                image = render(portrait.photo, portrait.landmarks, depth, stance, whole=depth is not head_depth)
                yield at_ms, recorded(touch(image) if touch else image, rng, light=light, quality=88)

        for start in range(0, len(moments), _BATCH):
            yield from self._observer.observe(images(moments[start : start + _BATCH]))


def recorded(image: Image, rng: Generator, *, light: float, quality: int) -> Image:
    """The frame as a camera gives it: noise, light, JPEG."""
    noisy = image.astype(np.float32) * light + rng.normal(0, 1.5, image.shape).astype(np.float32)
    _, data = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(decoded).astype(np.uint8, copy=False)


def acted(challenges: Sequence[Challenge], rng: Generator, *, reach: float = 1.0) -> Moments:
    """How a person moves who does as asked.

    Args:
        reach: how much further than a person, for what is flat and has to turn further.
    """
    keys = [(0.0, Stance()), (0.3, Stance())]
    for number, challenge in enumerate(challenges):
        begin = keys[-1][0] + rng.uniform(0.25, 0.45)
        there = begin + (rng.uniform(0.6, 0.8) if challenge is Challenge.COME_CLOSER else rng.uniform(0.4, 0.6))
        target = _target(challenge, rng, reach)
        held = there + rng.uniform(0.36, 0.46)
        keys += [(begin, Stance()), (there, target), (held, target)]
        if number < len(challenges) - 1:
            keys.append((held + rng.uniform(0.4, 0.6), Stance()))
    sway = rng.uniform(0, 6, 6)
    moments, now = [], 0.0
    while now < keys[-1][0] + _FRAME_S:
        moments.append((round(1000 * now), _swaying(_between(keys, now), now, sway)))
        now += _FRAME_S + rng.uniform(-0.015, 0.015)
    return moments


def _target(challenge: Challenge, rng: Generator, reach: float) -> Stance:
    yaw, nod = float(rng.uniform(24, 34)) * reach, float(rng.uniform(-4, 4)) * reach
    return {
        Challenge.TURN_LEFT: Stance(yaw_deg=yaw, pitch_deg=nod),
        Challenge.TURN_RIGHT: Stance(yaw_deg=-yaw, pitch_deg=nod),
        Challenge.LOOK_UP: Stance(yaw_deg=nod, pitch_deg=float(rng.uniform(22, 30)) * reach),
        Challenge.LOOK_DOWN: Stance(yaw_deg=nod, pitch_deg=-float(rng.uniform(16, 24)) * reach),
        Challenge.COME_CLOSER: Stance(yaw_deg=nod, scale=float(rng.uniform(1.32, 1.45))),
    }[challenge]


def _between(keys: Sequence[tuple[float, Stance]], now: float) -> Stance:
    """Smoothly from one stance to the next."""
    for (start, here), (end, there) in pairwise(keys):
        if now < end:
            share = max(now - start, 0.0) / (end - start)
            share = share * share * (3 - 2 * share)
            return Stance(
                yaw_deg=here.yaw_deg + share * (there.yaw_deg - here.yaw_deg),
                pitch_deg=here.pitch_deg + share * (there.pitch_deg - here.pitch_deg),
                scale=here.scale + share * (there.scale - here.scale),
            )
    return keys[-1][1]


def _swaying(stance: Stance, now: float, sway: NDArray[np.float64]) -> Stance:
    """Nobody stands quite still."""
    waves = np.sin(np.array([1.1, 1.7, 2.3, 0.9, 1.3, 0.5]) * now * 2 + sway)
    return replace(
        stance,
        yaw_deg=stance.yaw_deg + float(waves[0]),
        pitch_deg=stance.pitch_deg + float(waves[1]),
        roll_deg=1.5 * float(waves[2]),
        scale=stance.scale * (1 + 0.01 * float(waves[3])),
        shift=(0.08 * float(waves[4]), 0.06 * float(waves[5])),
    )


def _flat_sheet(studio: _Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """flat sheets that are turned as asked"""
    challenges = draw_challenges(_CHALLENGES)
    moments = acted(challenges, rng, reach=float(rng.uniform(1.0, 1.7)))
    return studio.judge(challenges, studio.film(portrait, moments, rng, depth=flat_depth))


def _bent_sheet(studio: _Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """bent sheets that are turned as asked"""
    challenges = draw_challenges(_CHALLENGES)
    depth = bent_depth(radius=float(rng.uniform(1.0, 3.0)), axis_deg=float(rng.uniform(-25, 25)))
    moments = acted(challenges, rng, reach=float(rng.uniform(1.0, 1.6)))
    return studio.judge(challenges, studio.film(portrait, moments, rng, depth=depth))


def _screen(studio: _Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """still photos on screens, with moiré"""
    challenges = draw_challenges(_CHALLENGES)
    rows, columns = np.mgrid[: portrait.photo.shape[0], : portrait.photo.shape[1]]
    period, angle = rng.uniform(2.5, 6), rng.uniform(0, np.pi)
    stripes = 1 + 0.08 * np.sin(2 * np.pi * (columns * np.cos(angle) + rows * np.sin(angle)) / period)

    def moire(image: Image) -> Image:
        striped: Image = np.clip(image * stripes[..., None], 0, 255).astype(np.uint8)
        return striped

    moments = acted(challenges, rng, reach=1.4)
    return studio.judge(challenges, studio.film(portrait, moments, rng, depth=flat_depth, touch=moire))


def _replay(studio: _Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """replays of an earlier session, encoded again"""
    earlier, now = draw_challenges(_CHALLENGES), draw_challenges(_CHALLENGES)
    moments = acted(earlier, rng)
    first = list(studio.film(portrait, moments, np.random.default_rng(1)))
    second = list(studio.film(portrait, moments, np.random.default_rng(2)))
    seen = share_seen_before(b"".join(f.sketch for f in second), b"".join(f.sketch for f in first))
    judgement = studio.judge(now, second)
    return replace(judgement, passed=False, reason=Reason.REPLAYED) if seen > MAX_SEEN_BEFORE else judgement


def _two_people(studio: _Studio, portrait: Portrait, other: Portrait, rng: Generator) -> Judgement:
    """sequences that somebody else takes over"""
    challenges = draw_challenges(_CHALLENGES)
    moments = acted(challenges, rng)
    middle = int(rng.integers(len(moments) // 4, 3 * len(moments) // 4))
    frames = chain(studio.film(portrait, moments[:middle], rng), studio.film(other, moments[middle:], rng))
    return studio.judge(challenges, frames)


def _stills(studio: _Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """photos of each pose, swapped as asked"""
    challenges = draw_challenges(_CHALLENGES)
    moments = [(at_ms, _stepped(stance)) for at_ms, stance in acted(challenges, rng)]
    return studio.judge(challenges, studio.film(portrait, moments, rng))


def _stepped(stance: Stance) -> Stance:
    turned = max(abs(stance.yaw_deg) / 24, abs(stance.pitch_deg) / 16, (stance.scale - 1) / 0.4) > 0.5
    if not turned:
        return replace(stance, yaw_deg=0.0, pitch_deg=0.0, scale=1.0)
    yaw = 27.0 * np.sign(stance.yaw_deg) if abs(stance.yaw_deg) > 8 else 0.0
    pitch = (26.0 if stance.pitch_deg > 0 else -20.0) if abs(stance.pitch_deg) > 8 else 0.0
    return replace(stance, yaw_deg=float(yaw), pitch_deg=pitch, scale=1.45 if stance.scale > 1.2 else 1.0)


def _cut(studio: _Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """sequences put together from two recordings"""
    challenges = draw_challenges(_CHALLENGES)
    moments = acted(challenges, rng)
    middle = int(rng.integers(len(moments) // 4, 3 * len(moments) // 4))
    place = tuple(rng.choice([-1, 1], 2) * rng.uniform(0.5, 1.0, 2))
    factor = float(rng.choice([0.8, 1.25]))
    later = [
        (at, replace(p, shift=(p.shift[0] + place[0], p.shift[1] + place[1]), scale=p.scale * factor))
        for at, p in moments[middle:]
    ]
    frames = chain(studio.film(portrait, moments[:middle], rng), studio.film(portrait, later, rng))
    return studio.judge(challenges, frames)


def _other_order(studio: _Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """videos of other movements"""
    challenges = draw_challenges(_CHALLENGES)
    others = draw_challenges(_CHALLENGES)
    while others == challenges:
        others = draw_challenges(_CHALLENGES)
    return studio.judge(challenges, studio.film(portrait, acted(others, rng), rng))


_ATTACKS = (_flat_sheet, _bent_sheet, _screen, _replay, _two_people, _stills, _cut, _other_order)
