"""From what a frame shows to what is said of it: severity, words, and whether it is reason for an incident."""

from __future__ import annotations

from datetime import datetime

from app.core.anomalies import Anomaly, AnomalyType, Reliability, WaterKind
from app.types import Severity
from app.workflows.safety.incidents import Finding
from app.workflows.safety.lines import CrossingLine, Direction
from app.workflows.safety.rules import LINE_CROSSED, LOITERING, IntrusionRule
from app.workflows.safety.zones import Zone

_SURE = 0.95
_LARGE_SHARE = 0.1  # of the frame
_LARGE_EXTENT = 0.5  # of its tiles, which say less than a box

_DESCRIPTIONS = {
    AnomalyType.FIRE: "Fire detected",
    AnomalyType.SMOKE: "Smoke detected",
    AnomalyType.FLOOD: "Water pooling detected on floor",
    AnomalyType.INTRUSION: "Person detected",
}


def hazard_finding(
    anomaly: Anomaly, *, size: tuple[int, int], zone: Zone | None = None, grows: bool = False
) -> Finding:
    """A finding about fire, smoke or water.

    Args:
        size: width and height of the picture.
        zone: in which it is, where the camera has zones for it; its severity is the alert's.
        grows: whether it has spread over the frames of its camera.
    """
    description = _DESCRIPTIONS[anomaly.type]
    if anomaly.water is WaterKind.OUTDOOR:
        description = "Water outdoors"
    if not anomaly.reaches_alert:
        description = f"Possible: {description[0].lower()}{description[1:]}"
    return Finding(
        anomaly_type=anomaly.type.value,
        confidence=anomaly.confidence,
        box=anomaly.box,
        severity=(zone.severity if zone and anomaly.reaches_alert else None) or _severity(anomaly, size, grows),
        description=f"{description} in zone {zone.name}" if zone else description,
        alert=anomaly.reaches_alert,
        zone=zone.name if zone else None,
        water=anomaly.water.value if anomaly.water else None,
        reliability=anomaly.reliability.value,
    )


def _severity(anomaly: Anomaly, size: tuple[int, int], grows: bool) -> Severity:
    """By what it is, where, how large and whether it spreads. Flames never wait for a second opinion; water is no high
    alert where it was never measured."""
    if not anomaly.reaches_alert or anomaly.water is WaterKind.OUTDOOR:
        return Severity.LOW
    if anomaly.type is AnomalyType.FIRE:
        return Severity.HIGH
    if anomaly.type is AnomalyType.FLOOD and anomaly.reliability is Reliability.UNTESTED:
        return Severity.MEDIUM
    if anomaly.box is None:
        is_large = anomaly.extent >= _LARGE_EXTENT
    else:
        is_large = anomaly.box.area >= _LARGE_SHARE * size[0] * size[1]
    return Severity.HIGH if grows or is_large or anomaly.confidence >= _SURE else Severity.MEDIUM


def person_finding(
    person: Anomaly,
    rule: IntrusionRule | None,
    moment: datetime,
    *,
    size: tuple[int, int],
    is_staff: bool,
) -> Finding:
    """A finding about a person.

    Args:
        rule: of the camera; without one nobody can tell an intruder from a guest, so there is no alert.
        size: width and height of the picture.
        is_staff: whether it is somebody enrolled, recognised live, who may be there where the rule says so.
    """
    forbidden, zone, description = False, None, _DESCRIPTIONS[AnomalyType.INTRUSION]
    if rule is not None and person.box is not None:
        forbidden, zone = rule.forbids(person.box, moment, width=size[0], height=size[1])
        if forbidden and is_staff and rule.suppress_staff:
            forbidden, description = False, "Staff member recognised in a restricted zone"
    alert = forbidden and person.reaches_alert
    if alert:
        description = f"Person in restricted zone {zone.name}" if zone else "Person in a restricted area"
    return Finding(
        anomaly_type=AnomalyType.INTRUSION.value,
        confidence=person.confidence,
        box=person.box,
        severity=((zone and zone.severity) or Severity.HIGH) if alert else Severity.LOW,
        description=description,
        alert=alert,
        zone=zone.name if zone and alert else None,
        reliability=person.reliability.value,
    )


def loitering_finding(person: Anomaly, zone: Zone, *, stayed_s: float) -> Finding:
    """A finding about somebody who has stayed too long."""
    return Finding(
        anomaly_type=LOITERING,
        confidence=person.confidence,
        box=person.box,
        severity=zone.severity or Severity.MEDIUM,
        description=f"Person in zone {zone.name} for {stayed_s:.0f} s",
        alert=True,
        zone=zone.name,
        reliability=person.reliability.value,
    )


def crossing_finding(person: Anomaly, line: CrossingLine, direction: Direction) -> Finding:
    """A finding about somebody who crossed a line in a direction that raises an alarm."""
    return Finding(
        anomaly_type=LINE_CROSSED,
        confidence=person.confidence,
        box=person.box,
        severity=line.severity,
        description=f"Person crossed line {line.name} ({direction.value})",
        alert=True,
        zone=line.name,
        reliability=person.reliability.value,
    )
