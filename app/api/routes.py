"""The routes of this service: FastAPI's, with what they are marked for."""

from __future__ import annotations

from fastapi.routing import APIRoute

from app.api.idempotency import Handler, answered_once, is_idempotent


class MarkedRoute(APIRoute):
    """Answers a write that is marked ``IDEMPOTENT`` once."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        return answered_once(handler) if is_idempotent(self.dependant) else handler
