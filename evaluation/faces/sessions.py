"""Active liveness sessions, by rendered sequences: photos on solid heads against what attackers hold up or send.

The movements are drawn at random, and every frame goes the service's whole way: JPEG, detection, landmarks, passive
liveness, embedding, judgement.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.random import Generator

from app.core.active_liveness.challenges import Challenge, draw_challenges
from app.core.active_liveness.judge import Judgement, Reason, SessionJudge
from app.core.active_liveness.observation import FrameObserver, SeenFrame, pack, share_seen_before, unpack
from app.core.face_alignment import pose
from app.core.face_recognition import largest_face
from app.core.liveness import surroundings
from app.ml_models.factories.face import FaceEngines
from app.types import Box, FloatArray, Image
from evaluation.faces.movements import Moments, acted
from evaluation.faces.photos import read_image, read_labels, scaled
from evaluation.faces.rendered import Depth, Stance, bent_depth, flat_depth, head_of, render
from evaluation.figures import Share

_SEED = 5
_CHALLENGES = 3
_BATCH = 6
_NOSES = (0.55, 0.75)  # flat and prominent ones; the rules take all for 0.68
_CROP_PX, _ENLARGED = 150, 1.3  # LFW's crops, to which other photos are cut
MAX_SEEN_BEFORE = 0.5

Half = Literal["fitted", "held", "all"]
_HALVES = {"fitted": slice(0, None, 2), "held": slice(1, None, 2), "all": slice(None)}


@dataclass(frozen=True, slots=True)
class Portrait:
    """A photo of one person who looks nearly straight ahead, with the whole face in it.

    Attributes:
        person: a name, or the photo's where there is none.
        nose: how far the tip of the nose stands before the eyes, in distances between them.
    """

    person: str
    photo: Image
    landmarks: FloatArray
    nose: float


def evaluate_sessions(
    engines: FaceEngines, folder: Path, *, sequences: int, half: Half, cache: Path | None = None
) -> list[Share]:
    """Live sequences that pass, why others do not, and attacks that pass, kind by kind.

    Args:
        folder: of the photos, with ``labels.csv``.
        sequences: live ones, each of another photo, and attacks all together.
        half: of the people: the rules were set on one half of faces_lfw and faces_asian.
        cache: a folder that keeps what the frames showed: other rules are then judged without rendering again.
    """
    portraits = list(_portraits(engines, folder, sequences, half=half))
    if cache is not None:
        cache = cache / f"{folder.name}-{half}-{len(portraits)}"
        cache.mkdir(parents=True, exist_ok=True)
    observer = FrameObserver(engines.recognition, engines.liveness.by_networks_alone())
    studio = Studio(observer, SessionJudge(engines.recognition.calibration), cache=cache)
    live = [studio.named(f"live-{i}").live(portrait, _rng(i)) for i, portrait in enumerate(portraits)]
    shares = [_share("live sequences that pass", live, target=0.97, better="higher"), *_refusals(live)]
    for kind, attack in enumerate(_ATTACKS):
        judged = [
            attack(
                studio.named(f"{kind}-{i}"),
                portraits[(i * len(_ATTACKS) + kind) % len(portraits)],
                _stranger_to(i * len(_ATTACKS) + kind, portraits),
                _rng(1000 * (kind + 1) + i),
            )
            for i in range(-(-sequences // len(_ATTACKS)))
        ]
        shares.append(_share(f"{attack.__doc__} that pass", judged, target=0.0, better="lower"))
    return shares


def _refusals(live: Sequence[Judgement]) -> list[Share]:
    reasons = Counter(judgement.reason for judgement in live if not judgement.passed)
    return [Share(f"live sequences refused: {reason or 'cut'}", n, len(live)) for reason, n in reasons.most_common()]


def _stranger_to(index: int, portraits: Sequence[Portrait]) -> Portrait:
    """Somebody else's."""
    turned = [*portraits[index % len(portraits) :], *portraits[: index % len(portraits)]]
    return next(one for one in turned if one.person != turned[0].person)


def _share(name: str, judged: Sequence[Judgement], *, target: float, better: Literal["higher", "lower"]) -> Share:
    return Share(name, sum(one.passed for one in judged), len(judged), target=target, better=better)


def _rng(index: int) -> Generator:
    return np.random.default_rng((_SEED, index))


