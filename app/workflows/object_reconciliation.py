"""Finds objects that rows name and the object store has lost: nothing here can make them again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores.named_objects import NamedObject, named_objects

_PAGE = 5000
# What is younger may have been stored after the store was listed.
_SETTLED_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ObjectFindings:
    """Objects that have to be there and are not."""

    lost: tuple[NamedObject, ...]
    looked_for: int

    @property
    def consistent(self) -> bool:
        return not self.lost


class ObjectReconciler:
    """Compares what rows name with what is stored; safe to run beside a serving process."""

    def __init__(self, database: Database, storage: ObjectStorage) -> None:
        self._database = database
        self._storage = storage

    async def find(self) -> ObjectFindings:
        """Look, without changing anything."""
        # The store first: what is removed in between has lost its row before.
        stored = set(await self._storage.list_keys(""))
        lost: list[NamedObject] = []
        looked_for, after = 0, ""
        while True:
            async with self._database.connection() as connection:
                page = await named_objects(connection, after=after, limit=_PAGE, settled_after=_SETTLED_AFTER)
            looked_for += len(page)
            lost += [named for named in page if named.key not in stored]
            if len(page) < _PAGE:
                return ObjectFindings(tuple(lost), looked_for)
            after = page[-1].key
