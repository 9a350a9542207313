"""How often a key may ask. Replicas share one count in Redis; without Redis each counts for itself."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

from app.errors import BackendUnavailable, Overloaded
from app.services.cache import Cache, Taken

_WINDOW_S = 60
_ROUNDING = 1e-3  # Redis writes moments in microseconds


class LocalBuckets:
    """The same arithmetic as ``Cache.take``, in this process alone.

    For each key it keeps the moment at which everything taken so far is paid back.
    """

    _MAX_REMEMBERED = 10_000

    def __init__(self) -> None:
        self._paid_back_at_s: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, *, interval_s: float, burst: int) -> Taken:
        """Take one request's worth."""
        now_s = time.monotonic()
        paid_back_at_s = max(self._paid_back_at_s.pop(key, now_s), now_s)
        wait_s = paid_back_at_s + interval_s - burst * interval_s - now_s
        if wait_s <= 0:
            paid_back_at_s += interval_s
        self._paid_back_at_s[key] = paid_back_at_s
        if len(self._paid_back_at_s) > self._MAX_REMEMBERED:
            self._paid_back_at_s.popitem(last=False)
        return Taken(max(wait_s, 0.0), paid_back_at_s - now_s)


@dataclass(frozen=True, slots=True)
class Quota:
    """What a key may still ask: ``left`` requests at once, and all ``limit`` of them again in ``full_in_s``."""

    limit: int
    window_s: int
    left: int
    full_in_s: float


class RateLimiter:
    """Lets a key spend a minute's requests at once, and after that as many as come back.

    Args:
        cache: where replicas count together.
        per_minute: requests a minute, at least 1.
        name: of what is counted apart.
    """

    def __init__(self, cache: Cache, *, per_minute: int, name: str = "rate") -> None:
        self._cache = cache
        self._per_minute = per_minute
        self._name = name
        self._local = LocalBuckets()

    async def count(self, who: int | str) -> tuple[Quota, float]:
        """Count one request of a key, or of whoever is counted here.

        Returns:
            What it may still ask, and 0; or the seconds until it may ask again.
        """
        key, interval_s = f"{self._name}:{who}", 60 / self._per_minute
        try:
            taken = await self._cache.take(key, interval_s=interval_s, burst=self._per_minute)
        except BackendUnavailable:
            taken = self._local.take(key, interval_s=interval_s, burst=self._per_minute)
        left = 0 if taken.wait_s > 0 else int(self._per_minute - taken.full_in_s / interval_s + _ROUNDING)
        return Quota(self._per_minute, _WINDOW_S, left, taken.full_in_s), taken.wait_s

    async def admit(self, key_id: int) -> None:
        """Count one request of that key.

        Raises:
            Overloaded: the key has spent its requests; ``retry_after_s`` says when the next one comes back.
        """
        _, wait_s = await self.count(key_id)
        if wait_s > 0:
            raise self.refusal(wait_s)

    def refusal(self, wait_s: float) -> Overloaded:
        """The answer to a key that has spent its requests."""
        return Overloaded(
            f"This API key may make {self._per_minute} requests a minute; slow down.",
            retry_after_s=wait_s,
            code="rate_limited",
        )
