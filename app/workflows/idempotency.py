"""Requests with an idempotency key take effect once, and are answered the same way for a day.

The first request with a key holds it while it works. Its writes pass a fence (``stores/fences.py``): whoever lost the
key, as a frozen replica does, commits nothing any more. What is stored opens to nobody but the sender: the key of an
answer comes from the sender's API key, the idempotency key and the body, of which only digests are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import BackendUnavailable, Conflict, RequestInFlight
from app.services.database import Connection, Database
from app.services.stores import idempotency
from app.services.stores.fences import fenced
from app.services.stores.idempotency import KeyState
from app.utils import metrics
from app.utils.logging import logger

_NONCE_BYTES = 12
_TRIES = 3  # a key that is given back between two statements is asked for again


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request as it is known again.

    Attributes:
        owner: whose it is; two API keys never share an idempotency key.
        secret: that only the owner knows; empty where no API keys are asked for.
        target: method, path and query.
        key: the idempotency key.
        body_sha256: of the body's content.
    """

    owner: str
    secret: str
    target: str
    key: str
    body_sha256: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it is sent again."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to carry a request out; ``seal_key`` is for its answer."""

    digest: bytes
    fingerprint: bytes
    token: bytes
    seal_key: bytes


class IdempotencyBook:
    """Keeps who carries out which request, and the answers.

    Args:
        lifetime: how long a key is remembered.
        max_answer_bytes: of one answer, compressed; of a larger one only that there was one is kept.
        lease_s: a request whose replica died may be carried out again after this time.
    """

    def __init__(
        self, database: Database, *, lifetime: timedelta, max_answer_bytes: int = 2**20, lease_s: float = 30.0
    ) -> None:
        self._database = database
        self._lifetime = lifetime
        self._max_answer_bytes = max_answer_bytes
        self._lease_s = lease_s

    async def claim(self, request: KeyedRequest) -> Claim | KeptAnswer:
        """The right to carry the request out, or the answer that it had.

        Raises:
            RequestInFlight: it is being carried out.
            Conflict: the key was used for another request; or its request took effect and the answer is not known.
        """
        claim = _claim_for(request)
        for _ in range(_TRIES):
            async with self._database.connection() as connection:
                if await self._take(connection, claim):
                    _count("first")
                    return claim
                state = await idempotency.find_key_state(connection, claim.digest)
            if state is not None and (answer := _answer_of(state, claim)):
                return answer
        raise _in_flight()

    async def _take(self, connection: Connection, claim: Claim) -> bool:
        return await idempotency.take_key(
            connection,
            claim.digest,
            fingerprint=claim.fingerprint,
            token=claim.token,
            lease_s=self._lease_s,
            lifetime=self._lifetime,
        )

    @asynccontextmanager
    async def held(self, claim: Claim) -> AsyncIterator[None]:
        """Carry the request out in the block: its writes count only as long as the claim does."""

        async def fence(connection: Connection, _: str) -> None:
            if not await idempotency.note_effect(connection, claim.digest, claim.token):
                raise Conflict("This request took so long that it was begun again.", code="idempotency_key_lost")

        holding = asyncio.ensure_future(self._hold(claim))
        try:
            with fenced(fence):
                yield
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)

    async def _hold(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            with contextlib.suppress(BackendUnavailable):
                async with self._database.connection() as connection:
                    await idempotency.extend_lease(connection, claim.digest, claim.token, lease_s=self._lease_s)

    async def keep(self, claim: Claim, answer: KeptAnswer) -> None:
        """Store the answer. Where that fails the sender has it all the same; a repetition is told that it took effect.

        Whether it did is known by its writes alone, so a request without any is simply carried out again.
        """
        sealed = _seal(claim, answer)
        try:
            async with self._database.connection() as connection:
                kept = sealed if len(sealed) <= self._max_answer_bytes else None
                await idempotency.keep_answer(connection, claim.digest, claim.token, kept)
        except BackendUnavailable:
            logger.warning("idempotent_answer_lost")

    async def give_back(self, claim: Claim) -> None:
        """The request failed: it may be sent again, unless it took effect before."""
        with contextlib.suppress(BackendUnavailable):  # the lease ends by itself
            async with self._database.connection() as connection:
                await idempotency.give_key_back(connection, claim.digest, claim.token)


class IdempotencyRetention:
    """Ends keys after their time, and the oldest answers where there are too many.

    Args:
        max_bytes: of all answers.
    """

    def __init__(self, database: Database, *, lifetime: timedelta, max_bytes: int) -> None:
        self._database = database
        self._lifetime = lifetime
        self._max_bytes = max_bytes

    async def step(self) -> None:
        async with self._database.connection() as connection:
            await idempotency.delete_old_keys(connection, lifetime=self._lifetime, max_bytes=self._max_bytes)


def _claim_for(request: KeyedRequest) -> Claim:
    name = json.dumps([request.owner, request.target, request.key]).encode()
    material = json.dumps([request.secret, request.key]).encode() + request.body_sha256
    derived = HKDF(SHA256(), 64, salt=None, info=b"cv-service idempotent answer" + name).derive(material)
    return Claim(hashlib.sha256(name).digest(), derived[:32], os.urandom(16), derived[32:])


def _answer_of(state: KeyState, claim: Claim) -> KeptAnswer | None:
    """None where the request may be carried out after all: whoever held the key has just given it back."""
    if not hmac.compare_digest(state.fingerprint, claim.fingerprint):
        _count("reused")
        raise Conflict("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    if state.is_in_flight:
        raise _in_flight()
    if state.sealed_answer is not None:
        _count("replayed")
        return _open(claim, state.sealed_answer)
    if state.is_answered or state.has_acted:
        _count("answer_lost")
        raise Conflict(
            "The request with this Idempotency-Key took effect, but its answer was not kept; look at the records.",
            code="idempotency_answer_lost",
        )
    return None


def _in_flight() -> RequestInFlight:
    _count("in_flight")
    return RequestInFlight(
        "A request with this Idempotency-Key is being carried out; ask again shortly.", code="idempotency_in_flight"
    )


def _count(outcome: str) -> None:
    metrics.idempotent_requests_total.labels(outcome).inc()


def _seal(claim: Claim, answer: KeptAnswer) -> bytes:
    head = json.dumps({"status": answer.status, "headers": dict(answer.headers)}).encode()
    plain = zlib.compress(len(head).to_bytes(4, "big") + head + answer.body, level=1)
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(claim.seal_key).encrypt(nonce, plain, claim.digest)


def _open(claim: Claim, sealed: bytes) -> KeptAnswer:
    """
    Raises:
        Conflict: it is damaged.
    """
    try:
        plain = AESGCM(claim.seal_key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], claim.digest)
    except InvalidTag as error:
        raise Conflict("The stored answer is damaged; look at the records.", code="idempotency_answer_lost") from error
    content = zlib.decompress(plain)
    length = int.from_bytes(content[:4], "big")
    head = json.loads(content[4 : 4 + length])
    return KeptAnswer(head["status"], head["headers"], content[4 + length :])
