"""Requests that come at once are let in by turns, so that a probe in between is answered."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Message, Receive, Scope, Send

from app.api.middleware import API_PREFIX, Turnstile

RECOGNIZE, HEALTH = f"{API_PREFIX}/face/recognize", f"{API_PREFIX}/health"


class Entrance:
    """A turnstile before an application that notes who came in."""

    def __init__(self, *, per_turn: int) -> None:
        self.came_in: list[str] = []
        self._turnstile = Turnstile(self._serve, per_turn=per_turn)

    async def _serve(self, scope: Scope, _: Receive, __: Send) -> None:
        self.came_in.append(scope["name"])

    def enter(self, name: str, *, path: str = RECOGNIZE) -> asyncio.Task[None]:
        return asyncio.create_task(self._request(name, path))

    async def _request(self, name: str, path: str) -> None:
        async def receive() -> Message:
            raise AssertionError("nobody reads here")

        async def send(_: Message) -> None:
            raise AssertionError("nobody answers here")

        await self._turnstile({"type": "http", "path": path, "name": name}, receive, send)


async def test_a_crowd_comes_in_by_turns_and_in_order() -> None:
    entrance = Entrance(per_turn=2)
    crowd = [entrance.enter(str(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert entrance.came_in == ["0", "1"]
    await asyncio.gather(*crowd)
    assert entrance.came_in == ["0", "1", "2", "3", "4"]


async def test_a_probe_passes_the_crowd() -> None:
    entrance = Entrance(per_turn=1)
    crowd = [entrance.enter(str(number)) for number in range(5)]
    probe = entrance.enter("probe", path=HEALTH)
    await asyncio.gather(*crowd, probe)
    assert entrance.came_in.index("probe") < 2


async def test_whoever_leaves_the_crowd_holds_nobody_up() -> None:
    entrance = Entrance(per_turn=1)
    crowd = [entrance.enter(str(number)) for number in range(4)]
    await asyncio.sleep(0)
    crowd[1].cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*crowd)
    await asyncio.gather(crowd[0], crowd[2], crowd[3])
    assert entrance.came_in == ["0", "2", "3"]
