"""Zones and schedules: where and when a person counts as an intruder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.anomalies import AnomalyType
from app.errors import InvalidInput
from app.types import Box, Severity
from app.workflows.safety.areas import Area, Areas
from app.workflows.safety.lines import Direction, make_line
from app.workflows.safety.rules import CameraRules, IntrusionRule, PeopleRule, PeopleZone, make_window
from app.workflows.safety.schedules import Schedule
from app.workflows.safety.stored_rules import rules_from_json, rules_to_json
from app.workflows.safety.zones import Point, foot_point, make_zone, zone_of

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
SQUARE: list[Point] = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
# A U, open at the top.
NOTCHED: list[Point] = [(0.1, 0.1), (0.3, 0.1), (0.3, 0.7), (0.7, 0.7), (0.7, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]


@pytest.mark.parametrize(
    ("corners", "point", "inside"),
    [
        (SQUARE, (0.5, 0.5), True),
        (SQUARE, (0.1, 0.5), False),
        (SQUARE, (0.5, 0.9), False),
        (list(reversed(SQUARE)), (0.5, 0.5), True),
        (NOTCHED, (0.2, 0.3), True),
        (NOTCHED, (0.5, 0.3), False),
        (NOTCHED, (0.5, 0.8), True),
        (NOTCHED, (0.8, 0.3), True),
    ],
)
def test_a_point_is_inside_or_not(corners: list[Point], point: Point, inside: bool) -> None:
    assert make_zone("z", corners).contains(point) is inside


@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_two_halves_share_no_point_and_miss_none(x: float, y: float) -> None:
    left = make_zone("left", [(0, 0), (0.5, 0), (0.5, 1), (0, 1)])
    right = make_zone("right", [(0.5, 0), (1, 0), (1, 1), (0.5, 1)])
    inside = (min(x, 1 - 1e-9), min(y, 1 - 1e-9))
    assert left.contains(inside) is not right.contains(inside)


@pytest.mark.parametrize(
    ("problem", "corners"),
    [
        ("three points", [(0.1, 0.1), (0.9, 0.9)]),
        ("outside", [(0.1, 0.1), (1.1, 0.1), (0.5, 0.9)]),
        ("outside", [(0.1, -0.01), (0.9, 0.1), (0.5, 0.9)]),
        ("outside", [(float("nan"), 0.1), (0.9, 0.1), (0.5, 0.9)]),
        ("crosses itself", [(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)]),
        ("crosses itself", [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.9, 0.1)]),
        ("crosses itself", [(0.1, 0.1), (0.9, 0.1), (0.3, 0.1), (0.5, 0.9)]),
        ("crosses itself", [(0.1, 0.1), (0.5, 0.5), (0.9, 0.1), (0.9, 0.9), (0.5, 0.5), (0.1, 0.9)]),
        ("crosses itself", [(0.1, 0.1), (0.5, 0.1), (0.9, 0.1)]),
        ("no area", [(0.1, 0.1), (0.9, 0.1), (0.5, 0.10001)]),
    ],
)
def test_a_zone_that_is_no_polygon_is_refused(problem: str, corners: list[Point]) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_zone("door", corners)
    assert refused.value.code == "invalid_zone"
    assert "door" in refused.value.message
    assert problem in refused.value.message


def test_a_person_stands_where_the_feet_are() -> None:
    floor = make_zone("floor", [(0, 0.5), (1, 0.5), (1, 1), (0, 1)])
    standing = Box(100, 100, 200, 400)
    behind_glass = Box(100, 10, 200, 200)
    cut_off = Box(100, 300, 200, 480)
    found = [zone_of(foot_point(box, width=640, height=480), [floor]) for box in (standing, behind_glass, cut_off)]
    assert found == [floor, None, floor]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=HANOI)


@pytest.mark.parametrize(
    ("moment", "in_force"),
    [
        ("2025-01-13T21:59:59", False),  # a Monday
        ("2025-01-13T22:00:00", True),
        ("2025-01-14T05:59:59", True),
        ("2025-01-14T06:00:00", False),
        ("2025-01-14T23:00:00", False),  # Tuesday is not listed
        ("2025-01-13T03:00:00", False),  # nor is the night before Monday
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins_on(moment: str, in_force: bool) -> None:
    schedule = Schedule((make_window(["mon"], time(22), time(6)),), HANOI)
    assert schedule.in_force(local(moment)) is in_force
    assert schedule.in_force(local(moment).astimezone(UTC)) is in_force


def test_a_window_that_ends_when_it_begins_lasts_a_day() -> None:
    schedule = Schedule((make_window(["sun"], time(8), time(8)),), HANOI)
    hours = [local(f"2025-01-{day}T{hour:02}:30:00") for day in (12, 13) for hour in range(24)]
    assert [schedule.in_force(moment) for moment in hours] == [False] * 8 + [True] * 24 + [False] * 16


def test_no_window_means_always_and_no_day_means_every_day() -> None:
    assert Schedule((), HANOI).in_force(local("2025-01-15T12:00:00"))
    daily = Schedule((make_window([], time(12), time(13)),), HANOI)
    assert all(daily.in_force(local(f"2025-01-{day}T12:30:00")) for day in range(12, 19))


def rule(**changes: object) -> IntrusionRule:
    values = {
        "zones": (make_zone("floor", SQUARE),),
        "schedule": Schedule((make_window(["mon"], time(22), time(6)),), HANOI),
        "min_dwell_s": 3.0,
        "suppress_staff": False,
        **changes,
    }
    return IntrusionRule(**values)  # type: ignore[arg-type]


def test_a_person_is_forbidden_in_the_zone_and_at_the_time() -> None:
    night, day = local("2025-01-13T23:00:00"), local("2025-01-13T12:00:00")
    inside, outside = Box(40, 20, 60, 70), Box(0, 0, 10, 10)
    verdicts = [rule().forbids(box, at, width=100, height=100) for box in (inside, outside) for at in (night, day)]
    assert verdicts == [(True, make_zone("floor", SQUARE)), (False, None), (False, None), (False, None)]


def test_without_zones_the_whole_picture_is_forbidden() -> None:
    night = local("2025-01-13T23:00:00")
    assert rule(zones=()).forbids(Box(0, 0, 10, 10), night, width=100, height=100) == (True, None)


def test_rules_survive_being_stored() -> None:
    zone = make_zone("stove", SQUARE, severity=Severity.LOW)
    door = make_line("door", ((0, 0.5), (1, 0.5)), alerts=frozenset(Direction), severity=Severity.HIGH)
    rules = CameraRules(
        ("fire", "intrusion"),
        rule(suppress_staff=True),
        (3, 7),
        Areas((Area(zone),), (Area(zone, (AnomalyType.FIRE,)),)),
        PeopleRule((PeopleZone(zone, 60.0), PeopleZone(make_zone("hall", SQUARE))), (door,)),
        door,
    )
    assert rules_from_json(json.loads(json.dumps(rules_to_json(rules)))) == rules
    assert rules_from_json(rules_to_json(CameraRules())) == CameraRules()


def test_rules_of_before_there_were_areas_are_read() -> None:
    assert rules_from_json({"anomalies": ["fire"], "intrusion": None, "confirmation": None}) == CameraRules(("fire",))


@pytest.mark.parametrize("points", [((0, 0), (1.2, 0)), ((0.5, 0.5), (0.505, 0.5))])
def test_a_line_that_is_none_is_refused(points: tuple[Point, Point]) -> None:
    with pytest.raises(InvalidInput) as refused:
        make_line("door", points)
    assert refused.value.code == "invalid_line"
