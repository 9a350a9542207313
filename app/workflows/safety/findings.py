"""From what a frame shows to what is said of it: severity, words, and whether it is reason for an incident."""

from __future__ import annotations

from datetime import datetime

from app.core.anomalies import Anomaly, AnomalyType
from app.types import Severity
from app.workflows.safety.incidents import Finding
from app.workflows.safety.rules import IntrusionRule

_SURE = 0.85

_DESCRIPTIONS = {
    AnomalyType.FIRE: "Fire detected",
    AnomalyType.SMOKE: "Smoke detected",
    AnomalyType.FLOOD: "Water pooling detected on floor",
    AnomalyType.INTRUSION: "Person detected",
}


def hazard_finding(anomaly: Anomaly) -> Finding:
    """A finding about fire, smoke or water."""
    sure = anomaly.type is AnomalyType.FIRE or anomaly.confidence >= _SURE
    return Finding(
        anomaly_type=anomaly.type.value,
        confidence=anomaly.confidence,
        box=anomaly.box,
        severity=Severity.HIGH if sure else Severity.MEDIUM,
        description=_DESCRIPTIONS[anomaly.type],
        alert=anomaly.reaches_alert,
    )


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
        description = f"Person in restricted zone {zone}" if zone else "Person in a restricted area"
    return Finding(
        anomaly_type=AnomalyType.INTRUSION.value,
        confidence=person.confidence,
        box=person.box,
        severity=Severity.HIGH if alert else Severity.LOW,
        description=description,
        alert=alert,
        zone=zone if alert else None,
    )
