"""Finding pictures that look alike, by picture, by words, or by both."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.image_embedding import ImageEmbedder, QueryKind, SimilarityCalibration, blend
from app.core.inference import InferencePool
from app.core.prototypes import Prototypes
from app.services.database import Database
from app.services.image_filters import ImageFilter
from app.services.stores import image_store
from app.services.stores.image_store import StoredImage
from app.services.vectors.base import ImageIndex
from app.types import Embedding
from app.utils import metrics, tracing
from app.utils.pictures import Picture, PictureOpener

WINDOW = 1000
"""How many of the nearest pictures are counted; offset and page end there."""

# A page and a little more is asked for first: Milvus Lite takes 0.2 ms to write out each hit.
_FIRST_WINDOW = 50
# What words say is what somebody adds to a picture that is not enough, or to what tagged pictures taught.
_TEXT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """What to look for; a picture, a text or both are set."""

    picture: bytes | None
    text: str | None
    wanted: ImageFilter
    min_similarity: float
    top_k: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """A picture and its calibrated similarity, 0 to 1."""

    image: StoredImage
    similarity: float


@dataclass(frozen=True, slots=True)
class ImageMatches:
    """A page of matches, most similar first.

    ``total`` counts the matches at or above the threshold among the nearest ``WINDOW``; ``total_is_exact`` is false
    where there may be more beyond it.
    """

    matches: tuple[ImageMatch, ...]
    total: int
    total_is_exact: bool


class ImageSearchWorkflow:
    """Search over the pool and the backends."""

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        embedder: ImageEmbedder,
        database: Database,
        vectors: ImageIndex,
        prototypes: Prototypes,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._embedder = embedder
        self._database = database
        self._vectors = vectors
        self._prototypes = prototypes

    async def search(self, query: ImageQuery) -> ImageMatches:
        """The most similar pictures for which the filter holds.

        Raises:
            InvalidImage: the query's bytes are no picture.
            BackendUnavailable: PostgreSQL or the vector database does not answer.
        """
        metrics.image_search_total.labels(query.wanted.category or "all").inc()
        with metrics.image_search_duration.time():
            embedding, kind = await self._read(query)
            hits, is_exact = await self._hits(embedding, self._embedder.calibrations[kind], query)
            return await self._page(hits, is_exact=is_exact, query=query)

    async def _read(self, query: ImageQuery) -> tuple[Embedding, QueryKind]:
        if query.picture is None:
            return await self._pool.submit("image", self._embed, None, query.text)
        async with self._pictures.opened(query.picture) as opened:
            return await self._pool.submit("image", self._embed, opened, query.text)

    async def _hits(
        self, embedding: Embedding, calibration: SimilarityCalibration, query: ImageQuery
    ) -> tuple[list[tuple[str, float]], bool]:
        """Vector ids and similarities at or above the threshold, and whether these are all of them."""
        first = min(WINDOW, max(_FIRST_WINDOW, query.offset + query.top_k + 1)) if query.min_similarity > 0 else WINDOW
        for window in dict.fromkeys((first, WINDOW)):
            found = await self._vectors.search(embedding.vector, wanted=query.wanted, top_k=window)
            rated = [(hit.vector_id, calibration.similarity(hit.similarity)) for hit in found]
            good = [(vector_id, similarity) for vector_id, similarity in rated if similarity >= query.min_similarity]
            if len(good) < window:
                return good, True
        return good, False

    async def _page(self, hits: list[tuple[str, float]], *, is_exact: bool, query: ImageQuery) -> ImageMatches:
        if not hits:
            return ImageMatches((), 0, is_exact)
        async with self._database.connection() as connection:
            # Orphans of a crash and pictures deleted a moment ago are not counted.
            shown = await image_store.shown_vectors(connection, [vector_id for vector_id, _ in hits])
            counted = [(vector_id, similarity) for vector_id, similarity in hits if vector_id in shown]
            page = counted[query.offset : query.offset + query.top_k]
            images = await image_store.images_of_vectors(connection, [vector_id for vector_id, _ in page])
        matches = tuple(
            ImageMatch(images[vector_id], similarity) for vector_id, similarity in page if vector_id in images
        )
        return ImageMatches(matches, len(counted), is_exact)

    def _embed(self, picture: Picture | None, text: str | None) -> tuple[Embedding, QueryKind]:
        """Runs on an inference thread."""
        if picture is None:
            with tracing.stage("image.embed"):
                return self._embed_text(text or "")
        with tracing.stage("image.decode"):
            image = picture.decode()
        with tracing.stage("image.embed"):
            [seen] = self._embedder.embed_images([image])
            if text is None:
                return seen, QueryKind.IMAGE
            return blend(seen, self._embedder.embed_texts([text])[0], text_share=_TEXT_SHARE), QueryKind.BOTH

    def _embed_text(self, text: str) -> tuple[Embedding, QueryKind]:
        read = self._embedder.embed_texts([text])[0]
        prototype = self._prototypes.find(text)
        if prototype is None:
            return read, QueryKind.TEXT
        return blend(prototype, read, text_share=_TEXT_SHARE), QueryKind.BOTH
