"""Objects that show people's faces or papers, sealed before they reach the object store."""

from __future__ import annotations

from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import key_store
from app.services.vault import HEADER_BYTES, SealPlace, is_sealed, version_of

_CONTENT_TYPE = "application/octet-stream"


class SealedStorage:
    """Puts and gets objects of which the store sees ciphertext alone. What is plain was stored before there were keys.

    Args:
        database: knows which key seals.
    """

    def __init__(self, storage: ObjectStorage, database: Database) -> None:
        self._storage = storage
        self._database = database

    async def put(self, key: str, data: bytes) -> None:
        """Seal and write an object, replacing one of that key."""
        async with self._database.connection() as connection:
            version = await key_store.sealing_version(connection)
        sealed = self._database.vault.seal(data, _place(key), version=version)
        await self._storage.put(key, sealed, content_type=_CONTENT_TYPE)

    async def get(self, key: str) -> bytes:
        """The object's own bytes.

        Raises:
            NotFound: no object has that key.
            SealedUnreadable: its master key is not here, or it is damaged.
        """
        data = await self._storage.get(key)
        return self._database.vault.open(data, _place(key)) if is_sealed(data) else data

    async def version_of(self, key: str) -> int | None:
        """The version of the master key that an object is sealed with; None of a plain one.

        Raises:
            NotFound: no object has that key.
        """
        head = await self._storage.get(key, first_bytes=HEADER_BYTES)
        return version_of(head) if is_sealed(head) else None


def _place(key: str) -> SealPlace:
    return SealPlace("objects", "data", key)
