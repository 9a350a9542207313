"""How a person moves who does as asked, and how somebody does who only pretends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.core.active_liveness.challenges import Challenge
from evaluation.faces.rendered import Stance

Moments = list[tuple[int, Stance]]

_FRAME_S = 0.15


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
