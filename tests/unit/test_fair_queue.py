"""Clients take turns, whoever of them asks most."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from app.errors import DeadlineExceeded, Overloaded
from app.utils.fair_queue import FairPlaces, FairQueue, client_var
from tests.waiting import PATIENCE_S


def filled(items: str) -> FairQueue[str]:
    """Items such as ``a1``, in which the letter is the client."""
    queue: FairQueue[str] = FairQueue()
    for item in items.split():
        queue.push(item[0], item)
    return queue


def test_clients_take_turns_and_each_keeps_its_order() -> None:
    queue = filled("a1 a2 a3 b1 c1 c2")
    assert [queue.pop() for _ in range(len(queue))] == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert len(queue) == 0


def test_an_empty_queue_says_so() -> None:
    with pytest.raises(IndexError):
        FairQueue[str]().pop()


def test_what_nobody_wants_any_more_is_taken_out_once() -> None:
    queue = filled("a1 a2 b1")
    assert queue.remove("a", "a1")
    assert not queue.remove("a", "a1")
    assert not queue.remove("z", "a2")
    assert (list(queue), len(queue)) == (["a2", "b1"], 2)


def test_room_is_made_at_the_cost_of_whoever_has_most() -> None:
    queue = filled("a1 a2 a3 b1")
    assert queue.make_room("c") == "a3"
    assert queue.make_room("b") is None  # it would then have as many as the greediest, and take the last one's place
    assert queue.make_room("a") is None
    assert (list(queue), len(queue)) == (["a1", "a2", "b1"], 3)


def places(count: int = 1, *, max_waiting: int = 4, deadline_s: float = 5.0) -> FairPlaces:
    return FairPlaces(count, max_waiting=max_waiting, deadline_s=deadline_s, refusal="Too many.")


async def hold(shared: FairPlaces, client: str, order: list[str], release: asyncio.Event) -> None:
    client_var.set(client)
    async with shared.place():
        order.append(client)
        await release.wait()


async def turns(shared: FairPlaces, clients: str) -> tuple[list[str], list[BaseException | None]]:
    order: list[str] = []
    release = asyncio.Event()
    tasks = []
    for client in clients:
        tasks.append(asyncio.create_task(hold(shared, client, order, release)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    release.set()
    return order, await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_polite_client_waits_for_one_turn_of_a_greedy_one() -> None:
    order, _ = await turns(places(max_waiting=20), "ggggggggp")
    assert order.index("p") <= 2


async def test_one_that_has_little_pushes_out_one_that_has_much() -> None:
    order, ended = await turns(places(max_waiting=3), "ggggp")
    assert order == ["g", "g", "p", "g"]
    assert [isinstance(end, Overloaded) for end in ended] == [False, False, False, True, False]


async def test_one_that_has_most_is_refused_itself() -> None:
    _, ended = await turns(places(max_waiting=2), "gggg")
    assert [isinstance(end, Overloaded) for end in ended] == [False, False, False, True]


async def test_nobody_waits_for_ever_and_no_place_is_lost() -> None:
    shared = places(deadline_s=0.05)
    async with shared.place():
        with pytest.raises(DeadlineExceeded):
            async with shared.place():
                pytest.fail("there is no second place")
    async with asyncio.timeout(PATIENCE_S), shared.place():
        pass


async def test_a_thousand_cancellations_lose_no_place() -> None:
    shared = places(2, max_waiting=50)
    for pause in range(1000):
        tasks = [asyncio.create_task(hold(shared, str(n), [], asyncio.Event())) for n in range(4)]
        for _ in range(pause % 4):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(PATIENCE_S), shared.place(), shared.place():
        pass
