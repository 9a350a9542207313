"""A fire that begins in a scene in which nothing ever happened: whether and when a camera tells it.

The scenes are photos of harmless places, look-alikes among them, held still as by a steady camera; their suspicious
views are the camera's baseline, as hours of watching would have made it. Then flames that were cut out of photos of
burning rooms are set in: they flicker, and grow from a candle's size on. The heads saw neither source, of scenes nor of
flames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from app.core.anomalies import BURNING, AnomalyDetector
from app.core.usual_scene import UsualPlace, UsualScene
from app.types import Image
from app.workflows.cameras.unrest import Unrest
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.safety.rules import CameraRules
from evaluation.figures import Share
from evaluation.safety.hazards import NOT_COUNTED, Detectors
from evaluation.safety.steady_camera import held_still, taken_again
from scripts.hazards.drawn_flames import CutFlames, cut_flames, set_in
from scripts.hazards.made import MadeFrames
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.recipes import HAZARD_RECIPES
from scripts.hazards.rows import FrameRows
from scripts.hazards.training import judge
from scripts.heads.photos import open_photo

_FPS = 2
_QUIET, _BURNING = 4, 12  # frames
_SOON = 6
_SHARES = (0.003, 0.06)  # of the frame, at first and at last
_UNSEEN = "a fire begins"
_SCENES_OF = {"cctv_normal, small sources": 8, "rooms": 18}  # every so-manieth photo
_FLAMES_OF = "tmdeptrai/"


@dataclass(frozen=True, slots=True)
class Course:
    """What one scene brought. ``at``: the burning frame that raised the incident, from 1; None if none did."""

    alarmed_without_baseline: bool
    alarmed: bool
    at: int | None


def fires_that_begin(photos: Sequence[HazardPhoto], rows: FrameRows, made: MadeFrames, parts: Detectors) -> list[Share]:
    """Shares of scenes: quiet ones with an incident, and fires found soon and at all."""
    merged = [_relabelled(photo) for photo in photos]
    made = replace(made, made_of=[tuple(map(_relabelled, of)) for of in made.made_of])
    judged = {
        recipe.question.name: judge(replace(recipe.question, by_scene=frozenset()), merged, rows, made)
        for recipe in HAZARD_RECIPES
    }
    unseen = next(photo for photo in merged if photo.source == _UNSEEN)
    detector = parts.that_never_saw(unseen, judged)
    scenes = _scenes(photos)
    cuts = [cut for cut in map(cut_flames, map(_open, _burning(photos))) if cut is not None]
    rng = np.random.default_rng(0)
    courses = [watch(detector, _open(scene), cuts[number % len(cuts)], rng) for number, scene in enumerate(scenes)]
    n = len(courses)
    found = [course.at for course in courses if course.at is not None]
    return [
        Share("quiet scenes with an incident, no baseline", sum(c.alarmed_without_baseline for c in courses), n),
        Share("quiet scenes with an incident", sum(course.alarmed for course in courses), n, 0.0, "lower"),
        Share(f"a fire begins in them: told within {_SOON} frames", sum(at <= _SOON for at in found), n),
        Share(f"a fire begins in them: told within {_BURNING} frames", len(found), n),
    ]


def _relabelled(photo: HazardPhoto) -> HazardPhoto:
    is_unseen = photo.source in _SCENES_OF or photo.source.startswith(_FLAMES_OF)
    return replace(photo, source=_UNSEEN) if is_unseen else photo


def _scenes(photos: Sequence[HazardPhoto]) -> list[HazardPhoto]:
    chosen = [one for source, step in _SCENES_OF.items() for one in [p for p in photos if p.source == source][::step]]
    alike = [one for one in photos if one.folder == "lookalikes" and one.source.startswith(_FLAMES_OF)]
    return chosen + [one for one in alike if one.kind not in NOT_COUNTED][::10]


def _burning(photos: Sequence[HazardPhoto]) -> list[HazardPhoto]:
    return [one for one in photos if one.folder == "fire_indoor" and one.burning and one.source.startswith(_FLAMES_OF)]


def _open(photo: HazardPhoto) -> Image:
    return open_photo(photo.path)


def watch(detector: AnomalyDetector, scene: Image, flames: CutFlames, rng: np.random.Generator) -> Course:
    """Show a scene to a camera's watch, quiet at first and burning then."""
    learnt = detector.examine(taken_again(scene, 0, rng), BURNING).suspects
    usual = UsualScene([UsualPlace(one.view, one.row) for one in learnt]) if learnt else None
    quiet = held_still(scene, rng, frames=_QUIET)
    at = (float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.4, 0.85)))
    shares = np.geomspace(*_SHARES, _BURNING)
    burning = [
        taken_again(set_in(scene, flames, share=share, at=at, rng=rng), _QUIET + number, rng)
        for number, share in enumerate(shares)
    ]
    alarms = _alarms(detector, [*quiet, *burning], usual)
    return Course(
        alarmed_without_baseline=bool(_alarms(detector, quiet, None)),
        alarmed=any(number < _QUIET for number in alarms),
        at=next((number - _QUIET + 1 for number in alarms if number >= _QUIET), None),
    )


def _alarms(detector: AnomalyDetector, frames: Sequence[Image], usual: UsualScene | None) -> list[int]:
    """Numbers of the frames at which something is written down."""
    judges, unrest, moment = AnomalyWatch(CameraRules(), interval_s=1 / _FPS), Unrest(), datetime.now(UTC)
    raised = []
    for number, frame in enumerate(frames):
        now_s, size = number / _FPS, (frame.shape[1], frame.shape[0])
        anomalies = detector.examine(frame, BURNING, usual).anomalies
        unrest.see(frame, now_s)
        if judges.see(anomalies, BURNING, staff=[], size=size, moment=moment, now_s=now_s, unrest=unrest):
            raised.append(number)
    return raised
