"""What is found in a frame, and the pictures that are kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.services.stores.incident_store import IncidentKey
from app.types import Box, Severity


class Origin(StrEnum):
    """How a frame came."""

    REQUEST = "request"
    CAMERA = "camera"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Finding:
    """One anomaly in one frame.

    ``alert``: whether it is reason enough for an incident. ``water`` and ``reliability``: as ``Anomaly`` has them.
    """

    anomaly_type: str
    confidence: float
    box: Box | None
    severity: Severity
    description: str
    alert: bool
    zone: str | None = None
    water: str | None = None
    reliability: str = "untested"

    @property
    def rectangle(self) -> dict[str, int] | None:
        """Where it is, as events and rows have it; None where the frame as a whole says so."""
        return None if self.box is None else self.box.rectangle()


@dataclass(frozen=True, slots=True)
class FramePictures:
    """One frame as JPEGs.

    Attributes:
        shown: for whoever may read incidents; faces of people who are not concerned are blurred.
        marked: the same with the boxes of what is reason for an incident; None where there is none.
        original: as the camera saw it, for incidents; None where ``shown`` is that already.
    """

    shown: bytes
    marked: bytes | None = None
    original: bytes | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The frame that findings come from.

    Attributes:
        taken_at: the client's moment, or when the camera's frame was read.
        epoch: of the camera worker's lease; None for frames that came by request.
        actor: whose request it came by; None for frames of our own workers.
    """

    camera_id: str
    pictures: FramePictures
    taken_at: datetime
    origin: Origin
    epoch: int | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a finding. ``alerted``: it began an incident, and its alert is on the way."""

    detection_id: int
    incident: IncidentKey | None
    alerted: bool

    @property
    def incident_id(self) -> int | None:
        return self.incident.id if self.incident else None
