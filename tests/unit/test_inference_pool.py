"""The pool admits a bounded number of jobs, keeps deadlines, and never loses a place."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from app.core.inference import InferencePool, Priority
from app.errors import DeadlineExceeded, Overloaded, Unavailable
from app.utils.fair_queue import client_var
from tests.inference_pools import blocked
from tests.waiting import PATIENCE_S, until


@pytest.fixture
def pool() -> Iterator[InferencePool]:
    pool = InferencePool(threads=1, queue_size=1, deadline_s=PATIENCE_S)
    yield pool
    pool.close()


async def test_submit_returns_the_result(pool: InferencePool) -> None:
    assert await pool.submit("test", lambda a, b: a + b, 2, b=3) == 5


async def test_submit_raises_what_the_job_raised(pool: InferencePool) -> None:
    with pytest.raises(ZeroDivisionError):
        await pool.submit("test", lambda: 1 / 0)
    assert await pool.submit("test", lambda: 1) == 1


async def test_a_full_pool_refuses_at_once_and_recovers(pool: InferencePool) -> None:
    release = threading.Event()
    running = asyncio.ensure_future(pool.submit("test", release.wait))
    waiting = asyncio.ensure_future(pool.submit("test", lambda: "waited"))
    await until(lambda: pool.taken_places == 2)

    with pytest.raises(Overloaded) as refused:
        await pool.submit("test", lambda: None)

    assert refused.value.retry_after_s > 0
    release.set()
    assert await waiting == "waited"
    await running
    await until(lambda: pool.taken_places == 0)


async def test_a_cancelled_waiting_job_gives_its_place_back_at_once(pool: InferencePool) -> None:
    release = threading.Event()
    started: list[str] = []
    running = asyncio.ensure_future(pool.submit("test", release.wait))
    waiting = asyncio.ensure_future(pool.submit("test", lambda: started.append("waiting")))
    await until(lambda: pool.taken_places == 2)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert pool.taken_places == 1
    release.set()
    await running
    assert started == []


async def test_a_cancelled_running_job_keeps_its_place_until_the_thread_ends(pool: InferencePool) -> None:
    release, started = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        release.wait(PATIENCE_S)

    running = asyncio.ensure_future(pool.submit("test", work))
    await until(started.is_set)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert pool.taken_places == 1
    release.set()
    await until(lambda: pool.taken_places == 0)


async def test_a_thousand_cancellations_leak_nothing() -> None:
    pool = InferencePool(threads=2, queue_size=8, deadline_s=PATIENCE_S)
    for _ in range(1000):
        task = asyncio.ensure_future(pool.submit("test", lambda: None))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await until(lambda: pool.taken_places == 0)
    assert await pool.submit("test", lambda: "alive") == "alive"
    pool.close()


async def test_a_missed_deadline_is_told_and_frees_the_queue() -> None:
    pool = InferencePool(threads=1, queue_size=4, deadline_s=0.05)
    release = threading.Event()
    blocked = asyncio.ensure_future(pool.submit("test", release.wait))
    await until(lambda: pool.taken_places == 1)

    with pytest.raises(DeadlineExceeded):
        await pool.submit("test", lambda: None)
    with pytest.raises(DeadlineExceeded):
        await blocked

    assert pool.waiting == 0
    assert pool.taken_places == 1
    release.set()
    await until(lambda: pool.taken_places == 0)
    pool.close()


async def test_a_thread_that_does_not_come_back_is_counted_after_ten_deadlines() -> None:
    pool = InferencePool(threads=2, queue_size=4, deadline_s=0.05)
    release = threading.Event()
    with pytest.raises(DeadlineExceeded):
        await pool.submit("test", release.wait)
    assert pool.stuck_threads == 0  # late, and may still end
    await until(lambda: pool.stuck_threads == 1)
    assert REGISTRY.get_sample_value("cv_inference_stuck_threads") == 1
    release.set()
    await until(lambda: pool.stuck_threads == 0)
    assert REGISTRY.get_sample_value("cv_inference_stuck_threads") == 0
    pool.close()


async def test_alarms_go_before_check_ins_before_documents_before_bulk() -> None:
    assert await order_of_turns("bbrrccaa", patience_s=60.0) == "aaccrrbb"


async def test_routine_frames_go_behind_check_ins_and_before_documents() -> None:
    assert await order_of_turns("bbrrwwccaa", patience_s=60.0) == "aaccwwrrbb"


async def test_a_routine_frame_that_has_waited_gets_a_turn_of_four_of_those_of_check_ins() -> None:
    assert await order_of_turns("ww" + "c" * 6, patience_s=0.0) == "cccwcccw"


async def test_while_people_check_in_routine_frames_leave_them_a_thread() -> None:
    async with two_threads(door_busy_s=60.0) as pool:
        await pool.submit_at(Priority.CHECK_IN, "test", lambda: None)
        release, started = threading.Event(), list[Priority]()
        frames = [held(pool, Priority.WATCH, release, started) for _ in range(3)]
        await until(lambda: len(started) == 1 and pool.waiting == 2)

        assert await pool.submit_at(Priority.CHECK_IN, "test", lambda: "let in") == "let in"
        assert await pool.submit_at(Priority.REQUEST, "test", lambda: "read") == "read"

        assert (len(started), pool.waiting) == (1, 2)
        release.set()
        await asyncio.gather(*frames)
        assert len(started) == 3


async def test_alarms_take_every_thread_while_people_check_in() -> None:
    async with two_threads(door_busy_s=60.0) as pool:
        await pool.submit_at(Priority.CHECK_IN, "test", lambda: None)
        await two_at_once(pool, Priority.ALARM)


async def test_routine_frames_take_every_thread_where_nobody_checks_in() -> None:
    async with two_threads(door_busy_s=60.0) as pool:
        await two_at_once(pool, Priority.WATCH)


async def test_a_routine_frame_takes_the_free_thread_once_the_door_is_quiet() -> None:
    async with two_threads(door_busy_s=0.1) as pool:
        await pool.submit_at(Priority.CHECK_IN, "test", lambda: None)
        await two_at_once(pool, Priority.WATCH)  # nothing else wakes the thread


async def test_of_one_thread_routine_frames_have_what_check_ins_leave() -> None:
    pool = InferencePool(threads=1, queue_size=4, deadline_s=PATIENCE_S, door_busy_s=60.0)
    await pool.submit_at(Priority.CHECK_IN, "test", lambda: None)
    assert await pool.submit_at(Priority.WATCH, "test", lambda: "seen") == "seen"
    pool.close()


async def test_a_crowd_at_the_door_leaves_frames_a_quarter_of_the_places_and_they_take_no_more() -> None:
    pool = InferencePool(threads=1, queue_size=8, deadline_s=PATIENCE_S, patience_s=60.0)
    async with blocked(pool):
        order: list[str] = []
        first = [put(pool, "c", order) for _ in range(8)]
        await until(lambda: pool.waiting == 8)
        later = [put(pool, letter, order) for letter in "wwwc"]
        await until(later[3].done)
    ends = [isinstance(end, Overloaded) for end in await asyncio.gather(*first, *later, return_exceptions=True)]
    assert "".join(order) == "ccccccww"
    assert ends == [False] * 6 + [True] * 2 + [False, False, True, True]
    pool.close()


async def test_check_ins_take_the_places_of_frames_beyond_a_quarter() -> None:
    pool = InferencePool(threads=1, queue_size=4, deadline_s=PATIENCE_S, patience_s=60.0)
    async with blocked(pool):
        order: list[str] = []
        first = [put(pool, "w", order) for _ in range(4)]
        await until(lambda: pool.waiting == 4)
        later = [put(pool, "c", order) for _ in range(4)]
        await until(later[3].done)
    await asyncio.gather(*first, *later, return_exceptions=True)
    assert "".join(order) == "cccw"
    pool.close()


async def test_a_full_queue_takes_what_is_more_urgent_in_the_place_of_what_is_less() -> None:
    """Six places; whoever is pushed out is told so. Nothing is taken from an equal of another's own few."""
    pool = InferencePool(threads=1, queue_size=6, deadline_s=PATIENCE_S, patience_s=60.0)
    async with blocked(pool):
        order: list[str] = []
        first = [put(pool, letter, order) for letter in "bbbrrc"]
        await until(lambda: pool.waiting == 6)
        later = [put(pool, letter, order) for letter in "acarb"]
        await until(later[4].done)
    ends = [isinstance(end, Overloaded) for end in await asyncio.gather(*first, *later, return_exceptions=True)]
    assert "".join(order) == "aaccrr"
    assert ends == [True, True, True, False, False, False, False, False, False, True, True]
    await until(lambda: pool.taken_places == 0)
    pool.close()


