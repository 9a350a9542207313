"""Tickets for the event stream: a browser's EventSource sends no headers, and a key in an address would be logged."""

from __future__ import annotations

from app.errors import Unauthorized
from app.services.database import Database
from app.services.stores import tickets
from app.services.stores.tickets import NewTicket

__all__ = ["NewTicket", "TicketDesk"]

_LIFETIME_S = 60.0


class TicketDesk:
    """Issues tickets that open the stream once, within a minute."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(self, key_id: int | None) -> NewTicket:
        """A ticket in the name of a key."""
        async with self._database.transaction() as connection:
            return await tickets.issue_ticket(connection, key_id=key_id, lifetime_s=_LIFETIME_S)

    async def redeem(self, secret: str) -> int | None:
        """Whose ticket it is; it is used up.

        Raises:
            Unauthorized: it is unknown, used or too old.
        """
        async with self._database.connection() as connection:
            is_good, key_id = await tickets.redeem_ticket(connection, secret)
        if not is_good:
            raise Unauthorized("This ticket is used or too old; ask for another.", code="ticket_unknown")
        return key_id
