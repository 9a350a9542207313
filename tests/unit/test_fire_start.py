"""The replay of a fire that begins in a quiet scene, judged by a detector that sees orange."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from app.core.anomalies import Anomaly, AnomalyType, Examination, Suspect
from app.core.usual_scene import UsualScene
from app.types import Box, Image
from evaluation.safety.fire_start import watch
from scripts.hazards.drawn_flames import cut_flames
from tests.unit.test_drawn_flames import burning

GREY = np.full((120, 160, 3), 90, np.uint8)
_LAMP = np.s_[10:30, 10:30]


class OrangeDetector:
    """Alerts for orange in the picture, in the lamp's corner only where that is not usual."""

    def __init__(self, *, at_least_px: int) -> None:
        self._at_least_px = at_least_px

    def warm_up(self) -> None:
        """Nothing to warm."""

    @property
    def views_id(self) -> str:
        return "orange"

    def examine(self, image: Image, types: Set[AnomalyType], usual: UsualScene | None = None) -> Examination:
        del types
        orange = (image[..., 2] > 200) & (image[..., 0] < 120)
        lamp = orange[_LAMP].sum() > 100
        if usual is not None:
            orange[_LAMP] = False
        found = orange.sum() >= self._at_least_px
        seen = [Anomaly(AnomalyType.FIRE, 0.9, Box(0, 0, 160, 120), reaches_alert=True)] if found else []
        suspects = (Suspect(0, np.ones(1, np.float32), frozenset({AnomalyType.FIRE})),) if lamp else ()
        return Examination(seen, suspects)


def replay(scene: Image, *, at_least_px: int = 150) -> tuple[bool, bool, int | None]:
    flames = cut_flames(burning())
    assert flames is not None
    course = watch(OrangeDetector(at_least_px=at_least_px), scene, flames, np.random.default_rng(0))
    return course.alarmed_without_baseline, course.alarmed, course.at


def test_a_fire_is_told_once_it_is_large_enough_and_was_seen_twice() -> None:
    without, quiet, at = replay(GREY)
    assert (without, quiet) == (False, False)
    assert at is not None
    assert 3 <= at <= 10


def test_a_fire_that_is_never_seen_is_not_told() -> None:
    assert replay(GREY, at_least_px=10**6) == (False, False, None)


def test_a_lamp_that_always_flickers_is_no_fire_and_hides_none() -> None:
    scene = GREY.copy()
    scene[_LAMP] = (30, 120, 250)
    without, quiet, at = replay(scene)
    assert not without, "it stays as it is"
    assert not quiet
    assert at is not None
