"""Requests per key: counted together in Redis, alone without it, told when to come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from pydantic import SecretStr

from app.errors import BackendUnavailable
from app.services.cache import Cache
from app.workflows.rate_limit import LocalBuckets, RateLimiter
from tests.backends import RunningBackends
from tests.integration.conftest import Service, Start

# A place comes back so rarely that the machine may pause between two requests of a test.
PER_MINUTE = 6
INTERVAL_S = 60 / PER_MINUTE
KEY = "a-key-for-the-rate-limit-0123456789abcdef"


@pytest.fixture
async def cache(backends: RunningBackends) -> AsyncIterator[Cache]:
    opened = Cache(backends.settings["REDIS_URL"], ttl_s=60)
    await opened.client.flushdb()
    yield opened
    await opened.close()


@pytest.fixture
async def unreachable() -> AsyncIterator[Cache]:
    """A cache whose Redis never answers."""
    opened = Cache("redis://127.0.0.1:1/0", ttl_s=60)
    yield opened
    await opened.close()


async def spend(limiter: RateLimiter, key_id: int, *, requests: int) -> tuple[int, list[float]]:
    """How many of the requests were admitted, and what the others were told to wait, in seconds."""
    counted = [await limiter.count(key_id) for _ in range(requests)]
    waits = [wait_s for _, wait_s in counted if wait_s > 0]
    assert all(quota.left == 0 for quota, wait_s in counted if wait_s > 0)
    return requests - len(waits), waits


async def test_a_minute_of_requests_may_come_at_once_and_no_more(cache: Cache) -> None:
    admitted, waits = await spend(RateLimiter(cache, per_minute=PER_MINUTE), 1, requests=PER_MINUTE + 5)
    assert admitted == PER_MINUTE
    assert all(0 < wait <= INTERVAL_S for wait in waits)


async def test_replicas_count_together(cache: Cache) -> None:
    replicas = [RateLimiter(cache, per_minute=PER_MINUTE) for _ in range(2)]
    counted = await asyncio.gather(*(spend(replica, 1, requests=PER_MINUTE) for replica in replicas))
    assert sum(admitted for admitted, _ in counted) == PER_MINUTE


async def test_a_key_is_told_what_is_left(cache: Cache, unreachable: Cache) -> None:
    for limiter in (RateLimiter(cache, per_minute=PER_MINUTE), RateLimiter(unreachable, per_minute=PER_MINUTE)):
        quotas = [(await limiter.count(3))[0] for _ in range(3)]
        assert [quota.left for quota in quotas] == [PER_MINUTE - 1, PER_MINUTE - 2, PER_MINUTE - 3]
        assert 2 * INTERVAL_S < quotas[-1].full_in_s <= 3 * INTERVAL_S


async def test_keys_do_not_spend_for_each_other(cache: Cache) -> None:
    limiter = RateLimiter(cache, per_minute=PER_MINUTE)
    await spend(limiter, 1, requests=PER_MINUTE)
    assert (await spend(limiter, 2, requests=3))[0] == 3


async def test_whoever_waits_as_told_is_admitted(cache: Cache) -> None:
    limiter = RateLimiter(cache, per_minute=60)
    while not (wait_s := (await limiter.count(1))[1]):
        pass
    await asyncio.sleep(wait_s + 0.02)
    assert (await limiter.count(1))[1] == 0


async def test_an_idle_key_leaves_nothing_behind(cache: Cache) -> None:
    await RateLimiter(cache, per_minute=PER_MINUTE).count(7)
    assert 0 < await cache.client.pttl("cv:rate:7") <= 1000 * INTERVAL_S


async def test_without_redis_each_process_counts_for_itself(unreachable: Cache) -> None:
    with pytest.raises(BackendUnavailable):
        await unreachable.take("x", interval_s=1, burst=1)
    limiter = RateLimiter(unreachable, per_minute=PER_MINUTE)
    admitted, waits = await spend(limiter, 1, requests=PER_MINUTE + 5)
    assert admitted == PER_MINUTE
    assert all(0 < wait <= INTERVAL_S for wait in waits)


def test_local_buckets_refill_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    buckets = LocalBuckets()
    assert [buckets.take("a", interval_s=2, burst=2).wait_s for _ in range(3)] == [0, 0, 2]
    now_s += 1.5
    assert buckets.take("a", interval_s=2, burst=2).wait_s == pytest.approx(0.5)
    now_s += 0.5
    assert buckets.take("a", interval_s=2, burst=2).wait_s == 0


@pytest.fixture(scope="module")
def service(start_service: Start) -> Iterator[Service]:
    with start_service(AUTH_REQUIRED=True, ADMIN_API_KEY=SecretStr(KEY), RATE_LIMIT_PER_MINUTE=PER_MINUTE) as started:
        started.records.wait_until(lambda: started.records.count("api_keys") > 0)
        yield started


def test_the_service_answers_429_and_says_when(service: Service) -> None:
    def ask() -> httpx.Response:
        return service.client.get("/api/v1/cv/models", headers={"X-API-Key": KEY})

    answers = [ask() for _ in range(PER_MINUTE + 3)]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert {answer.status_code for answer in refused} == {429}
    assert answers[0].headers["ratelimit-policy"] == f'"key";q={PER_MINUTE};w=60'
    assert answers[0].headers["ratelimit"].startswith(f'"key";r={PER_MINUTE - 1};t=')
    assert refused[0].headers["ratelimit"].startswith('"key";r=0;t=')
    assert refused[0].json()["code"] == "rate_limited"
    assert 1 <= int(refused[0].headers["retry-after"]) <= INTERVAL_S + 1
    assert service.client.get("/api/v1/cv/health").status_code == 200
