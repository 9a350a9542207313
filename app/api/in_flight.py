"""How many requests one client may have under way, whatever they are doing.

A client is its API key once that is known, and until then its address, as everywhere where clients take turns.
"""

from __future__ import annotations

from collections import Counter
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.middleware import QUIET
from app.api.problems import vision_problem
from app.errors import Overloaded
from app.utils.fair_queue import client_var


class _Place:
    """One request's place among those of its client."""

    def __init__(self, held: Counter[str], *, limit: int) -> None:
        self._held = held
        self._limit = limit
        self._client: str | None = None

    def take(self, client: str) -> None:
        """Count for this client from now on, and no longer for another.

        Raises:
            Overloaded: it has as many under way as it may.
        """
        if client == self._client:
            return
        if self._held[client] >= self._limit:
            raise Overloaded(
                f"You have {self._limit} requests under way already; wait for answers.", code="too_many_in_flight"
            )
        self.leave()
        self._held[client] += 1
        self._client = client

    def leave(self) -> None:
        if self._client is not None:
            self._held[self._client] -= 1
            if not self._held[self._client]:
                del self._held[self._client]  # addresses are many, and most never come again
            self._client = None


_place_var: ContextVar[_Place | None] = ContextVar("place", default=None)


def count_for(client: str) -> None:
    """From now on this request is that client's, in whatever is shared out among clients.

    Raises:
        Overloaded: the client has as many requests under way as it may.
    """
    client_var.set(client)
    if place := _place_var.get():
        place.take(client)


class InFlightLimit:
    """Answers 429 to whoever has too many requests under way; probes and metrics pass by it.

    Args:
        per_client: how many, event streams among them.
    """

    def __init__(self, app: ASGIApp, *, per_client: int) -> None:
        self._app = app
        self._per_client = per_client
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(QUIET):
            await self._app(scope, receive, send)
            return
        place = _Place(self._held, limit=self._per_client)
        try:
            place.take(client_var.get())
        except Overloaded as error:
            await vision_problem(error)(scope, receive, send)
            return
        token = _place_var.set(place)
        try:
            await self._app(scope, receive, send)
        finally:
            _place_var.reset(token)
            place.leave()
