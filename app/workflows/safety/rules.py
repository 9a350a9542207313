"""What is watched for at a camera, and when a person there is an intruder. Kept as JSON in the camera's row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from app.types import Box
from app.workflows.safety.judgement import Confirmation
from app.workflows.safety.schedules import WEEKDAYS, Schedule, Window, weekdays
from app.workflows.safety.zones import Zone, foot_point, make_zone, zone_of

DEFAULT_ANOMALIES = ("fire", "flood")

# Fire may not wait; smoke and water are taken for haze and a shining floor more often. At two frames a second the
# slowest of these is decided within three seconds.
_CONFIRMATIONS = {
    "fire": Confirmation(needed=2, window=3),
    "smoke": Confirmation(needed=3, window=5),
    "flood": Confirmation(needed=3, window=5),
    "intrusion": Confirmation(needed=2, window=4, quiet_s=15.0),
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

    def forbids(self, box: Box, moment: datetime, *, width: int, height: int) -> tuple[bool, str | None]:
        """Whether a person with that box may not be there at ``moment``, and the zone's name.

        Args:
            width: of the picture, in pixels, like ``height``.
        """
        if not self.schedule.in_force(moment):
            return False, None
        if not self.zones:
            return True, None
        zone = zone_of(foot_point(box, width=width, height=height), self.zones)
        return (True, zone.name) if zone else (False, None)


@dataclass(frozen=True, slots=True)
class CameraRules:
    """What is watched for. ``confirmation`` overrides how sure to be, for all types alike."""

    anomalies: tuple[str, ...] = DEFAULT_ANOMALIES
    intrusion: IntrusionRule | None = None
    confirmation: tuple[int, int] | None = None

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


def rules_to_json(rules: CameraRules) -> dict[str, object]:
    """The form in which rules are stored; ``rules_from_json`` reads it back."""
    return {
        "anomalies": list(rules.anomalies),
        "intrusion": _intrusion_to_json(rules.intrusion) if rules.intrusion else None,
        "confirmation": list(rules.confirmation) if rules.confirmation else None,
    }


def _intrusion_to_json(rule: IntrusionRule) -> dict[str, object]:
    return {
        "zones": [{"name": zone.name, "points": [list(point) for point in zone.points]} for zone in rule.zones],
        "windows": [
            {
                "days": [WEEKDAYS[day] for day in sorted(window.days)],
                "begins": window.begins.isoformat("minutes"),
                "ends": window.ends.isoformat("minutes"),
            }
            for window in rule.schedule.windows
        ],
        "timezone": rule.schedule.zone.key,
        "min_dwell_s": rule.min_dwell_s,
        "suppress_staff": rule.suppress_staff,
    }


def rules_from_json(stored: Mapping[str, Any]) -> CameraRules:
    """Rules as ``rules_to_json`` wrote them."""
    confirmation = stored["confirmation"]
    return CameraRules(
        anomalies=tuple(stored["anomalies"]),
        intrusion=_intrusion_from_json(stored["intrusion"]) if stored["intrusion"] else None,
        confirmation=(confirmation[0], confirmation[1]) if confirmation else None,
    )


def _intrusion_from_json(stored: Mapping[str, Any]) -> IntrusionRule:
    windows = tuple(
        make_window(window["days"], time.fromisoformat(window["begins"]), time.fromisoformat(window["ends"]))
        for window in stored["windows"]
    )
    return IntrusionRule(
        zones=tuple(make_zone(zone["name"], [(x, y) for x, y in zone["points"]]) for zone in stored["zones"]),
        schedule=Schedule(windows, ZoneInfo(stored["timezone"])),
        min_dwell_s=stored["min_dwell_s"],
        suppress_staff=stored["suppress_staff"],
    )
