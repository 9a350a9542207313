"""What a key's scopes open."""

from __future__ import annotations

import pytest

from app.types import Scope
from app.workflows.access import LOCAL, Caller


def caller(*scopes: str) -> Caller:
    return Caller("test", frozenset(scopes))


@pytest.mark.parametrize(
    ("held", "asked", "opens"),
    [
        (["ocr"], Scope.OCR_ID, True),
        (["ocr:id"], Scope.OCR_ID, True),
        (["ocr:invoice"], Scope.OCR_ID, False),
        (["ocr:id"], Scope.OCR, False),
        (["room:read"], Scope.ROOM_WRITE, False),
        (["room:read", "room:write"], Scope.ROOM_WRITE, True),
        (["cameras"], Scope.CAMERAS_READ, True),
        (["face:manage"], Scope.FACE_RECOGNIZE, False),
        (["face"], Scope.FACE_RECOGNIZE, True),  # no such scope is ever given
        (["admin"], Scope.EVENTS_FACE, True),
        (["image:write"], Scope.IMAGE_READ, False),
        ([], Scope.EVENTS, False),
    ],
)
def test_a_scope_opens_what_is_narrower_and_nothing_wider(held: list[str], asked: Scope, opens: bool) -> None:
    assert caller(*held).may(asked) is opens


@pytest.mark.parametrize(
    ("held", "heard"),
    [
        (["events"], ["attendance.events", "anomaly.alerts", "camera.offline", "something.new"]),
        (["events:attendance"], ["attendance.events"]),
        (["events:anomaly", "events:camera"], ["anomaly.alerts", "camera.offline"]),
        (["webhooks"], []),
        (["admin"], ["attendance.events", "anomaly.alerts", "camera.offline", "something.new"]),
    ],
)
def test_events_are_heard_by_type(held: list[str], heard: list[str]) -> None:
    types = ["attendance.events", "anomaly.alerts", "camera.offline", "something.new"]
    assert [name for name in types if caller(*held).may_hear(name)] == heard


def test_whoever_needs_no_key_may_do_everything() -> None:
    assert all(LOCAL.may(scope) for scope in Scope)
    assert LOCAL.may_hear("something.new")
    assert LOCAL.may_see("passport")
    assert LOCAL.may_see("invoice")
