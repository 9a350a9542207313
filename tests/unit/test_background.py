"""Loops beside the requests: they go on after a crash, end when cancelled, and are not ended by a library."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import BackendUnavailable
from app.workflows import background
from app.workflows.background import repeat, running, until_done
from tests.waiting import until


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_PAUSE_AFTER_CRASH_S", 0.001)


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), asyncio.CancelledError("a future below was cancelled")])
async def test_a_loop_that_crashes_is_begun_again(failure: BaseException) -> None:
    beginnings: list[int] = []

    async def loop() -> None:
        beginnings.append(len(beginnings))
        if len(beginnings) < 3:
            raise failure
        await asyncio.Event().wait()

    async with running(loop):
        await until(lambda: len(beginnings) == 3)


async def test_loops_end_with_the_block_and_clean_up() -> None:
    cleaned: list[str] = []

    async def loop() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("yes")

    async with running(loop, loop):
        await asyncio.sleep(0)
    assert cleaned == ["yes", "yes"]


@pytest.mark.parametrize("failure", [BackendUnavailable("database"), RuntimeError("a bug")])
async def test_a_step_that_fails_is_repeated(failure: Exception) -> None:
    steps: list[int] = []

    async def step() -> None:
        steps.append(len(steps))
        raise failure

    async with running(lambda: repeat("test", step, pause_s=0.001, pause_after_failure_s=0.001)):
        await until(lambda: len(steps) > 2)


async def test_what_has_to_succeed_once_is_tried_until_it_did() -> None:
    tries: list[int] = []

    async def step() -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            raise BackendUnavailable("database")

    await until_done("test", step, pause_after_failure_s=0.001)
    assert len(tries) == 3
