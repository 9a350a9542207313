"""Whom a probe resembles most among all who are enrolled: from memory, or by the vector database beyond its size.

Whichever it is, a similarity that decides comes from PostgreSQL's own templates. The vector database only names
candidates: what it says of their likeness counts for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from app.core.vector_matrix import MatrixView, SearchFound
from app.services.cache import PEOPLE_KEY, Cache
from app.services.database import Database
from app.services.live_matrix import LiveMatrix
from app.services.stores import face_store
from app.services.stores.face_matrix import OWNER_COLUMN
from app.services.vectors.base import FaceHit, FaceIndex
from app.types import FloatArray

# A person may own many of the nearest templates, and some hits may be of people who were deleted a moment ago.
_NEIGHBOURS = 10
_NEIGHBOURS_RETRY = 200
_OTHERS = 50
# Larger products would hold the event loop for more than a millisecond.
_MAX_BYTES_ON_LOOP = 8 * 2**20


@dataclass(frozen=True, slots=True)
class NearTemplate:
    """The template nearest to a probe; ``similarity`` is the cosine to PostgreSQL's vector."""

    vector_id: str
    employee_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class GallerySearch:
    """What a search found.

    Attributes:
        nearest: for each probe; None where nobody is enrolled.
        people: how many are.
        snapshot: what the gallery had seen, to be held against what there is; None where it looked there itself.
    """

    nearest: tuple[NearTemplate | None, ...]
    people: int
    snapshot: str | None


class FaceGallery(Protocol):
    """All active templates of the loaded model. Every method raises BackendUnavailable where its backend is down."""

    async def search(self, probes: FloatArray) -> GallerySearch:
        """The nearest template of each probe, (n, d) float32 of unit norm."""

    async def others(self, probes: FloatArray, *, employee_id: str) -> dict[str, float]:
        """The cosines to the nearest templates of other people, by vector id: of all that was enrolled until now."""

    async def catch_up(self) -> None:
        """See everything that was committed until now."""


class MemoryGallery:
    """``FaceGallery`` over a matrix of this process.

    Args:
        beyond: searched while the matrix is too small for the gallery.
    """

    def __init__(self, matrix: LiveMatrix, *, beyond: FaceGallery) -> None:
        self._matrix = matrix
        self._beyond = beyond

    async def search(self, probes: FloatArray) -> GallerySearch:
        """The nearest template of each probe."""
        state = await self._matrix.state()
        if state is None:
            return await self._beyond.search(probes)
        found = await _scan(state.view, probes, top_k=1)
        nearest = (one.nearest[0] if one.nearest else None for one in found)
        return GallerySearch(
            tuple(
                NearTemplate(one.key, str(one.labels[OWNER_COLUMN]), one.similarity) if one else None for one in nearest
            ),
            state.view.different(OWNER_COLUMN),
            state.snapshot,
        )

    async def others(self, probes: FloatArray, *, employee_id: str) -> dict[str, float]:
        """The nearest templates of other people."""
        await self._matrix.catch_up()
        state = await self._matrix.state()
        if state is None:
            return await self._beyond.others(probes, employee_id=employee_id)
        return _closest(
            (one.key, one.similarity)
            for found in await _scan(state.view, probes, top_k=_OTHERS, except_of=employee_id)
            for one in found.nearest
        )

    async def catch_up(self) -> None:
        """See everything that was committed until now."""
        await self._matrix.catch_up()


class IndexGallery:
    """``FaceGallery`` over the vector database, whose hits are compared again with PostgreSQL's templates."""

    def __init__(self, index: FaceIndex, database: Database, cache: Cache) -> None:
        self._index = index
        self._database = database
        self._cache = cache

    async def search(self, probes: FloatArray) -> GallerySearch:
        """The nearest template of each probe."""
        hits = await self._index.search(probes, top_k=_NEIGHBOURS)
        nearest = await self._compared(probes, hits)
        # All hits of a probe may be orphans; look further before calling somebody a stranger.
        if any(best is None and len(found) == _NEIGHBOURS for best, found in zip(nearest, hits, strict=True)):
            nearest = await self._compared(probes, await self._index.search(probes, top_k=_NEIGHBOURS_RETRY))
        return GallerySearch(tuple(nearest), await self._people(), None)

    async def others(self, probes: FloatArray, *, employee_id: str) -> dict[str, float]:
        """The nearest templates of other people.

        A strong search sees what every replica enrolled until now. It also waits until all of them find the vectors
        that were just inserted, so that the next camera knows the person, whichever replica reads it.
        """
        hits = await self._index.search(probes, top_k=_OTHERS, strong=True)
        templates = await self._templates(hits)
        return _closest(
            (template.vector_id, float(np.max(probes @ template.vector)))
            for template in templates.values()
            if template.employee_id != employee_id
        )

    async def catch_up(self) -> None:
        """The next search sees everything: each asks PostgreSQL."""

    async def _compared(self, probes: FloatArray, hits: Sequence[Sequence[FaceHit]]) -> list[NearTemplate | None]:
        templates = await self._templates(hits)
        nearest: list[NearTemplate | None] = []
        for probe, found in zip(probes, hits, strict=True):
            compared = [
                NearTemplate(one.vector_id, one.employee_id, float(probe @ one.vector))
                for one in (templates[hit.vector_id] for hit in found if hit.vector_id in templates)
            ]
            nearest.append(max(compared, key=lambda one: one.similarity, default=None))
        return nearest

    async def _templates(self, hits: Sequence[Sequence[FaceHit]]) -> dict[str, face_store.OwnedVector]:
        ids = list({hit.vector_id for found in hits for hit in found})
        async with self._database.connection() as connection:
            return {one.vector_id: one for one in await face_store.owned_vectors(connection, ids)}

    async def _people(self) -> int:
        known = await self._cache.find(PEOPLE_KEY)
        if known:
            return int(known)
        async with self._database.connection() as connection:
            people = await face_store.count_people(connection)
        await self._cache.remember(PEOPLE_KEY, str(people), ttl_s=30)
        return people


async def _scan(view: MatrixView, probes: FloatArray, *, top_k: int, except_of: str | None = None) -> list[SearchFound]:
    def scan() -> list[SearchFound]:
        chosen = None if except_of is None else view.where(OWNER_COLUMN, lambda owner: owner != except_of)
        return view.search(probes, top_k=top_k, chosen=chosen)

    return scan() if view.bytes_scanned * len(probes) <= _MAX_BYTES_ON_LOOP else await asyncio.to_thread(scan)


def _closest(similarities: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The greatest for each id."""
    closest: dict[str, float] = {}
    for vector_id, similarity in similarities:
        closest[vector_id] = max(similarity, closest.get(vector_id, -1.0))
    return closest
