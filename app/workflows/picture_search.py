"""Which pictures are nearest to a vector: from memory, or by the vector database beyond its size."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Protocol

from app.services.database import Database
from app.services.image_filters import ImageFilter
from app.services.live_matrix import LiveMatrix
from app.services.stores import image_store
from app.services.stores.image_matrix import rows_for_which
from app.services.vectors.base import ImageIndex
from app.types import FloatArray

WINDOW = 1000
"""How many of the nearest pictures the vector database counts; offset and page end there."""

# A page and a little more is asked for first: Milvus Lite takes 0.2 ms to write out each hit.
_FIRST_WINDOW = 50
_SPARE = 10  # hits whose picture was deleted or changed a moment ago


@dataclass(frozen=True, slots=True)
class PictureQuery:
    """What to look for: ``vector`` is (d,) float32 of unit norm, cosines from ``min_cosine`` on count."""

    vector: FloatArray
    wanted: ImageFilter
    min_cosine: float
    offset: int
    top_k: int


@dataclass(frozen=True, slots=True)
class PicturePage:
    """A page of pictures, nearest first.

    Attributes:
        cosines: by image id.
        total: how many pictures count; where it is not exact, there may be more.
        snapshot: what the search had seen, to be held against what there is; None where it looked there itself.
    """

    cosines: dict[str, float]
    total: int
    is_exact: bool
    snapshot: str | None


class PictureSearch(Protocol):
    """All pictures of the loaded model. Every method raises BackendUnavailable where its backend is down."""

    async def page(self, query: PictureQuery) -> PicturePage:
        """The pictures of one page for which the filter holds."""

    async def catch_up(self) -> None:
        """See everything that was committed until now."""


class MemoryPictures:
    """``PictureSearch`` over a matrix of this process: every picture is compared, so totals are exact.

    Args:
        beyond: searched while the matrix is too small for all pictures.
    """

    def __init__(self, matrix: LiveMatrix, *, beyond: PictureSearch) -> None:
        self._matrix = matrix
        self._beyond = beyond

    async def page(self, query: PictureQuery) -> PicturePage:
        """The pictures of one page."""
        state = await self._matrix.state()
        if state is None:
            return await self._beyond.page(query)
        view = state.view

        def scan() -> PicturePage:
            [found] = view.search(
                query.vector[None],
                top_k=query.offset + query.top_k,
                min_similarity=query.min_cosine,
                chosen=rows_for_which(view, query.wanted),
            )
            page = found.nearest[query.offset :]
            return PicturePage({one.key: one.similarity for one in page}, found.total, True, state.snapshot)

        return await asyncio.to_thread(scan)

    async def catch_up(self) -> None:
        """See everything that was committed until now."""
        await self._matrix.catch_up()


class IndexPictures:
    """``PictureSearch`` over the vector database: of its hits those count whose picture PostgreSQL knows."""

    def __init__(self, index: ImageIndex, database: Database) -> None:
        self._index = index
        self._database = database

    async def page(self, query: PictureQuery) -> PicturePage:
        """The pictures of one page. Without a threshold PostgreSQL counts, and no more hits are fetched than shown."""
        counts_all = query.min_cosine == -math.inf
        end = query.offset + query.top_k
        first = end + _SPARE if counts_all else max(_FIRST_WINDOW, end + 1)
        shown: list[tuple[str, float]] = []
        are_all = False
        for window in dict.fromkeys((min(first, WINDOW), WINDOW)):
            hits = await self._index.search(query.vector, wanted=query.wanted, top_k=window)
            good = [hit for hit in hits if hit.similarity >= query.min_cosine]
            async with self._database.connection() as connection:
                known = await image_store.shown_vectors(connection, [hit.vector_id for hit in good], query.wanted)
            shown = [(hit.image_id, hit.similarity) for hit in good if hit.vector_id in known]
            are_all = len(good) < window
            if are_all or (counts_all and len(shown) >= end):
                break
        total, is_exact = len(shown), are_all
        if counts_all and not are_all:
            async with self._database.connection() as connection:
                total = await image_store.count_for_which(connection, query.wanted, model_id=self._index.spec.model_id)
            is_exact = True
        return PicturePage(dict(shown[query.offset : end]), total, is_exact, None)

    async def catch_up(self) -> None:
        """The next search sees everything: each asks PostgreSQL."""
