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
from app.types import Embedding
from app.utils import metrics, tracing
from app.utils.pictures import Picture, PictureOpener
from app.workflows.picture_search import PictureQuery, PictureSearch

# Once the matrix has caught up, only a deletion in that very moment asks for another look.
_LOOKS = 3
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

    ``total`` counts the matches at or above the threshold; ``total_is_exact`` is false where there may be more than the
    vector database was asked for.
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
        search: PictureSearch,
        prototypes: Prototypes,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._embedder = embedder
        self._database = database
        self._search = search
        self._prototypes = prototypes

    async def search(self, query: ImageQuery) -> ImageMatches:
        """The most similar pictures for which the filter holds.

        Raises:
            InvalidImage: the query's bytes are no picture.
            BackendUnavailable: PostgreSQL or the vector database does not answer.
        """
        metrics.image_search_total.labels(query.wanted.category or "all").inc()
        with metrics.image_search_duration.time():
            embedding, kind = await self.read(query.picture, query.text)
            calibration = self.calibration(kind)
            min_cosine = calibration.cosine(query.min_similarity)
            wanted = PictureQuery(embedding.vector, query.wanted, min_cosine, query.offset, query.top_k)
            return await self.find(wanted, calibration)

    @property
    def model_id(self) -> str:
        """Of the vectors that are searched."""
        return self._embedder.model_id

    def calibration(self, kind: QueryKind) -> SimilarityCalibration:
        """From the cosines of such a query to public similarities."""
        return self._embedder.calibrations[kind]

    async def read(self, picture: bytes | None, text: str | None) -> tuple[Embedding, QueryKind]:
        """The vector of a picture, of words or of both. Raises InvalidImage of bytes that are no picture."""
        if picture is None:
            return await self._pool.submit("image", self._embed, None, text)
        async with self._pictures.opened(picture) as opened:
            return await self._pool.submit("image", self._embed, opened, text)

    async def find(self, wanted: PictureQuery, calibration: SimilarityCalibration) -> ImageMatches:
        """The pictures nearest to a vector. Raises BackendUnavailable as ``search`` does."""
        snapshot_counts = True
        for _ in range(_LOOKS):
            found = await self._search.page(wanted)
            async with self._database.connection() as connection:
                images, is_behind = await image_store.images_now(
                    connection, list(found.cosines), found.snapshot if snapshot_counts else None
                )
            if not is_behind and len(images) == len(found.cosines):
                break
            await self._search.catch_up()
            snapshot_counts = False
        matches = tuple(
            ImageMatch(images[image_id], calibration.similarity(cosine))
            for image_id, cosine in found.cosines.items()
            if image_id in images
        )
        return ImageMatches(matches, found.total, found.is_exact)

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
