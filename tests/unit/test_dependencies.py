"""What the handlers depend on."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.api.v1 import endpoints

MODULES = sorted(module.name for module in pkgutil.iter_modules(endpoints.__path__))


def dependencies_of(dependant: Dependant) -> Iterator[object]:
    for needed in dependant.dependencies:
        yield needed.call
        yield from dependencies_of(needed)


@pytest.mark.parametrize("name", MODULES)
def test_no_dependency_takes_a_thread(name: str) -> None:
    """FastAPI calls plain functions on a thread of their own, and a recognition depends on several."""
    router = importlib.import_module(f"{endpoints.__name__}.{name}").router
    calls = [
        call for route in router.routes if isinstance(route, APIRoute) for call in dependencies_of(route.dependant)
    ]
    for call in calls:
        is_asynchronous = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(type(call).__call__)
        assert is_asynchronous, call
    assert calls or name == "__init__"
