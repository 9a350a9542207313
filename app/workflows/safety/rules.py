"""What is watched for at a camera, where, and when a person there is an intruder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time

from app.core.anomalies import AnomalyType
from app.types import Box
from app.workflows.safety.areas import Areas
from app.workflows.safety.judgement import Confirmation
from app.workflows.safety.lines import CrossingLine
from app.workflows.safety.schedules import Schedule, Window, weekdays
from app.workflows.safety.zones import Zone, foot_point, zone_of

DEFAULT_ANOMALIES = ("fire", "flood")
LOITERING, LINE_CROSSED = "loitering", "line_crossed"
ABOUT_PEOPLE = frozenset({AnomalyType.INTRUSION.value, LOITERING, LINE_CROSSED})
"""Types of incident that no picture shows by itself."""

# Fire may not wait; smoke and water are taken for haze and a shining floor more often. At two frames a second the
# slowest of these is decided within three seconds.
_CONFIRMATIONS = {
    "fire": Confirmation(needed=2, window=3),
    "smoke": Confirmation(needed=3, window=5),
    "flood": Confirmation(needed=3, window=5),
    "intrusion": Confirmation(needed=2, window=4, quiet_s=15.0),
    # Who has stayed that long was seen often enough.
    LOITERING: Confirmation(needed=1, window=1, quiet_s=15.0),
}


@dataclass(frozen=True, slots=True)
class IntrusionRule:
    """When a person counts as an intruder.

    Attributes:
        zones: where; none means anywhere in the picture.
        schedule: when.
        min_dwell_s: how long somebody has to stay; only a camera's own stream can tell.
        suppress_staff: whether staff who are recognised, live, may be there.
    """

    zones: tuple[Zone, ...]
    schedule: Schedule
    min_dwell_s: float
    suppress_staff: bool

    def forbids(self, box: Box, moment: datetime, *, width: int, height: int) -> tuple[bool, Zone | None]:
        """Whether a person with that box may not be there at ``moment``, and the zone.

        Args:
            width: of the picture, in pixels, like ``height``.
        """
        if not self.schedule.in_force(moment):
            return False, None
        if not self.zones:
            return True, None
        zone = zone_of(foot_point(box, width=width, height=height), self.zones)
        return zone is not None, zone


@dataclass(frozen=True, slots=True)
class PeopleZone:
    """A zone in which people are counted. ``loiter_s``: staying longer raises an alarm; None: nobody minds."""

    zone: Zone
    loiter_s: float | None = None


@dataclass(frozen=True, slots=True)
class PeopleRule:
    """People who may be there, but are counted, in zones and across lines, and may not stay too long."""

    zones: tuple[PeopleZone, ...] = ()
    lines: tuple[CrossingLine, ...] = ()


@dataclass(frozen=True, slots=True)
class CameraRules:
    """What is watched for, and where.

    Attributes:
        confirmation: overrides how sure to be, for all types alike.
        attendance_line: whose crossing is coming or going; without one, being seen is coming.
    """

    anomalies: tuple[str, ...] = DEFAULT_ANOMALIES
    intrusion: IntrusionRule | None = None
    confirmation: tuple[int, int] | None = None
    areas: Areas = field(default_factory=Areas)
    people: PeopleRule | None = None
    attendance_line: CrossingLine | None = None

    def confirmation_of(self, anomaly_type: str, *, interval_s: float) -> Confirmation:
        """How sure the worker has to be of a type.

        Args:
            interval_s: between two frames of the camera: of a slow one, older frames count too.
        """
        usual = _CONFIRMATIONS[anomaly_type]
        needed, window = self.confirmation or (usual.needed, usual.window)
        return Confirmation(
            needed=needed,
            window=window,
            window_s=max(usual.window_s, window * interval_s),
            quiet_s=max(usual.quiet_s, 2 * interval_s),
        )


def make_window(days: Sequence[str], begins: time, ends: time) -> Window:
    """A weekly window; no days means every day."""
    return Window(weekdays(days), begins, ends)
