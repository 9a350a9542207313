"""Leases in Redis: each thing has one holder, and loses it when the holder stops renewing.

A lease says who *should* work, fast; it can't stop a holder that slept through its end. Whatever must not be written
twice is fenced in PostgreSQL as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis.exceptions import RedisError

from app.services.cache import BACKEND, Cache
from app.services.calls import backend_call

_PREFIX = f"{Cache.PREFIX}lease:"
_TIMEOUT_S = 1.0

# Renews one's own lease, and takes one that is gone, as after a restart of Redis. 0: it is somebody else's.
_RENEW = """
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] or not holder then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end
return 0
"""
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# By the clock of Redis, so that the replicas' clocks do not matter.
_BEAT = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now_ms, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


class Leases:
    """The leases of one kind of thing, as one holder sees them. Every method raises BackendUnavailable.

    Args:
        kind: such as ``camera``.
        owner: unique among all processes.
        ttl_s: after this time without renewal a lease is free.
    """

    def __init__(self, cache: Cache, *, kind: str, owner: str, ttl_s: float) -> None:
        self._client = cache.client
        self._kind = kind
        self._owner = owner
        self._ttl_ms = round(ttl_s * 1000)

    def _key(self, name: str) -> str:
        return f"{_PREFIX}{self._kind}:{name}"

    async def take(self, name: str) -> bool:
        """Become the holder, unless there is one."""
        async with backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)):
            return bool(await self._client.set(self._key(name), self._owner, nx=True, px=self._ttl_ms))

    async def renew(self, names: Sequence[str]) -> list[str]:
        """Hold on to leases.

        Returns:
            Those that are lost to another holder.
        """
        if not names:
            return []
        async with (
            backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)),
            self._client.pipeline(transaction=False) as pipeline,
        ):
            for name in names:
                pipeline.eval(_RENEW, 1, self._key(name), self._owner, str(self._ttl_ms))
            kept = await pipeline.execute()
        return [name for name, mine in zip(names, kept, strict=True) if not mine]

    async def release(self, name: str) -> None:
        """Give a lease back, if it is ours."""
        async with backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)):
            await self._client.eval(_RELEASE, 1, self._key(name), self._owner)

    async def free(self, names: Sequence[str]) -> list[str]:
        """Those of ``names`` that nobody holds."""
        if not names:
            return []
        async with backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)):
            holders = await self._client.mget([self._key(name) for name in names])
        return [name for name, holder in zip(names, holders, strict=True) if holder is None]

    async def beat(self) -> int:
        """Tell that this holder lives.

        Returns:
            How many holders live, this one included.
        """
        async with backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)):
            return int(await self._client.eval(_BEAT, 1, self._key("holders:all"), self._owner, str(self._ttl_ms)))

    async def leave(self) -> None:
        """Tell that this holder is gone, so that the others share its part at once."""
        async with backend_call(BACKEND, timeout_s=_TIMEOUT_S, failures=(RedisError,)):
            await self._client.zrem(self._key("holders:all"), self._owner)