def _portraits(engines: FaceEngines, folder: Path, count: int, *, half: Half) -> Iterator[Portrait]:
    found = 0
    for person, file in _photos(folder, half):
        photo = read_image(folder / file)
        close = photo if photo.shape[0] <= _CROP_PX else _close_up(engines, photo)
        if close is None:
            continue
        photo = scaled(close, _ENLARGED)
        face = largest_face(engines.recognition.detect_dominant_faces(photo))
        if face is None or not _is_whole(face.box, photo):
            continue
        if abs(pose(face.landmarks).yaw) > 8 or abs(pose(face.landmarks).pitch) > 15:
            continue
        found += 1
        yield Portrait(person, photo, face.landmarks, float(_rng(found).uniform(*_NOSES)))
        if found == count:
            return


def _is_whole(box: Box, photo: Image) -> bool:
    height, width = photo.shape[:2]
    return min(box.x1, box.y1) >= 0 and box.x2 <= width and box.y2 <= height


def _photos(folder: Path, half: Half) -> list[tuple[str, str]]:
    """People, by name or by photo where they have none, and files: a photo of everybody before a second of anybody."""
    people: dict[str, list[str]] = defaultdict(list)
    for row in read_labels(folder):
        if row.get("source") != "rmfrd_subset" and row.get("label") != "covered":  # tight, stretched crops
            people[row["identity"] or row["file"]].append(row["file"])
    chosen = sorted(people)[_HALVES[half]]
    rounds = zip_longest(*([(person, file) for file in people[person]] for person in chosen))
    return [one for one in chain.from_iterable(rounds) if one is not None]


def _close_up(engines: FaceEngines, photo: Image) -> Image | None:
    """A square around the face, as high as LFW's crops; None where there is no face."""
    face = largest_face(engines.recognition.detect_dominant_faces(photo))
    return None if face is None else surroundings(photo, face.box, context=1.5, side_px=_CROP_PX)


class Observer(Protocol):
    """As ``FrameObserver``."""

    def observe(self, images: Iterable[tuple[int, Image]]) -> list[SeenFrame]: ...


class Studio:
    """Renders sequences and judges them as the service does."""

    def __init__(self, observer: Observer, judge: SessionJudge, *, cache: Path | None) -> None:
        self._observer, self._judge, self._cache = observer, judge, cache
        self._name, self._films = "", 0

    def named(self, name: str) -> Studio:
        """The sequence that comes next; its films are kept under that name."""
        self._name, self._films = name, 0
        return self

    def live(self, portrait: Portrait, rng: Generator) -> Judgement:
        challenges = _asked(rng)
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
        sheet: Depth | None = None,
        touch: Callable[[Image], Image] | None = None,
    ) -> Iterator[SeenFrame]:
        """The frames as they are asked for; a client sends some at a time.

        Args:
            sheet: what the photo is laid on; the person's head when left out.
        """
        depth = sheet or head_of(portrait.landmarks, nose=portrait.nose)
        light, seed = rng.uniform(0.9, 1.1), int(rng.integers(2**32))
        name = f"{self._name}-{self._films}"
        self._films += 1

        def images(start: int) -> Iterator[tuple[int, Image]]:
            noise = np.random.default_rng((seed, start))
            for at_ms, stance in moments[start : start + _BATCH]:
                image = render(portrait.photo, portrait.landmarks, depth, stance, whole=sheet is not None)
                yield at_ms, recorded(touch(image) if touch else image, noise, light=light, quality=88)

        def frames() -> Iterator[SeenFrame]:
            for start in range(0, len(moments), _BATCH):
                yield from self._kept(f"{name}-{start}", images(start))

        return frames()

    def _kept(self, name: str, images: Iterator[tuple[int, Image]]) -> list[SeenFrame]:
        if self._cache is None:
            return self._observer.observe(images)
        file = self._cache / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps([pack(frame) for frame in self._observer.observe(images)]), encoding="utf-8")
        return [unpack(packed) for packed in json.loads(file.read_text(encoding="utf-8"))]


def _asked(rng: Generator) -> tuple[Challenge, ...]:
    return draw_challenges(_CHALLENGES, random.Random(int(rng.integers(2**32))))


