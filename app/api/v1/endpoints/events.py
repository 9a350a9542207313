"""The live event stream (Server-Sent Events)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.api.idempotency import IDEMPOTENT
from app.api.routes import MarkedRoute
from app.api.security import StreamReader, opened_for, require
from app.dependencies import resource
from app.errors import Forbidden, InvalidInput
from app.models.ticket import TicketResponse
from app.types import Scope
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.events import EventStream
from app.workflows.tickets import TicketDesk

router = APIRouter(tags=["events"], route_class=MarkedRoute)

Events = Annotated[EventStream, Depends(resource(lambda resources: resources.events))]
_ANY = (
    Scope.EVENTS,
    Scope.EVENTS_ANOMALY,
    Scope.EVENTS_ATTENDANCE,
    Scope.EVENTS_CAMERA,
    Scope.EVENTS_FACE,
    Scope.EVENTS_LOST_FOUND,
    Scope.EVENTS_ROOM,
)
_KEEP_ALIVE_S = 15
_MAX_POSITION = 2**63 - 1
_MESSAGES = {"type": "string", "description": "Messages with `id`, `event` (the type) and `data` (docs/events.md)"}
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {"schema": _MESSAGES}}}}


@router.get("/events", response_class=EventSourceResponse, responses=_STREAM)
async def stream_events(
    events: Events,
    reader: Annotated[StreamReader, Depends(opened_for(*_ANY))],
    last_event_id: Annotated[str | None, Header(description="Resume after this event")] = None,
    after: Annotated[str | None, Query(max_length=20, description="As Last-Event-ID, which wins")] = None,
    types: Annotated[str | None, Query(alias="type", max_length=200, description="Only these, comma-separated")] = None,
    seconds: Annotated[
        int | None,
        Query(ge=1, le=3600, description="End after so long; else it lasts", openapi_examples={"a look": {"value": 3}}),
    ] = None,
) -> EventSourceResponse:
    """Events as they happen, of the types that the key may read. `id` counts up; after a cut, a client that sends
    Last-Event-ID misses nothing."""
    wanted = _wanted(types, reader.caller)
    resumed = last_event_id or after
    position = _position(resumed) if resumed else await events.last_position()
    messages = _messages(events, position, wanted, _until(reader.may_read, seconds))
    # Whoever is cut off before the first event goes on from here.
    return EventSourceResponse(messages, ping=_KEEP_ALIVE_S, headers={"Last-Event-ID": str(position)})


@router.post("/events/ticket", dependencies=[IDEMPOTENT])
async def issue_ticket(
    caller: Annotated[Caller, Depends(require(*_ANY))],
    tickets: Annotated[TicketDesk, Depends(resource(lambda resources: resources.tickets))],
) -> TicketResponse:
    """A ticket for a browser's EventSource, which sends no headers: it opens the stream once, within a minute."""
    return TicketResponse.of(await tickets.issue(caller.key_id))


def _wanted(types: str | None, caller: Caller) -> Callable[[str], bool]:
    """Which types of events are sent.

    Raises:
        Forbidden: the key may not read one of those that were asked for.
    """
    if not types:
        return caller.may_hear
    named = frozenset(name.strip() for name in types.split(","))
    if refused := sorted(name for name in named if not caller.may_hear(name)):
        raise Forbidden(f"This API key may not read events of type {', '.join(refused)}.", code="scope_missing")
    return named.__contains__


def _until(may_read: Callable[[], Awaitable[bool]], seconds: int | None) -> Callable[[], Awaitable[bool]]:
    """``may_read``, and no longer than so many seconds."""
    watch = clock.Stopwatch()

    async def may_still_read() -> bool:
        return (seconds is None or watch.elapsed_ms < seconds * 1000) and await may_read()

    return may_still_read


def _position(last_event_id: str) -> int:
    if not last_event_id.isascii() or not last_event_id.isdecimal() or int(last_event_id) > _MAX_POSITION:
        raise InvalidInput("Last-Event-ID must be the id of an earlier event.", code="invalid_event_id")
    return int(last_event_id)


async def _messages(
    events: EventStream, after: int, wanted: Callable[[str], bool], may_read: Callable[[], Awaitable[bool]]
) -> AsyncIterator[ServerSentEvent]:
    async for event in events.follow(after, may_read=may_read):
        if wanted(event.event_type):
            yield ServerSentEvent(
                data=json.dumps(event.payload, ensure_ascii=False), event=event.event_type, id=str(event.position)
            )
