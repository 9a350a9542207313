"""One client cannot take every place, whatever it sends."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Header

from app.api import problems
from app.api.in_flight import InFlightLimit, count_for
from app.api.middleware import RequestContext
from app.utils.fair_queue import FairPlaces
from tests.waiting import until

PER_CLIENT = 4


async def known(x_api_key: Annotated[str | None, Header()] = None) -> None:
    if x_api_key:
        count_for(f"key {x_api_key}")


class Desk:
    """An application with one place for work, that notes who is inside."""

    def __init__(self, *, max_waiting: int = 50) -> None:
        self.inside: Counter[str | None] = Counter()
        self.most: Counter[str | None] = Counter()
        self.open = asyncio.Event()
        self._places = FairPlaces(1, max_waiting=max_waiting, deadline_s=60, refusal="full")
        self.app = FastAPI()
        self.app.get("/work", dependencies=[Depends(known)])(self.work)
        self.app.get("/api/v1/cv/health")(self.health)
        problems.install(self.app)
        self.app.add_middleware(InFlightLimit, per_client=PER_CLIENT)
        self.app.add_middleware(RequestContext)

    async def work(self, x_api_key: Annotated[str | None, Header()] = None) -> str:
        self.inside[x_api_key] += 1
        self.most[x_api_key] = max(self.most[x_api_key], self.inside[x_api_key])
        try:
            async with self._places.place():
                await self.open.wait()
                await asyncio.sleep(0)
        finally:
            self.inside[x_api_key] -= 1
        return "done"

    async def health(self) -> str:
        return "well"

    def client(self, key: str | None, address: str = "192.0.2.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://desk", headers={"X-API-Key": key} if key else {})


@pytest.mark.parametrize("key", ["greedy", None])
async def test_a_client_has_only_so_many_requests_under_way(key: str | None) -> None:
    desk = Desk()
    async with desk.client(key) as client, desk.client("polite", "192.0.2.2") as other:
        asked = [asyncio.create_task(client.get("/work")) for _ in range(3 * PER_CLIENT)]
        await until(lambda: desk.inside[key] == PER_CLIENT and sum(one.done() for one in asked) == 2 * PER_CLIENT)
        refused = [one.result() for one in asked if one.done()]
        assert {answer.status_code for answer in refused} == {429}
        assert refused[0].json()["code"] == "too_many_in_flight"
        assert int(refused[0].headers["retry-after"]) >= 1
        assert (await client.get("/api/v1/cv/health")).status_code == 200  # probes pass by it
        desk.open.set()
        assert (await other.get("/work")).status_code == 200
        answers = [await one for one in asked]
        assert Counter(answer.status_code for answer in answers) == {200: PER_CLIENT, 429: 2 * PER_CLIENT}
        assert desk.most[key] == PER_CLIENT
        assert (await client.get("/work")).status_code == 200  # places come back


async def test_a_greedy_client_keeps_a_polite_one_out_of_nothing() -> None:
    """The greedy one sends far more than it may, without a pause; the other asks one thing after another."""
    desk = Desk(max_waiting=PER_CLIENT)  # as many may wait as the greedy one may send
    desk.open.set()
    statuses: Counter[int] = Counter()
    is_over = False

    async def ask_without_end(client: httpx.AsyncClient) -> None:
        while not is_over:
            statuses[(await client.get("/work")).status_code] += 1
            await asyncio.sleep(0)  # a refusal comes without a pause

    async with desk.client("greedy") as greedy, desk.client("polite") as polite, asyncio.TaskGroup() as group:
        for _ in range(10 * PER_CLIENT):
            group.create_task(ask_without_end(greedy))
        answers = [await polite.get("/work") for _ in range(30)]
        is_over = True
    assert {answer.status_code for answer in answers} == {200}
    assert desk.most["greedy"] <= PER_CLIENT
    assert statuses[429] > 0
    assert statuses[200] > 0


async def test_a_known_key_no_longer_counts_for_its_address() -> None:
    """Behind a proxy that is not trusted everybody has one address."""
    desk = Desk()
    async with desk.client("a") as first, desk.client("b") as second, desk.client("c") as third:
        asked = [
            asyncio.create_task(client.get("/work")) for client in (first, second, third) for _ in range(PER_CLIENT - 1)
        ]
        await until(lambda: sum(desk.inside.values()) == len(asked))
        desk.open.set()
        assert {(await one).status_code for one in asked} == {200}
