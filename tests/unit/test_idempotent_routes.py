"""Which writes take an idempotency key: all of them."""

from __future__ import annotations

import importlib
import pkgutil

from fastapi.routing import APIRoute

from app.api.idempotency import is_idempotent
from app.api.routes import MarkedRoute
from app.api.v1 import endpoints

READING = {
    "/image/search",
    "/face/verify",
    "/face/identify",
    "/cameras/discover",
    "/cameras/test",
    "/anomaly/incidents/{incident_id}/originals",
}
SIGNING_IN = {
    "/session",  # its answer opens the house, and is kept nowhere
    "/session/provider",  # likewise: it begins such a sign-in
    "/attendance/check-in",  # of its body even a digest would give the PIN away; attendance counts once by itself
}


def test_every_post_that_writes_takes_an_idempotency_key() -> None:
    names = [f"{endpoints.__name__}.{module.name}" for module in pkgutil.iter_modules(endpoints.__path__)]
    routes = [route for name in names for route in importlib.import_module(name).router.routes]
    posts = [route for route in routes if isinstance(route, APIRoute) and "POST" in (route.methods or ())]
    assert len(posts) > 20
    assert {route.path for route in posts if not isinstance(route, MarkedRoute)} == set()
    assert {route.path for route in posts if not is_idempotent(route.dependant)} == READING | SIGNING_IN
