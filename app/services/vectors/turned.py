"""A face index of which the vector database sees turned vectors alone.

Each turn has a collection of its own, named after its key's fingerprint. PostgreSQL knows which of them is searched and
which are written: while ``cv rotate-key`` fills the next one, all processes write both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from app.services.database import Database
from app.services.stores import key_store, turn_store
from app.services.stores.turn_store import IndexTurns
from app.services.turns import UNTURNED, turn_of
from app.services.vectors.base import CollectionSpec, FaceHit, FaceIndex, FaceVector, VectorPage
from app.types import FloatArray

TURNS_KNOWN_FOR_S = 2.0
"""How long a process may go on searching a turn that is not the one to search any more."""


class TurnedFaceIndex:
    """``FaceIndex`` over several of one vector database.

    Args:
        spec: of the model, without a turn.
        open_index: the index of a collection.
        database: knows the turns, and has the keys.
    """

    def __init__(
        self, spec: CollectionSpec, *, open_index: Callable[[CollectionSpec], FaceIndex], database: Database
    ) -> None:
        self._base = spec
        self._open_index = open_index
        self._database = database
        self._indexes: dict[int, FaceIndex] = {}
        self._matrices: dict[int, FloatArray] = {}
        self._known: IndexTurns | None = None
        self._known_since_s = 0.0

    @property
    def spec(self) -> CollectionSpec:
        """Of the turn that is searched, as far as this process knows."""
        return self._base if self._known is None else self.of_turn(self._known.searched).spec

    def spec_of_turn(self, version: int) -> CollectionSpec:
        """The collection of one turn."""
        turn = "" if version == UNTURNED else self._database.vault.fingerprint(version).hex()
        return replace(self._base, turn=turn)

    def of_turn(self, version: int) -> FaceIndex:
        """The index of one turn; what it is given has to be turned already, see ``turned``."""
        if version not in self._indexes:
            self._indexes[version] = self._open_index(self.spec_of_turn(version))
        return self._indexes[version]

    async def turned(self, vectors: FloatArray, version: int) -> FloatArray:
        """Vectors, (d,) or (n, d), as the index of that turn has them."""
        if version == UNTURNED:
            return vectors
        found: FloatArray = vectors @ await self._matrix(version)
        return found

    async def _matrix(self, version: int) -> FloatArray:
        if version not in self._matrices:  # a tenth of a second, once
            vault, dimension = self._database.vault, self._base.dimension
            self._matrices[version] = await asyncio.to_thread(turn_of, vault, version, dimension)
        return self._matrices[version]

    async def open(self) -> None:
        """Create the collection and give it the public name, where that is missing."""
        index = self.of_turn((await self._turns()).searched)
        await index.open()
        if await index.current_collection() != index.spec.collection:  # the name is of a turn that was left
            await index.switch()

    async def open_beside(self) -> None:
        """Create this model's collections while the public name stays with another's, to fill them."""
        for version in (await self._turns()).written:
            await self.of_turn(version).open_beside()

    async def switch(self) -> None:
        """Give the public name to this model's collection."""
        await self.of_turn((await self._turns()).searched).switch()

    async def current_collection(self) -> str | None:
        """The collection that has the public name now."""
        return await self.of_turn((await self._turns()).searched).current_collection()

    async def drop(self, collection: str) -> None:
        """Remove a collection that does not have the public name any more."""
        await self.of_turn((await self._turns()).searched).drop(collection)

    async def delete(self, vector_ids: Sequence[str]) -> None:
        """Remove vectors from every turn."""
        for version in (await self._turns()).written:
            await self.of_turn(version).delete(vector_ids)

    async def delete_person(self, employee_id: str) -> None:
        """Remove every template of a person from every turn."""
        for version in (await self._turns()).written:
            await self.of_turn(version).delete_person(employee_id)

    async def count(self) -> int:
        """How many vectors the searched turn holds."""
        return await self.of_turn((await self._turns()).searched).count()

    async def page(self, *, cursor: str | None, limit: int) -> VectorPage:
        """Some of the searched turn's vectors, turned back: as the record has them."""
        searched = (await self._turns()).searched
        page = await self.of_turn(searched).page(cursor=cursor, limit=limit)
        if searched == UNTURNED or not page.vectors:
            return page
        matrix = await self._matrix(searched)
        plain = np.stack([stored.vector for stored in page.vectors]) @ matrix.T
        vectors = tuple(replace(stored, vector=own) for stored, own in zip(page.vectors, plain, strict=True))
        return replace(page, vectors=vectors)

    async def insert(self, faces: Sequence[FaceVector]) -> None:
        """Add templates to every turn."""
        for version in (await self._turns()).written if faces else ():
            await self.insert_into(version, faces)

    async def insert_into(self, version: int, faces: Sequence[FaceVector]) -> None:
        """Add templates, plain as the caller has them, to one turn."""
        turned = [replace(face, vector=await self.turned(face.vector, version)) for face in faces]
        await self.of_turn(version).insert(turned)

    async def search(self, probes: FloatArray, *, top_k: int, strong: bool = False) -> list[list[FaceHit]]:
        """The nearest templates of each probe, closest first."""
        searched = (await self._turns(max_age_s=TURNS_KNOWN_FOR_S)).searched
        return await self.of_turn(searched).search(await self.turned(probes, searched), top_k=top_k, strong=strong)

    async def _turns(self, *, max_age_s: float = 0.0) -> IndexTurns:
        """What PostgreSQL says of the turns, now or a moment ago."""
        if self._known is None or time.monotonic() - self._known_since_s >= max_age_s:
            asked_s = time.monotonic()
            self._known = await self._read_turns()
            self._known_since_s = asked_s
        return self._known

    async def _read_turns(self) -> IndexTurns:
        async with self._database.connection() as connection:
            if found := await turn_store.index_turns(connection):
                return found
            first = await key_store.sealing_version(connection)
        # No index yet, or one from before there were turns: then it is named after the model alone.
        if await self.of_turn(first).current_collection() == self.spec_of_turn(UNTURNED).collection:
            first = UNTURNED
        async with self._database.transaction() as connection:
            return await turn_store.begin_index(connection, first)
