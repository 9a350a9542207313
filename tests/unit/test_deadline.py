"""One limit for several waits."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import DeadlineExceeded, Overloaded
from app.utils.deadline import deadline
from app.utils.fair_queue import FairPlaces


async def test_waiting_for_a_turn_and_working_share_one_limit() -> None:
    turns = FairPlaces(1, max_waiting=8, deadline_s=3600, refusal="full")
    outcomes: list[str] = []

    async def work() -> None:
        try:
            async with deadline(0.2), turns.place():
                await asyncio.sleep(3600)
        except DeadlineExceeded as error:
            outcomes.append(error.code)

    async with asyncio.timeout(60):
        await asyncio.gather(*(work() for _ in range(8)))
    assert outcomes == ["deadline_exceeded"] * 8
    async with asyncio.timeout(60), turns.place():
        pass  # every place was given back


async def test_what_ends_in_time_is_left_alone() -> None:
    with pytest.raises(Overloaded):
        async with deadline(60):
            raise Overloaded("full")
