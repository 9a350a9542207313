"""Rules as JSON in the camera's row; what was stored before there were areas and lines is read as none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from app.core.anomalies import AnomalyType
from app.types import Severity
from app.workflows.safety.areas import Area, Areas
from app.workflows.safety.lines import CrossingLine, Direction, make_line
from app.workflows.safety.rules import CameraRules, IntrusionRule, PeopleRule, PeopleZone, make_window
from app.workflows.safety.schedules import WEEKDAYS, Schedule
from app.workflows.safety.zones import Zone, make_zone

Json = dict[str, object]
Stored = Mapping[str, Any]  # as ``rules_to_json`` wrote it


def rules_to_json(rules: CameraRules) -> Json:
    """The form in which rules are stored; ``rules_from_json`` reads it back."""
    return {
        "anomalies": list(rules.anomalies),
        "intrusion": _intrusion_to_json(rules.intrusion) if rules.intrusion else None,
        "confirmation": list(rules.confirmation) if rules.confirmation else None,
        "masks": [_area_to_json(area) for area in rules.areas.masks],
        "zones": [_area_to_json(area) for area in rules.areas.zones],
        "people": _people_to_json(rules.people) if rules.people else None,
        "attendance_line": _line_to_json(rules.attendance_line) if rules.attendance_line else None,
    }


def rules_from_json(stored: Stored) -> CameraRules:
    """Rules as ``rules_to_json`` wrote them."""
    confirmation, people, line = stored["confirmation"], stored.get("people"), stored.get("attendance_line")
    return CameraRules(
        anomalies=tuple(stored["anomalies"]),
        intrusion=_intrusion_from_json(stored["intrusion"]) if stored["intrusion"] else None,
        confirmation=(confirmation[0], confirmation[1]) if confirmation else None,
        areas=Areas(_areas_from_json(stored.get("masks", ())), _areas_from_json(stored.get("zones", ()))),
        people=_people_from_json(people) if people else None,
        attendance_line=_line_from_json(line) if line else None,
    )


def _zone_to_json(zone: Zone) -> Json:
    return {"name": zone.name, "points": [list(point) for point in zone.points], "severity": zone.severity}


def _zone_from_json(stored: Stored) -> Zone:
    severity = stored.get("severity")
    points = [(x, y) for x, y in stored["points"]]
    return make_zone(stored["name"], points, severity=Severity(severity) if severity else None)


def _line_to_json(line: CrossingLine) -> Json:
    return {
        "name": line.name,
        "points": [list(line.begins), list(line.ends)],
        "alerts": sorted(line.alerts),
        "severity": line.severity,
    }


def _line_from_json(stored: Stored) -> CrossingLine:
    (x1, y1), (x2, y2) = stored["points"]
    alerts = frozenset(Direction(name) for name in stored["alerts"])
    return make_line(stored["name"], ((x1, y1), (x2, y2)), alerts=alerts, severity=Severity(stored["severity"]))


def _area_to_json(area: Area) -> Json:
    return {**_zone_to_json(area.zone), "types": list(area.types)}


def _areas_from_json(stored: Sequence[Stored]) -> tuple[Area, ...]:
    return tuple(Area(_zone_from_json(area), tuple(AnomalyType(name) for name in area["types"])) for area in stored)


def _people_to_json(rule: PeopleRule) -> Json:
    return {
        "zones": [{**_zone_to_json(one.zone), "loiter_s": one.loiter_s} for one in rule.zones],
        "lines": [_line_to_json(line) for line in rule.lines],
    }


def _people_from_json(stored: Stored) -> PeopleRule:
    return PeopleRule(
        zones=tuple(PeopleZone(_zone_from_json(zone), zone["loiter_s"]) for zone in stored["zones"]),
        lines=tuple(_line_from_json(line) for line in stored["lines"]),
    )


def _intrusion_to_json(rule: IntrusionRule) -> Json:
    return {
        "zones": [_zone_to_json(zone) for zone in rule.zones],
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


def _intrusion_from_json(stored: Stored) -> IntrusionRule:
    windows = tuple(
        make_window(window["days"], time.fromisoformat(window["begins"]), time.fromisoformat(window["ends"]))
        for window in stored["windows"]
    )
    return IntrusionRule(
        zones=tuple(_zone_from_json(zone) for zone in stored["zones"]),
        schedule=Schedule(windows, ZoneInfo(stored["timezone"])),
        min_dwell_s=stored["min_dwell_s"],
        suppress_staff=stored["suppress_staff"],
    )