def recorded(image: Image, rng: Generator, *, light: float, quality: int) -> Image:
    """The frame as a camera gives it: noise, light, JPEG."""
    noisy = image.astype(np.float32) * light + rng.normal(0, 1.5, image.shape).astype(np.float32)
    _, data = cv2.imencode(".jpg", np.clip(noisy, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(decoded).astype(np.uint8, copy=False)


def _flat_sheet(studio: Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """flat sheets that are turned as asked"""
    challenges = _asked(rng)
    moments = acted(challenges, rng, reach=float(rng.uniform(1.0, 1.7)))
    return studio.judge(challenges, studio.film(portrait, moments, rng, sheet=flat_depth))


def _bent_sheet(studio: Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """bent sheets that are turned as asked"""
    challenges = _asked(rng)
    sheet = bent_depth(radius=float(rng.uniform(1.0, 3.0)), axis_deg=float(rng.uniform(-25, 25)))
    moments = acted(challenges, rng, reach=float(rng.uniform(1.0, 1.6)))
    return studio.judge(challenges, studio.film(portrait, moments, rng, sheet=sheet))


def _screen(studio: Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """still photos on screens, with moiré"""
    challenges = _asked(rng)
    rows, columns = np.mgrid[: portrait.photo.shape[0], : portrait.photo.shape[1]]
    period, angle = rng.uniform(2.5, 6), rng.uniform(0, np.pi)
    stripes = 1 + 0.08 * np.sin(2 * np.pi * (columns * np.cos(angle) + rows * np.sin(angle)) / period)

    def moire(image: Image) -> Image:
        striped: Image = np.clip(image * stripes[..., None], 0, 255).astype(np.uint8)
        return striped

    moments = acted(challenges, rng, reach=1.4)
    return studio.judge(challenges, studio.film(portrait, moments, rng, sheet=flat_depth, touch=moire))


def _replay(studio: Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """replays of an earlier session, encoded again"""
    earlier, now = _asked(rng), _asked(rng)
    moments = acted(earlier, rng)
    first = list(studio.film(portrait, moments, np.random.default_rng(1)))
    second = list(studio.film(portrait, moments, np.random.default_rng(2)))
    seen = share_seen_before(b"".join(f.sketch for f in second), b"".join(f.sketch for f in first))
    judgement = studio.judge(now, second)
    return replace(judgement, passed=False, reason=Reason.REPLAYED) if seen > MAX_SEEN_BEFORE else judgement


def _two_people(studio: Studio, portrait: Portrait, other: Portrait, rng: Generator) -> Judgement:
    """sequences that somebody else takes over"""
    challenges = _asked(rng)
    moments = acted(challenges, rng)
    middle = int(rng.integers(len(moments) // 4, 3 * len(moments) // 4))
    frames = chain(studio.film(portrait, moments[:middle], rng), studio.film(other, moments[middle:], rng))
    return studio.judge(challenges, frames)


def _stills(studio: Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """photos of each pose, swapped as asked"""
    challenges = _asked(rng)
    moments = [(at_ms, _stepped(stance)) for at_ms, stance in acted(challenges, rng)]
    return studio.judge(challenges, studio.film(portrait, moments, rng))


def _stepped(stance: Stance) -> Stance:
    turned = max(abs(stance.yaw_deg) / 24, abs(stance.pitch_deg) / 16, (stance.scale - 1) / 0.4) > 0.5
    if not turned:
        return replace(stance, yaw_deg=0.0, pitch_deg=0.0, scale=1.0)
    yaw = 27.0 * np.sign(stance.yaw_deg) if abs(stance.yaw_deg) > 8 else 0.0
    pitch = (26.0 if stance.pitch_deg > 0 else -20.0) if abs(stance.pitch_deg) > 8 else 0.0
    return replace(stance, yaw_deg=float(yaw), pitch_deg=pitch, scale=1.45 if stance.scale > 1.2 else 1.0)


def _cut(studio: Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """sequences put together from two recordings"""
    challenges = _asked(rng)
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


def _other_order(studio: Studio, portrait: Portrait, _: Portrait, rng: Generator) -> Judgement:
    """videos of other movements"""
    challenges = _asked(rng)
    others = _asked(rng)
    while others == challenges:
        others = _asked(rng)
    return studio.judge(challenges, studio.film(portrait, acted(others, rng), rng))


_ATTACKS = (_flat_sheet, _bent_sheet, _screen, _replay, _two_people, _stills, _cut, _other_order)
