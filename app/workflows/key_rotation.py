"""Brings everything that is living under the newest master key: rows, objects, secrets and the face index.

What was written before there were keys is brought the same way. Services go on meanwhile: what is sealed names the key
that opens it, and both turns of the face index are written until one is left. Each step looks for what is still
behind, so an interrupted run is finished by the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.errors import Conflict, NotFound
from app.services.database import Connection, Database
from app.services.sealed_storage import SealedStorage
from app.services.secret_box import SecretBox
from app.services.stores import (
    claim_store,
    document_store,
    face_store,
    key_store,
    removals,
    sealed_objects,
    stay_store,
    turn_store,
)
from app.services.stores.audit import add_audit_entry
from app.services.stores.removals import Kind
from app.services.vault import SealedUnreadable
from app.services.vectors.base import FaceIndex, FaceVector
from app.services.vectors.turned import TURNS_KNOWN_FOR_S, TurnedFaceIndex
from app.workflows.sealed_secrets import seal_secrets

_ACTOR = "rotate_key.py"
_BATCH = 200
_PAGE = 1000
_IN_FLIGHT_S = 10.0
"""An enrolment takes less from its first look at the turns to its rows: each of its calls has a limit of seconds."""


class SealAgain(Protocol):
    """Of a store with rows that are sealed: see ``document_store.seal_again``."""

    async def __call__(
        self, connection: Connection, *, unless: int, after_id: int, limit: int
    ) -> tuple[int, list[str], int | None]: ...


@dataclass(frozen=True, slots=True)
class Rotated:
    """What came of it.

    Attributes:
        version: of the key that now seals.
        sealed: how many templates, documents, stays, claims, secrets and objects were sealed again.
        turned: how many vectors the index was filled with; 0 where it was turned by this key already.
        lost: what can't be opened, in words: it stays as it is.
    """

    version: int
    sealed: int
    turned: int
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetiredKey:
    """A key that nothing living needs; backups from before ``unneeded_since`` do."""

    version: int
    fingerprint: bytes
    unneeded_since: datetime | None


class KeyRotation:
    """Over the backends of a service that may run.

    Args:
        in_flight_s: the longest that a write which has begun may take.
    """

    def __init__(
        self,
        *,
        database: Database,
        faces: TurnedFaceIndex,
        objects: SealedStorage,
        box: SecretBox,
        in_flight_s: float = _IN_FLIGHT_S,
    ) -> None:
        self._database = database
        self._faces = faces
        self._objects = objects
        self._box = box
        self._in_flight_s = in_flight_s

    async def run(self, *, report: Callable[[str], None]) -> Rotated:
        """Let the newest key seal, and bring everything under it. Safe to repeat, and beside services.

        Raises:
            ConfigurationError: a key that is needed is missing, or another one.
            BackendUnavailable: a backend does not answer; the next run goes on.
        """
        version = await self._let_newest_seal()
        lost: list[str] = []
        counts = {}
        for name, step in {
            "templates": self._seal_templates,
            "documents": self._seal_documents,
            "stays": self._seal_stays,
            "claims": self._seal_claims,
            "secrets of cameras and webhooks": self._seal_secrets,
            "pictures": self._seal_objects,
        }.items():
            counts[name] = await step(version, lost)
            report(f"{name}: {counts[name]} sealed with key {version}")
        turned = await self._turn_index(version, report)
        if not lost:
            async with self._database.transaction() as connection:
                await key_store.note_all_sealed(connection, version)
        return Rotated(version, sum(counts.values()), turned, tuple(lost))

    async def retire_old(self) -> list[RetiredKey]:
        """Declare the keys before the one that seals unneeded, for good.

        Raises:
            Conflict: something living still needs one of them.
        """
        async with self._database.transaction() as connection:
            version = await key_store.sealing_version(connection)
            behind = await key_store.count_behind(connection, version)
            if await key_store.all_sealed_since(connection, version) is None:
                behind["unfinished run"] = 1
            turns = await turn_store.index_turns(connection)
            keys = await sealed_objects.named_objects(connection)
        if turns is not None and turns.written != (version,):
            behind["turns of the face index"] = 1
        behind["pictures"] = len([key for key in keys if await self._version_of(key) not in (version, -1)])
        if left := ", ".join(f"{count} {name}" for name, count in behind.items() if count):
            raise Conflict(
                f"Not everything is sealed with key {version}: {left}. Run cv rotate-key first.",
                code="keys_still_needed",
            )
        async with self._database.transaction() as connection:
            retired = await key_store.retire_before(connection, version)
            for key in retired:
                subject = f"key {key.version}"
                await add_audit_entry(connection, "key.retire", subject=subject, actor=_ACTOR)
            since = await key_store.all_sealed_since(connection, version)
        return [RetiredKey(key.version, key.fingerprint, since) for key in retired]

    async def _let_newest_seal(self) -> int:
        async with self._database.transaction() as connection:
            await key_store.require_keys(connection)
            before = await key_store.sealing_version(connection)
            newest = connection.vault.keys.newest
            if newest > before:
                await key_store.let_seal(connection, newest)
                await add_audit_entry(connection, "key.rotate", subject=f"key {newest}", actor=_ACTOR)
        return max(newest, before)

    async def _seal_templates(self, version: int, lost: list[str]) -> int:
        count, after = 0, ""
        while True:
            async with self._database.transaction() as connection:
                await key_store.sealing_version(connection)
                sealed, unreadable, last = await face_store.seal_again(
                    connection, version, after_id=after, limit=_BATCH
                )
            count += sealed
            lost += unreadable
            if last is None:
                return count
            after = last

    async def _seal_documents(self, version: int, lost: list[str]) -> int:
        return await self._seal_rows(document_store.seal_again, version, lost)

    async def _seal_stays(self, version: int, lost: list[str]) -> int:
        return await self._seal_rows(stay_store.SEALED.seal_again, version, lost)

    async def _seal_claims(self, version: int, lost: list[str]) -> int:
        return await self._seal_rows(claim_store.SEALED.seal_again, version, lost)

    async def _seal_rows(self, seal_again: SealAgain, version: int, lost: list[str]) -> int:
        count, after = 0, 0
        while True:
            async with self._database.transaction() as connection:
                sealed, unreadable, last = await seal_again(connection, unless=version, after_id=after, limit=_BATCH)
            count += sealed
            lost += unreadable
            if last is None:
                return count
            after = last

    async def _seal_secrets(self, _version: int, lost: list[str]) -> int:
        async with self._database.transaction() as connection:
            count, unreadable = await seal_secrets(connection, self._box)
        lost += unreadable
        return count

    async def _seal_objects(self, version: int, lost: list[str]) -> int:
        async with self._database.connection() as connection:
            keys = await sealed_objects.named_objects(connection)
        count = 0
        for key in keys:
            if await self._version_of(key) in (version, -1):
                continue
            try:
                await self._objects.put(key, await self._objects.get(key))
            except NotFound:
                continue  # removed meanwhile
            except SealedUnreadable:
                lost.append(f"object {key}")
                continue
            count += 1
            await self._remove_unless_named(key)
        return count

    async def _version_of(self, key: str) -> int | None:
        """-1 of an object that is not there: nothing has to be done about it here."""
        try:
            return await self._objects.version_of(key)
        except NotFound:
            return -1

    async def _remove_unless_named(self, key: str) -> None:
        """Its row may have gone, and the object with it, before it was written again."""
        async with self._database.transaction() as connection:
            if not await sealed_objects.is_named(connection, key):
                await removals.schedule_removals(connection, Kind.OBJECT, [key])

    # The face index.

    async def _turn_index(self, version: int, report: Callable[[str], None]) -> int:
        await self._faces.open()
        async with self._database.connection() as connection:
            turns = await turn_store.index_turns(connection)
            if turns is None or turns.written == (version,):
                return 0
            await turn_store.add_turn(connection, version)
        report(f"face index: filling the turn of key {version}")
        index = self._faces.of_turn(version)
        await index.open_beside()
        await asyncio.sleep(self._in_flight_s)  # whoever did not know of the turn has written its rows
        count = await self._fill(version, index)
        async with self._database.transaction() as connection:
            await turn_store.search_turn(connection, version)
        await index.switch()
        await asyncio.sleep(max(self._in_flight_s, 2 * TURNS_KNOWN_FOR_S))  # nobody searches the others any more
        async with self._database.transaction() as connection:
            left = await turn_store.remove_other_turns(connection, version)
        for other in {*left, *turns.written} - {version}:
            await index.drop(self._faces.spec_of_turn(other).collection)
        return count

    async def _fill(self, version: int, index: FaceIndex) -> int:
        """Insert what that turn lacks, and remove what has no row; how many were inserted."""
        async with self._database.connection() as connection:
            until = await key_store.now(connection)
        stored = await _vector_ids(index)
        async with self._database.connection() as connection:
            known = await face_store.templates_until(connection, until, model_id=index.spec.model_id)
        missing = sorted(known - stored)
        for start in range(0, len(missing), _PAGE):
            await self._insert(version, missing[start : start + _PAGE])
        async with self._database.connection() as connection:
            # Again, because what was erased meanwhile may have been inserted behind its removal.
            left = await face_store.templates_until(connection, None, model_id=index.spec.model_id)
        await index.delete(sorted(known - left))
        return len(missing)

    async def _insert(self, version: int, vector_ids: Sequence[str]) -> None:
        async with self._database.connection() as connection:
            templates = await face_store.owned_vectors(connection, vector_ids)
        await self._faces.insert_into(
            version, [FaceVector(t.vector_id, t.employee_id, t.vector, t.quality_score) for t in templates]
        )


async def _vector_ids(index: FaceIndex) -> set[str]:
    found: set[str] = set()
    cursor = None
    while True:
        page = await index.page(cursor=cursor, limit=_PAGE)
        found |= {vector.vector_id for vector in page.vectors}
        cursor = page.next_cursor
        if cursor is None:
            return found
