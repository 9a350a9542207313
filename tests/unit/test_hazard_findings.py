"""What is said of fire, smoke and water: never more than what was measured carries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.anomalies import Anomaly, AnomalyType, Reliability, WaterKind
from app.ml_models.heads import HEADS_DIR, read_head_file
from app.types import Box, Severity
from app.workflows.safety.findings import hazard_finding

SIZE = (640, 480)
INDOORS = Anomaly(
    AnomalyType.FLOOD, 0.999, None, reaches_alert=True, water=WaterKind.STANDING, reliability=Reliability.UNTESTED
)
SMOKE = Anomaly(AnomalyType.SMOKE, 0.9, Box(0, 0, 20, 20), reaches_alert=True, reliability=Reliability.INDOOR)


def test_water_indoors_is_shipped_as_untested() -> None:
    assert "indoor" not in read_head_file(HEADS_DIR / "hazard_flood.json").reliability.get("flood", ())


@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("box", [None, Box(0, 0, 640, 480)])
def test_untested_water_is_never_a_high_alert_however_sure_and_large(box: Box | None, grows: bool) -> None:
    found = hazard_finding(replace(INDOORS, box=box), size=SIZE, grows=grows)
    assert (found.alert, found.severity, found.reliability) == (True, Severity.MEDIUM, "untested")


def test_the_same_water_where_it_was_measured_is() -> None:
    assert hazard_finding(replace(INDOORS, reliability=Reliability.INDOOR), size=SIZE).severity is Severity.HIGH


def test_water_outdoors_is_of_low_severity_and_named_so() -> None:
    found = hazard_finding(replace(INDOORS, water=WaterKind.OUTDOOR, reliability=Reliability.OUTDOOR), size=SIZE)
    assert (found.severity, found.water, found.description) == (Severity.LOW, "outdoor_water", "Water outdoors")


def test_what_does_not_reach_its_alert_is_a_possibility() -> None:
    found = hazard_finding(replace(INDOORS, reaches_alert=False), size=SIZE)
    assert (found.alert, found.severity) == (False, Severity.LOW)
    assert found.description == "Possible: water pooling detected on floor"


@pytest.mark.parametrize(
    ("smoke", "grows", "expected"),
    [
        (SMOKE, False, Severity.MEDIUM),
        (SMOKE, True, Severity.HIGH),
        (replace(SMOKE, box=Box(0, 0, 320, 120)), False, Severity.HIGH),
        (replace(SMOKE, box=None, extent=0.45), False, Severity.MEDIUM),
        (replace(SMOKE, box=None, extent=0.5), False, Severity.HIGH),
        (replace(SMOKE, extent=0.5), False, Severity.MEDIUM),  # its box says more
        (replace(SMOKE, confidence=0.95), False, Severity.HIGH),
        (replace(SMOKE, type=AnomalyType.FIRE), False, Severity.HIGH),
    ],
)
def test_smoke_is_graver_where_it_grows_is_large_or_sure_and_flames_always_are(
    smoke: Anomaly, grows: bool, expected: Severity
) -> None:
    assert hazard_finding(smoke, size=SIZE, grows=grows).severity is expected