async def test_an_alarm_is_refused_only_where_alarms_alone_wait() -> None:
    pool = InferencePool(threads=1, queue_size=2, deadline_s=PATIENCE_S)
    async with blocked(pool):
        order: list[str] = []
        waiting = [put(pool, letter, order) for letter in "aa"]
        await until(lambda: pool.waiting == 2)
        with pytest.raises(Overloaded):
            await put(pool, "a", order)
    await asyncio.gather(*waiting)
    pool.close()


async def ask(pool: InferencePool, client: str, order: list[str]) -> None:
    client_var.set(client)
    await pool.submit("test", order.append, client)


async def test_a_greedy_client_does_not_keep_a_polite_one_waiting() -> None:
    pool = InferencePool(threads=1, queue_size=40, deadline_s=PATIENCE_S)
    release = threading.Event()
    order: list[str] = []
    blocker = asyncio.ensure_future(pool.submit("test", release.wait))
    await until(lambda: pool.taken_places == 1 and pool.waiting == 0)
    greedy = [asyncio.ensure_future(ask(pool, "greedy", order)) for _ in range(30)]
    await until(lambda: pool.waiting == 30)
    polite = [asyncio.ensure_future(ask(pool, "polite", order)) for _ in range(3)]
    await until(lambda: pool.waiting == 33)
    release.set()
    await asyncio.gather(blocker, *greedy, *polite)
    assert order[:6] == ["greedy", "polite"] * 3
    pool.close()


