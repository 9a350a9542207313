"""What a person is asked to do, in an order that nobody can know before."""

from __future__ import annotations

import random
from enum import StrEnum


class Challenge(StrEnum):
    """One movement. Left and right are the person's own."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    LOOK_UP = "look_up"
    LOOK_DOWN = "look_down"
    COME_CLOSER = "come_closer"


_UNFORESEEN = random.SystemRandom()

TURNS = (Challenge.TURN_LEFT, Challenge.TURN_RIGHT)

INSTRUCTIONS = {
    Challenge.TURN_LEFT: "Turn your head to your left, then look straight again.",
    Challenge.TURN_RIGHT: "Turn your head to your right, then look straight again.",
    Challenge.LOOK_UP: "Lift your chin, then look straight again.",
    Challenge.LOOK_DOWN: "Lower your chin, then look straight again.",
    Challenge.COME_CLOSER: "Come closer, until your face is about half as large again, then move back.",
}


def draw_challenges(count: int, chance: random.Random = _UNFORESEEN) -> tuple[Challenge, ...]:
    """A random sequence, nothing twice in a row, with turns to both sides among them: these alone show depth.

    Args:
        count: at least 2.
        chance: what draws; by default nobody can foresee it.
    """
    while True:
        drawn: list[Challenge] = []
        for _ in range(count):
            drawn.append(chance.choice([kind for kind in Challenge if kind not in drawn[-1:]]))
        if set(TURNS) <= set(drawn):
            return tuple(drawn)
