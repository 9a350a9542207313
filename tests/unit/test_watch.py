"""What a camera's watch makes of a row of frames: confirmation, dwell, schedules, staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.core.anomalies import Anomaly, AnomalyType
from app.types import Box, Severity
from app.workflows.cameras.people import PeopleCount
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.safety.areas import Area, Areas
from app.workflows.safety.incidents import Finding
from app.workflows.safety.lines import CrossingLine, Direction, make_line
from app.workflows.safety.rules import CameraRules, IntrusionRule, PeopleRule, PeopleZone
from app.workflows.safety.schedules import Schedule, Window
from app.workflows.safety.zones import make_zone

NOON = datetime(2025, 1, 17, 12, tzinfo=UTC)
SIZE = (1000, 1000)
LEFT = Box(100, 200, 300, 900)
RIGHT = Box(700, 200, 900, 900)
INTERVAL_S = 0.5


def rules(**intrusion: object) -> CameraRules:
    rule = {"zones": (), "schedule": Schedule((), ZoneInfo("UTC")), "min_dwell_s": 0.0, "suppress_staff": False}
    return CameraRules(("intrusion",), IntrusionRule(**(rule | intrusion)))  # type: ignore[arg-type]  # a builder


def person(box: Box = LEFT) -> Anomaly:
    return Anomaly(AnomalyType.INTRUSION, 0.9, box, reaches_alert=True)


def hazard(kind: AnomalyType, *, reaches_alert: bool = True, extent: float = 0.0) -> Anomaly:
    return Anomaly(kind, 0.8, None, reaches_alert=reaches_alert, extent=extent)


def face_of(box: Box) -> Box:
    middle = (box.x1 + box.x2) / 2
    return Box(middle - 30, box.y1 + 20, middle + 30, box.y1 + 100)


class Camera:
    """A watch, and the clock of its frames."""

    def __init__(self, camera_rules: CameraRules, *, interval_s: float = INTERVAL_S, moment: datetime = NOON) -> None:
        self.watch = AnomalyWatch(camera_rules, interval_s=interval_s)
        self.interval_s = interval_s
        self.moment = moment
        self.now_s = 100.0

    def shows(self, *anomalies: Anomaly, staff: Sequence[Box] = (), times: int = 1) -> list[Finding]:
        """What is written down of so many frames that show this."""
        written = []
        for _ in range(times):
            moment = self.moment + timedelta(seconds=self.now_s)
            written += self.watch.see(
                anomalies, self.watch.types(moment), staff=staff, size=SIZE, moment=moment, now_s=self.now_s
            )
            self.now_s += self.interval_s
        return written


@pytest.mark.parametrize(("kind", "needed"), [(AnomalyType.FIRE, 2), (AnomalyType.SMOKE, 3), (AnomalyType.FLOOD, 3)])
def test_a_hazard_is_written_down_when_enough_frames_show_it(kind: AnomalyType, needed: int) -> None:
    camera = Camera(CameraRules())
    assert camera.shows(hazard(kind), times=needed - 1) == []
    assert camera.watch.is_suspicious
    [finding] = camera.shows(hazard(kind))
    assert (finding.anomaly_type, finding.alert) == (kind.value, True)


def test_an_incident_that_goes_on_gives_a_row_each_ten_seconds() -> None:
    camera = Camera(CameraRules())
    assert len(camera.shows(hazard(AnomalyType.FIRE), times=round(31 / INTERVAL_S))) == 4


def test_smoke_is_graver_once_it_has_spread() -> None:
    camera = Camera(CameraRules())
    extents = [0.1] * 10 + [0.3] * 15
    written = [found for extent in extents for found in camera.shows(hazard(AnomalyType.SMOKE, extent=extent))]
    assert [found.severity for found in written] == [Severity.MEDIUM, Severity.HIGH]


def test_what_does_not_reach_its_threshold_confirms_nothing() -> None:
    assert Camera(CameraRules()).shows(hazard(AnomalyType.FIRE, reaches_alert=False), times=20) == []


def test_a_camera_may_ask_for_more_frames() -> None:
    camera = Camera(CameraRules(confirmation=(5, 6)))
    assert camera.shows(hazard(AnomalyType.FIRE), times=4) == []
    assert len(camera.shows(hazard(AnomalyType.FIRE))) == 1


@pytest.mark.parametrize("interval_s", [0.5, 5.0, 40.0])
def test_an_intruder_has_to_stay_however_slow_the_camera_is(interval_s: float) -> None:
    camera = Camera(rules(min_dwell_s=4 * interval_s), interval_s=interval_s)
    assert camera.shows(person(), times=5) == []
    assert camera.watch.is_suspicious, "somebody who stands still must be looked at again"
    [finding] = camera.shows(person())
    assert (finding.severity, finding.alert) == ("high", True)


def test_somebody_who_passes_through_is_no_intruder() -> None:
    camera = Camera(rules(min_dwell_s=3.0))
    camera.shows(person(), times=4)
    camera.shows(times=8)
    assert not camera.watch.is_suspicious
    assert camera.shows(person(), times=4) == []


def test_each_zone_has_its_own_incident() -> None:
    zones = (
        make_zone("left", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]),
        make_zone("right", [(0.5, 0), (1, 0), (1, 1), (0.5, 1)]),
    )
    found = Camera(rules(zones=zones)).shows(person(LEFT), person(RIGHT), times=2)
    assert sorted(str(finding.zone) for finding in found) == ["left", "right"]


def test_staff_raise_no_alarm_for_their_own_box_only() -> None:
    camera = Camera(rules(suppress_staff=True))
    assert camera.shows(person(LEFT), staff=[face_of(LEFT)], times=6) == []
    [finding] = camera.shows(person(LEFT), person(RIGHT), staff=[face_of(LEFT)], times=2)
    assert finding.box == RIGHT


def test_staff_may_turn_away_for_a_minute() -> None:
    camera = Camera(rules(suppress_staff=True))
    camera.shows(person(), staff=[face_of(LEFT)])
    assert camera.shows(person(), times=round(60 / INTERVAL_S)) == []
    assert len(camera.shows(person(), times=4)) == 1


def test_staff_count_only_where_the_camera_says_so() -> None:
    camera = Camera(rules(suppress_staff=False))
    assert not camera.watch.wants_staff
    assert len(camera.shows(person(), staff=[face_of(LEFT)], times=2)) == 1


def test_people_are_looked_for_only_while_it_is_forbidden() -> None:
    night = Schedule((Window(frozenset(range(7)), time(22), time(6)),), ZoneInfo("Asia/Ho_Chi_Minh"))
    watch = AnomalyWatch(rules(schedule=night), interval_s=INTERVAL_S)
    assert watch.types(datetime(2025, 1, 17, 15, tzinfo=UTC)) == {AnomalyType.INTRUSION}, "22:00 in the hotel"
    assert watch.types(datetime(2025, 1, 17, 23, tzinfo=UTC)) == frozenset()


def test_an_incident_ends_with_its_schedule() -> None:
    morning = Schedule((Window(frozenset(range(7)), time(0), time(6)),), ZoneInfo("UTC"))
    camera = Camera(rules(schedule=morning), moment=datetime(2025, 1, 17, 5, 58, tzinfo=UTC))
    assert len(camera.shows(person(), times=2)) == 1
    camera.shows(person(), times=round(60 / INTERVAL_S))
    assert not camera.watch.is_suspicious, "nobody looks for people any more"


# People who may be there: how many, how long, and which way

LEFT_HALF = make_zone("lobby", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)])
RIGHT_HALF = make_zone("bar", [(0.5, 0), (1, 0), (1, 1), (0.5, 1)], severity=Severity.HIGH)


def counting(*zones: PeopleZone, lines: Sequence[CrossingLine] = ()) -> CameraRules:
    return CameraRules((), people=PeopleRule(zones, tuple(lines)))


def standing_at(y: float) -> Box:
    """Somebody whose feet are at a height of the picture, in the middle."""
    return Box(450, y * 1000 - 300, 550, y * 1000)


def test_people_are_counted_in_all_and_by_zone() -> None:
    camera = Camera(counting(PeopleZone(LEFT_HALF), PeopleZone(RIGHT_HALF)))
    camera.shows(person(LEFT), person(Box(310, 200, 480, 900)))
    assert camera.watch.people == PeopleCount(2, {"lobby": 2, "bar": 0})
    camera.shows()
    assert camera.watch.people == PeopleCount(0, {"lobby": 0, "bar": 0})


def test_counting_raises_no_alarm_and_is_done_at_all_times() -> None:
    camera = Camera(counting(PeopleZone(LEFT_HALF)))
    assert camera.watch.types(NOON) == {AnomalyType.INTRUSION}
    assert camera.shows(person(), times=200) == []


def test_who_stays_too_long_raises_one_alarm_with_the_severity_of_the_zone() -> None:
    camera = Camera(counting(PeopleZone(RIGHT_HALF, loiter_s=20.0)))
    assert camera.shows(person(RIGHT), person(LEFT), times=40) == []
    assert camera.watch.is_suspicious, "somebody who stands still must be looked at again"
    [finding] = camera.shows(person(RIGHT), person(LEFT), times=10)
    assert (finding.anomaly_type, finding.zone, finding.severity) == ("loitering", "bar", "high")
    assert finding.description == "Person in zone bar for 20 s"


def test_who_leaves_the_zone_between_has_not_stayed() -> None:
    camera = Camera(counting(PeopleZone(RIGHT_HALF, loiter_s=20.0)))
    for _ in range(4):
        assert camera.shows(person(Box(520, 200, 700, 900)), times=20) == []
        assert camera.shows(person(Box(380, 200, 560, 900)), times=2) == []


def test_a_line_counts_both_directions_and_alarms_in_one() -> None:
    line = make_line("gate", ((0, 0.6), (1, 0.6)), alerts=frozenset({Direction.OUT}), severity=Severity.HIGH)
    camera = Camera(counting(lines=[line]))
    directions, alarms = [], []
    for y in (0.5, 0.57, 0.63, 0.7, 0.63, 0.57, 0.5):
        alarms += camera.shows(person(standing_at(y)))
        directions += [crossing.direction.value for crossing in camera.watch.crossings]
    assert directions == ["in", "out"]
    [alarm] = alarms
    assert (alarm.anomaly_type, alarm.zone, alarm.severity) == ("line_crossed", "gate", "high")
    assert alarm.description == "Person crossed line gate (out)"


def test_who_walks_round_the_end_of_a_line_has_not_crossed_it() -> None:
    camera = Camera(counting(lines=[make_line("gate", ((0, 0.6), (0.3, 0.6)))]))
    crossings = []
    for y in (0.5, 0.57, 0.63, 0.7):
        camera.shows(person(standing_at(y)))
        crossings += camera.watch.crossings
    assert crossings == []


def test_a_rule_of_intruders_counts_only_where_they_are_asked_for() -> None:
    both = CameraRules((), rules().intrusion, people=PeopleRule((PeopleZone(LEFT_HALF),)))
    assert Camera(both).shows(person(), times=10) == []


# Zones of hazards


def test_a_hazard_bears_the_name_and_the_severity_of_its_zone() -> None:
    kitchen = make_zone("kitchen", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)], severity=Severity.LOW)
    areas = Areas(zones=(Area(kitchen, (AnomalyType.FIRE,)), Area(RIGHT_HALF)))
    camera = Camera(CameraRules(areas=areas))
    flames = Anomaly(AnomalyType.FIRE, 0.8, LEFT, reaches_alert=True)
    [finding] = camera.shows(flames, times=2)
    assert (finding.zone, finding.severity, finding.description) == ("kitchen", "low", "Fire detected in zone kitchen")


def test_without_a_box_nobody_knows_which_of_several_zones_it_is() -> None:
    areas = Areas(zones=(Area(LEFT_HALF), Area(RIGHT_HALF)))
    [finding] = Camera(CameraRules(areas=areas)).shows(hazard(AnomalyType.FIRE), times=2)
    assert (finding.zone, finding.severity) == (None, "high")
    [alone] = Camera(CameraRules(areas=Areas(zones=(Area(LEFT_HALF),)))).shows(hazard(AnomalyType.FIRE), times=2)
    assert alone.zone == "lobby"
