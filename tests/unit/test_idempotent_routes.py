"""Which writes take an idempotency key: all of them."""

from __future__ import annotations

from fastapi.routing import APIRoute

from app.api.idempotency import is_idempotent
from app.api.routes import MarkedRoute
from app.api.v1.endpoints import anomaly, cameras, events, face, image, liveness, ocr, room

READING = {"/image/search", "/face/verify", "/face/identify"}


def test_every_post_that_writes_takes_an_idempotency_key() -> None:
    modules = (anomaly, cameras, events, face, image, liveness, ocr, room)
    routes = [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]
    posts = [route for route in routes if "POST" in (route.methods or ())]
    assert len(posts) > 10
    assert all(isinstance(route, MarkedRoute) for route in posts)
    assert {route.path for route in posts if not is_idempotent(route.dependant)} == READING
