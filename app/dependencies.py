"""FastAPI's dependencies: what a handler takes from the application's resources.

A handler names its piece where it is used, ``Annotated[FaceWorkflow, Depends(resource(lambda r: r.faces))]``. The
dependencies are asynchronous although they await nothing: FastAPI would call plain functions on a thread of their own,
one hop each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar, cast
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from app.composition.resources import Resources
from app.config import Settings

T = TypeVar("T")


async def get_resources(request: Request) -> Resources:
    """The application's resources."""
    return cast(Resources, request.app.state.resources)


def resource(pick: Callable[[Resources], T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency that yields one piece of the resources."""

    async def get(request: Request) -> T:
        return pick(await get_resources(request))

    return get


def setting(pick: Callable[[Settings], T]) -> Callable[[Request], Awaitable[T]]:
    """A dependency that yields one setting."""
    return resource(lambda resources: pick(resources.settings))


Everything = Annotated[Resources, Depends(get_resources)]
Zone = Annotated[ZoneInfo, Depends(resource(lambda resources: resources.zone))]