async def test_a_greedy_client_cannot_take_every_place() -> None:
    """It fills the queue; each request of the polite one takes a place back, until both have as many."""
    pool = InferencePool(threads=1, queue_size=6, deadline_s=PATIENCE_S)
    release = threading.Event()
    order: list[str] = []
    blocker = asyncio.ensure_future(pool.submit("test", release.wait))
    await until(lambda: pool.taken_places == 1 and pool.waiting == 0)
    greedy = [asyncio.ensure_future(ask(pool, "greedy", order)) for _ in range(9)]
    await asyncio.sleep(0.05)
    polite = [asyncio.ensure_future(ask(pool, "polite", order)) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert pool.taken_places == 7
    release.set()
    await blocker
    refused = [
        [isinstance(end, Overloaded) for end in await asyncio.gather(*tasks, return_exceptions=True)]
        for tasks in (greedy, polite)
    ]
    assert refused == [[False] * 3 + [True] * 6, [False] * 3 + [True] * 2]
    await until(lambda: pool.taken_places == 0)
    pool.close()


CLASSES = {
    "a": Priority.ALARM,
    "c": Priority.CHECK_IN,
    "w": Priority.WATCH,
    "r": Priority.REQUEST,
    "b": Priority.BULK,
}


def put(pool: InferencePool, letter: str, order: list[str]) -> asyncio.Future[None]:
    """A job of the class that the letter stands for; it adds the letter when it is done."""
    return asyncio.ensure_future(pool.submit_at(CLASSES[letter], "test", order.append, letter))


@asynccontextmanager
async def two_threads(*, door_busy_s: float) -> AsyncIterator[InferencePool]:
    pool = InferencePool(threads=2, queue_size=8, deadline_s=PATIENCE_S, patience_s=60.0, door_busy_s=door_busy_s)
    if pool.thread_count < 2:
        pytest.skip("one core")
    try:
        yield pool
    finally:
        pool.close()


def held(
    pool: InferencePool, priority: Priority, release: threading.Event, started: list[Priority]
) -> asyncio.Future[bool]:
    """A job that says when it has a thread, and keeps it until the release."""

    def work() -> bool:
        started.append(priority)
        return release.wait(PATIENCE_S)

    return asyncio.ensure_future(pool.submit_at(priority, "test", work))


async def two_at_once(pool: InferencePool, priority: Priority) -> None:
    """Two jobs that have a thread each at the same time; waits until they do."""
    release, started = threading.Event(), list[Priority]()
    jobs = [held(pool, priority, release, started) for _ in range(2)]
    await until(lambda: len(started) == 2)
    release.set()
    await asyncio.gather(*jobs)


async def order_of_turns(letters: str, *, patience_s: float) -> str:
    """In which order jobs that wait at the same time are done."""
    pool = InferencePool(threads=1, queue_size=len(letters), deadline_s=PATIENCE_S, patience_s=patience_s)
    order: list[str] = []
    async with blocked(pool):
        jobs = [put(pool, letter, order) for letter in letters]
        await until(lambda: pool.waiting == len(jobs))
    await asyncio.gather(*jobs)
    pool.close()
    return "".join(order)


async def test_what_has_waited_long_gets_a_turn_of_four() -> None:
    assert await order_of_turns("ccc" + "a" * 9, patience_s=0.0) == "aaacaaacaaac"
    assert await order_of_turns("rr" + "c" * 6, patience_s=0.0) == "cccrcccr"


async def test_what_has_not_waited_long_comes_last() -> None:
    assert await order_of_turns("ccc" + "a" * 9, patience_s=60.0) == "a" * 9 + "ccc"


async def test_of_those_that_have_waited_long_the_more_urgent_get_more() -> None:
    order = await order_of_turns("b" * 20 + "r" * 20 + "c" * 20 + "a" * 64, patience_s=0.0)
    assert {letter: order[:64].count(letter) for letter in "acrb"} == {"a": 48, "c": 12, "r": 3, "b": 1}


async def test_a_closed_pool_refuses_and_ends_what_waits() -> None:
    pool = InferencePool(threads=1, queue_size=4, deadline_s=PATIENCE_S)
    release = threading.Event()
    running = asyncio.ensure_future(pool.submit("test", release.wait))
    waiting = asyncio.ensure_future(pool.submit("test", lambda: None))
    await until(lambda: pool.waiting == 1)

    closing = asyncio.ensure_future(asyncio.to_thread(pool.close))
    with pytest.raises(Unavailable):
        await waiting
    release.set()
    await closing
    await running

    with pytest.raises(Unavailable):
        await pool.submit("test", lambda: None)
