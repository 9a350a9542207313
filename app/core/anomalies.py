"""What a detector of hazards and people reports, whichever networks are behind it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.types import Box, Image


class AnomalyType(StrEnum):
    """What can be wrong in a frame. ``INTRUSION`` means a person; whether they may be there is no matter of
    pixels."""

    FIRE = "fire"
    SMOKE = "smoke"
    FLOOD = "flood"
    INTRUSION = "intrusion"


class WaterKind(StrEnum):
    """Where water is: a lake and a wet street are of less concern than a floor."""

    STANDING = "standing_water"
    OUTDOOR = "outdoor_water"


class Reliability(StrEnum):
    """Among which photos the figures of this kind of finding were measured: those of such a place, or none."""

    INDOOR = "indoor"
    OUTDOOR = "outdoor"
    UNTESTED = "untested"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something found in a frame.

    Attributes:
        confidence: calibrated, 0 to 1.
        box: where; None where the picture as a whole says so.
        reaches_alert: whether the confidence reaches the type's alert threshold in the head's file.
        water: of a flood, where it is.
        reliability: what is known of such findings in such a place; of a person always ``INDOOR``.
    """

    type: AnomalyType
    confidence: float
    box: Box | None
    reaches_alert: bool
    water: WaterKind | None = None
    reliability: Reliability = Reliability.UNTESTED


class AnomalyDetector(Protocol):
    """Looks at one frame; synchronous, on a thread of the ``InferencePool``."""

    def detect(self, image: Image, types: Set[AnomalyType]) -> list[Anomaly]:
        """What of ``types`` is in the picture, surest first; networks that no type needs are not run.

        Args:
            image: (height, width, 3) uint8 BGR.
        """
        ...

    def warm_up(self) -> None:
        """Every network once."""
        ...
