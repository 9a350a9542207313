"""The arithmetic of an installation's own evaluation: what counts for which figure."""

from __future__ import annotations

from typing import Any

from app.core.room_rules import RoomRules, RoomVerdict, judge_room
from app.core.room_views import View
from evaluation.own import JudgedIncident, JudgedRoom, incident_shares, room_shares
from tests.unit.test_room_analyzer import photo

RULES = RoomRules(required=frozenset(), items_by_type={}, minutes={})


def verdict(untidy: float | None = 0.02, **sights: Any) -> RoomVerdict:
    view = View.BEDROOM if untidy is not None else View.DETAIL
    return judge_room([photo(view=view, untidy=untidy, **sights)], RULES)


def test_rooms_are_held_against_what_people_said() -> None:
    judged = [
        JudgedRoom("clean", {}, verdict()),
        JudgedRoom("clean", {}, verdict(untidy=None)),
        JudgedRoom("dirty", {"bed_made": False}, verdict(untidy=0.97, bed_made=0.02)),
        JudgedRoom("dirty", {"bed_made": False}, verdict(bed_made=0.95)),
        JudgedRoom("maintenance", {"bed_made": True}, verdict(untidy=0.97)),
    ]
    shares = {share.name: (share.count, share.n) for share in room_shares(judged)}
    assert shares == {
        "rooms called clean, told clean": (1, 2),
        "rooms called dirty, told dirty": (1, 2),
        "of all, nothing decided": (1, 5),
        "rooms not called clean, told ready": (1, 3),
        "bed_made: answered": (2, 3),
        "bed_made: of these as people said": (1, 2),
    }


def test_a_room_told_ready_that_was_not_is_a_missed_target() -> None:
    missed = room_shares([JudgedRoom("dirty", {}, verdict())])
    assert [share.name for share in missed if not share.passed] == ["rooms not called clean, told ready"]


def test_false_alarms_and_other_incidents_count_apart() -> None:
    judged = [
        JudgedIncident("fire", false_alarm=True, told=True),
        JudgedIncident("fire", false_alarm=True, told=False),
        JudgedIncident("fire", false_alarm=False, told=True),
        JudgedIncident("flood", false_alarm=False, told=False),
    ]
    shares = {share.name: (share.count, share.n) for share in incident_shares(judged)}
    assert shares == {
        "fire, frames of false alarms: told again": (1, 2),
        "fire, frames of other incidents: told": (1, 1),
        "flood, frames of false alarms: told again": (0, 0),
        "flood, frames of other incidents: told": (0, 1),
    }
