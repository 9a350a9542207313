"""The live stream of events (Server-Sent Events), which goes on after a cut where it was."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_sse import EventSource, ServerSentEvent

from cv_service_client.generated.client import AuthenticatedClient
from cv_service_client.problem import Problem
from cv_service_client.transport import STREAM

_PATH = "/api/v1/cv/events"
_FIRST_WAIT_S = 1.0
_MAX_WAIT_S = 30.0
_POSITION = "Last-Event-ID"
_PASSING = frozenset({429, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Event:
    """Attributes: id: where to go on; type: of docs/events.md; data: its fields."""

    id: str
    type: str
    data: Mapping[str, Any]


class _Reader:
    """Where a reader is, and how long it waits before it connects again."""

    def __init__(self, types: Sequence[str], last_event_id: str | None) -> None:
        self._params = {"type": ",".join(types)} if types else {}
        self._position = last_event_id
        self._failures = 0

    def request(self) -> dict[str, Any]:
        headers = {"Accept": STREAM, **({_POSITION: self._position} if self._position else {})}
        return {"method": "GET", "url": _PATH, "params": self._params, "headers": headers}

    def opened(self, response: httpx.Response) -> None:
        """Before the first event, it begins where the service says."""
        self._position = self._position or response.headers.get(_POSITION)

    def event(self, message: ServerSentEvent) -> Event | None:
        if not message.id or not message.data:
            return None
        self._position, self._failures = message.id, 0
        return Event(message.id, message.event, json.loads(message.data))

    def wait_s(self, error: Exception | None) -> float:
        """How long to wait after a cut. Raises: ``error``, where another try would end the same way."""
        if isinstance(error, Problem) and error.status not in _PASSING:
            raise error
        wait_s = min(_MAX_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        return wait_s


def events(
    client: AuthenticatedClient, types: Sequence[str] = (), *, last_event_id: str | None = None
) -> Iterator[Event]:
    """Events as they happen, for ever; leave the loop to end it.

    Args:
        types: only these; all that the key may read, if omitted.
        last_event_id: go on after this event; from now, if omitted.

    Raises:
        Problem: the service refuses the key or the request.
    """
    reader = _Reader(types, last_event_id)
    while True:
        cut: Exception | None = None
        try:
            with client.get_httpx_client().stream(**reader.request()) as response:
                reader.opened(response)
                for message in EventSource(response).iter_sse():
                    if event := reader.event(message):
                        yield event
        except (httpx.TransportError, Problem) as error:
            cut = error
        time.sleep(reader.wait_s(cut))


async def aevents(
    client: AuthenticatedClient, types: Sequence[str] = (), *, last_event_id: str | None = None
) -> AsyncIterator[Event]:
    """As ``events``; cancel the task to end it."""
    reader = _Reader(types, last_event_id)
    while True:
        cut: Exception | None = None
        try:
            async with client.get_async_httpx_client().stream(**reader.request()) as response:
                reader.opened(response)
                async for message in EventSource(response).aiter_sse():
                    if event := reader.event(message):
                        yield event
        except (httpx.TransportError, Problem) as error:
            cut = error
        await asyncio.sleep(reader.wait_s(cut))
