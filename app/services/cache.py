"""Redis: saves look-ups, never holds the truth. Whoever uses it must be right without it.

After a failure the cache stays out of the way for a moment, so that a stalled Redis costs one short wait every
few seconds and not one per request.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.errors import BackendUnavailable
from app.services.calls import backend_call

BACKEND = "redis"
PEOPLE_KEY = "face:people"
"""How many people are enrolled."""

# One key a bucket, holding the moment at which everything taken so far is paid back, by Redis' own clock: replicas need
# no common time. As text, because Redis cuts a script's numbers to whole ones.
_TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid_back_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = paid_back_at + interval - burst * interval - now
if wait > 0 then
  return {tostring(wait), tostring(paid_back_at - now)}
end
paid_back_at = paid_back_at + interval
local lifetime_ms = math.ceil((paid_back_at - now) * 1000)
redis.call('SET', KEYS[1], string.format('%.6f', paid_back_at), 'PX', lifetime_ms)
return {'0', tostring(paid_back_at - now)}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a bucket says to somebody who wants a token.

    Attributes:
        wait_s: 0 where there was one, else the seconds until there is.
        full_in_s: until all are back.
    """

    wait_s: float
    full_in_s: float


class Cache:
    """String values under prefixed keys.

    Args:
        url: ``redis://…``.
        ttl_s: lifetime of a value unless told otherwise.
        timeout_s: a cache slower than this is no help.
        pause_s: how long after a failure calls fail at once.
    """

    PREFIX = "cv:"

    def __init__(self, url: str, *, ttl_s: int, timeout_s: float = 0.5, pause_s: float = 2.0) -> None:
        self.ttl_s = ttl_s
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._paused_until = 0.0
        self.client: Redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
        self._take = self.client.register_script(_TAKE)

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[None]:
        if time.monotonic() < self._paused_until:
            raise BackendUnavailable(BACKEND)
        try:
            async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=(RedisError,)):
                yield
        except BackendUnavailable:
            self._paused_until = time.monotonic() + self._pause_s
            raise

    async def get(self, key: str) -> str | None:
        """The value, or None where there is none.

        Raises:
            BackendUnavailable: Redis does not answer; so do all methods here.
        """
        async with self._call():
            value = await self.client.get(self.PREFIX + key)
            return str(value) if value is not None else None

    async def set(self, key: str, value: str, *, ttl_s: float | None = None) -> None:
        async with self._call():
            await self.client.set(self.PREFIX + key, value, px=max(1, round((ttl_s or self.ttl_s) * 1000)))

    async def delete(self, *keys: str) -> None:
        async with self._call():
            await self.client.delete(*(self.PREFIX + key for key in keys))

    async def take(self, key: str, *, interval_s: float, burst: int) -> Taken:
        """Take one token from a bucket that holds ``burst`` and gets one back every ``interval_s``."""
        async with self._call():
            wait_s, full_in_s = await self._take(keys=[self.PREFIX + key], args=[interval_s, burst])
            return Taken(float(wait_s), float(full_in_s))

    # The three calls below are for callers to whom an absent cache is no news.

    async def find(self, key: str) -> str | None:
        """``get``, with None also where Redis is down."""
        try:
            return await self.get(key)
        except BackendUnavailable:
            return None

    async def remember(self, key: str, value: str, *, ttl_s: float | None = None) -> None:
        """``set``, silent where Redis is down."""
        try:
            await self.set(key, value, ttl_s=ttl_s)
        except BackendUnavailable:
            return

    async def forget(self, *keys: str) -> None:
        """``delete``, silent where Redis is down: so only for keys whose staleness is bounded by their lifetime."""
        try:
            await self.delete(*keys)
        except BackendUnavailable:
            return

    async def ping(self) -> None:
        """Raises BackendUnavailable unless Redis answers; also ends the pause after a failure."""
        async with backend_call(BACKEND, timeout_s=self._timeout_s, failures=(RedisError,)):
            await self.client.ping()
        self._paused_until = 0.0

    async def close(self) -> None:
        await self.client.aclose()
