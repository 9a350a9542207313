"""The relay publishes nothing without its lock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from app.errors import BackendUnavailable
from app.services.database import Database, DedicatedConnection
from app.services.message_queue import MessageQueue
from app.workflows.relay import OutboxRelay


class _Queue:
    """Notes what is published."""

    def __init__(self) -> None:
        self.published: list[object] = []

    async def publish(self, event_type: str, payload: Mapping[str, object]) -> None:
        assert event_type == "attendance.events"
        self.published.append(payload["event_id"])


class _Session:
    """A session with two events in its outbox; the server has ended it by the time that it is asked."""

    def __init__(self) -> None:
        self._unpublished = [1, 2]

    async def fetch(self, _query: str, *_args: object) -> list[dict[str, object]]:
        return [
            {"position": n, "event_type": "attendance.events", "payload": {"event_id": n}, "created_at": None}
            for n in self._unpublished
        ]

    async def execute(self, _query: str, positions: list[int]) -> str:
        self._unpublished = [n for n in self._unpublished if n not in positions]
        return "UPDATE 1"

    async def ping(self) -> None:
        raise BackendUnavailable("database")


def _relay(queue: _Queue, times: list[float]) -> OutboxRelay:
    return OutboxRelay(cast(Database, None), cast(MessageQueue, queue), clock=lambda: times.pop(0))


async def test_a_relay_that_was_stopped_asks_for_its_lock_before_it_publishes_more() -> None:
    queue = _Queue()
    times = [0.0, 0.0, 0.0, 60.0]  # batch read, before and after the first event, before the second
    with pytest.raises(BackendUnavailable):
        await _relay(queue, times)._publish(cast(DedicatedConnection, _Session()))
    assert queue.published == [1]


async def test_a_relay_that_runs_asks_nothing_more() -> None:
    queue = _Queue()
    assert await _relay(queue, [0.0] * 6)._publish(cast(DedicatedConnection, _Session()))
    assert queue.published == [1, 2]
