"""Moves indexed pictures to another model: embed the stored originals again, then switch in one step.

New vectors go into the new model's collection and a staging table; searches see nothing of them until ``switch``. An
interruption costs at most the pictures under way: what is staged is not embedded again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.core.image_embedding import ImageEmbedder
from app.core.inference import InferencePool, Priority
from app.errors import InvalidImage, NotFound
from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import image_store, removals
from app.services.stores.image_store import StoredImage
from app.services.stores.removals import Kind
from app.services.vectors.base import ImageIndex
from app.types import Embedding
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from app.workflows.announcements import announced
from app.workflows.image_records import new_image_vector_id, vector_row

_BATCH = 16
_AT_ONCE = 4


class ImageReindexer:
    """Over the new model's embedder, and an index that is configured for it."""

    def __init__(
        self,
        *,
        pool: InferencePool,
        embedder: ImageEmbedder,
        database: Database,
        vectors: ImageIndex,
        storage: ObjectStorage,
        limits: PictureLimits,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._database = database
        self._vectors = vectors
        self._storage = storage
        self._limits = limits

    async def open(self) -> None:
        """Make the new model's collection beside the one in use."""
        await self._vectors.open_beside()

    async def count_waiting(self) -> int:
        """Pictures whose vector is of another model, and which are not staged yet."""
        async with self._database.connection() as connection:
            return await image_store.count_waiting(connection, self._embedder.model_id)

    async def embed_waiting(self, *, advance: Callable[[int], None]) -> list[str]:
        """Stage every waiting picture, also those that are indexed meanwhile.

        Args:
            advance: is told how many more are done.

        Returns:
            Ids of pictures whose original is gone or damaged; they keep their old vector, and no search finds them
            after the switch.
        """
        lost: set[str] = set()
        after = ""
        staged_in_pass = 0
        while True:
            async with self._database.connection() as connection:
                batch = await image_store.waiting_images(
                    connection, self._embedder.model_id, after_id=after, limit=_BATCH
                )
            if batch:
                failed = await self._stage(batch)
                staged_in_pass += len(batch) - len(failed)
                advance(len(batch) - len(lost.intersection(failed)))
                lost.update(failed)
                after = batch[-1].image_id
            elif staged_in_pass:
                after, staged_in_pass = "", 0
            else:
                return sorted(lost)

    async def _stage(self, batch: Sequence[StoredImage]) -> list[str]:
        places = asyncio.Semaphore(_AT_ONCE)

        async def embed(image: StoredImage) -> Embedding | None:
            async with places:
                return await self._embed(image)

        embeddings = await asyncio.gather(*(embed(image) for image in batch))
        staged = [
            (replace(image, vector_id=new_image_vector_id(), model_id=embedding.model_id), embedding.vector)
            for image, embedding in zip(batch, embeddings, strict=True)
            if embedding is not None
        ]
        # What a crash leaves unclaimed is removed by a service that uses the new model's collection.
        things = {Kind.IMAGE_VECTOR: [image.vector_id for image, _ in staged]}
        async with announced(self._database, things):
            await self._vectors.insert([vector_row(image, vector) for image, vector in staged])
            async with self._database.transaction() as connection:
                await image_store.stage_vectors(connection, staged)
                await removals.claim(connection, things)
        return [image.image_id for image, embedding in zip(batch, embeddings, strict=True) if embedding is None]

    async def _embed(self, image: StoredImage) -> Embedding | None:
        try:
            original = await self._storage.get(image.object_key)
            return await self._pool.submit_at(Priority.BULK, "image", self._read, original)
        except (NotFound, InvalidImage):
            return None

    def _read(self, original: bytes) -> Embedding:
        """Runs on an inference thread."""
        return self._embedder.embed_images([decode_image(original, self._limits)])[0]

    async def switch(self) -> int:
        """Make the staged vectors count, and give the collection's public name to the new one.

        Safe to repeat: rows first, so that a crash in between leaves a service that refuses to start, with the
        command that finishes the work.

        Returns:
            How many pictures were switched.
        """
        async with self._database.transaction() as connection:
            switched = await image_store.switch_vectors(connection, self._embedder.model_id)
        await self._vectors.switch()
        return switched
