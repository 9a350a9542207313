"""The routes of this service: FastAPI's, with what they are marked for."""

from __future__ import annotations

from fastapi.routing import APIRoute

from app.api.conditional import is_conditional, tagged
from app.api.idempotency import Handler, answered_once, is_idempotent


class MarkedRoute(APIRoute):
    """Answers a write marked ``IDEMPOTENT`` once, and tags the answer of a GET marked ``CONDITIONAL``."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        if is_idempotent(self.dependant):
            return answered_once(handler)
        return tagged(handler) if is_conditional(self.dependant) else handler
