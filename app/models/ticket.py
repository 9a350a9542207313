"""The answer to whoever asks for a ticket."""

from __future__ import annotations

from app.models.common import Moment, Response
from app.workflows.tickets import NewTicket


class TicketResponse(Response):
    """Opens `GET /events?ticket=…` once, before `expires_at`."""

    ticket: str
    expires_at: Moment

    @classmethod
    def of(cls, ticket: NewTicket) -> TicketResponse:
        return cls(ticket=ticket.secret, expires_at=ticket.expires_at)
