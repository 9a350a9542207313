"""What a detector of hazards and people reports, whichever networks are behind it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from app.core.usual_scene import UsualScene
from app.types import Box, FloatArray, Image


class AnomalyType(StrEnum):
    """What can be wrong in a frame. ``INTRUSION`` means a person; whether they may be there is no matter of
    pixels."""

    FIRE = "fire"
    SMOKE = "smoke"
    FLOOD = "flood"
    INTRUSION = "intrusion"


BURNING = frozenset({AnomalyType.FIRE, AnomalyType.SMOKE})


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
        extent: share of the frame's tiles that look like fire or smoke by themselves; 0 of water and people.
    """

    type: AnomalyType
    confidence: float
    box: Box | None
    reaches_alert: bool
    water: WaterKind | None = None
    reliability: Reliability = Reliability.UNTESTED
    extent: float = 0.0


@dataclass(frozen=True, slots=True)
class Suspect:
    """A view of a frame that looks like a hazard by itself, whether or not anything is told of the frame.

    Attributes:
        view: its number among the frame's views.
        row: (d,) float32 features of unit length.
        types: the hazards that it looks like.
    """

    view: int
    row: FloatArray
    types: frozenset[AnomalyType]


@dataclass(frozen=True, slots=True)
class Examination:
    """What one frame shows, surest first.

    Attributes:
        suspects: the views that look like a hazard, for the camera to learn what it always sees.
        held_back: hazards that would be reason for an alert, did not the camera always see what looks like them.
        scores: by head that was asked, what it says of the frame by itself, as a probability; told of drift alone.
    """

    anomalies: list[Anomaly]
    suspects: tuple[Suspect, ...] = ()
    held_back: frozenset[AnomalyType] = frozenset()
    scores: Mapping[str, float] = field(default_factory=dict)


class AnomalyDetector(Protocol):
    """Looks at one frame; synchronous, on a thread of the ``InferencePool``."""

    @property
    def views_id(self) -> str:
        """Names network and views: suspects of other ones can't be compared."""
        ...

    def examine(self, image: Image, types: Set[AnomalyType], usual: UsualScene | None = None) -> Examination:
        """What of ``types`` is in the picture; networks that no type needs are not run.

        Args:
            image: (height, width, 3) uint8 BGR.
            usual: what its camera always sees, which is no news.
        """
        ...

    def warm_up(self) -> None:
        """Every network once."""
        ...
