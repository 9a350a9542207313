"""Which pictures are known: index, show, change, list and delete them.

Write order: objects → vector → rows. The rows make a picture visible, so whatever a crash leaves behind is found by
nobody, and ``scripts/reconcile.py`` removes it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from app.core.image_embedding import ImageEmbedder
from app.core.inference import InferencePool, Priority
from app.errors import BackendUnavailable, InvalidInput, NotFound
from app.services.database import Connection, Database
from app.services.image_filters import ImageFilter, normal_tags
from app.services.storage import ObjectStorage
from app.services.stores import image_store, removals
from app.services.stores.audit import add_audit_entry
from app.services.stores.image_store import Fingerprint, ImageDetails, StoredImage
from app.services.vectors.base import ImageIndex
from app.utils import clock, metrics
from app.utils.logging import logger
from app.workflows.image_records import (
    PictureReading,
    new_image_vector_id,
    new_stored_image,
    read_picture,
    vector_row,
)

# What callers of the use cases speak in, wherever it is defined.
__all__ = ["ImageDetails", "ImageFilter", "ImageWorkflow", "Indexed", "StoredImage"]

_VECTOR_FIELDS = ("room_number", "item_type", "tags", "location", "status")
JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Indexed:
    """What came of it; ``is_duplicate`` where ``image`` was there before and nothing new was stored."""

    image: StoredImage
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class ImageUrls:
    """Addresses that work without credentials for a while."""

    url: str
    thumbnail_url: str


@dataclass(frozen=True, slots=True)
class ImagePage:
    """Some pictures, newest first, and where the next ones begin; None at the end."""

    images: tuple[StoredImage, ...]
    next_cursor: str | None


class ImageWorkflow:
    """Indexing over the pool and the backends.

    Args:
        zone: the hotel's, for the date in an image's id.
        url_lifetime_s: how long presigned addresses work.
    """

    def __init__(
        self,
        *,
        pool: InferencePool,
        embedder: ImageEmbedder,
        database: Database,
        vectors: ImageIndex,
        storage: ObjectStorage,
        zone: ZoneInfo,
        max_pixels: int,
        url_lifetime_s: int,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._database = database
        self._vectors = vectors
        self._storage = storage
        self._zone = zone
        self._max_pixels = max_pixels
        self._url_lifetime_s = url_lifetime_s

    async def index(
        self,
        picture: bytes,
        details: ImageDetails,
        *,
        actor: str | None,
        allow_duplicate: bool = False,
        priority: Priority = Priority.INTERACTIVE,
    ) -> Indexed:
        """Store a picture so that searches find it. All of it is there afterwards, or nothing.

        Raises:
            InvalidImage: the bytes are no picture.
            BackendUnavailable: a backend is down; trying again later is safe.
        """
        details = replace(details, tags=normal_tags(details.tags))
        reading = await self._pool.submit_at(
            priority, "image", read_picture, picture, embedder=self._embedder, max_pixels=self._max_pixels
        )
        if not allow_duplicate and (known := await self._duplicate(details.category, reading.pixel_sha256)):
            return self._count(Indexed(known, is_duplicate=True))
        uploaded_at = clock.now().astimezone(self._zone)
        image = new_stored_image(reading, details, uploaded_at=uploaded_at, uploaded_by=actor)
        try:
            await self._write_outside(image, reading)
            indexed = await self._write_rows(image, reading, allow_duplicate=allow_duplicate)
        except BaseException:
            metrics.image_index_total.labels(details.category, "failure").inc()
            await self._undo(image.vector_id, objects=(image.object_key, image.thumbnail_key))
            raise
        if indexed.is_duplicate:
            await self._undo(image.vector_id, objects=(image.object_key, image.thumbnail_key))
        return self._count(indexed)

    @staticmethod
    def _count(indexed: Indexed) -> Indexed:
        outcome = "duplicate" if indexed.is_duplicate else "success"
        metrics.image_index_total.labels(indexed.image.details.category, outcome).inc()
        logger.info("image_indexed", image_id=indexed.image.image_id, outcome=outcome)
        return indexed

    async def _duplicate(self, category: str, pixel_sha256: bytes) -> StoredImage | None:
        async with self._database.connection() as connection:
            return await image_store.find_duplicate(connection, category, pixel_sha256)

    async def _write_outside(self, image: StoredImage, reading: PictureReading) -> None:
        # The thumbnail first: whatever a crash leaves has one, and by its name the reconciler knows it for ours.
        await self._storage.put(image.thumbnail_key, reading.thumbnail_jpeg, content_type=JPEG)
        await self._storage.put(image.object_key, reading.original_jpeg, content_type=JPEG)
        await self._vectors.insert([vector_row(image, reading.embedding.vector)])

    async def _write_rows(self, image: StoredImage, reading: PictureReading, *, allow_duplicate: bool) -> Indexed:
        fingerprint = Fingerprint(reading.embedding.vector, reading.pixel_sha256)
        async with self._database.transaction() as connection:
            if not allow_duplicate:
                # Asked again under the lock: the same picture may have come twice at once.
                await image_store.lock_picture(connection, reading.pixel_sha256)
                known = await image_store.find_duplicate(connection, image.details.category, reading.pixel_sha256)
                if known is not None:
                    return Indexed(known, is_duplicate=True)
            await image_store.add_image(
                connection,
                image,
                fingerprint,
                storage_url=self._storage.url(image.object_key),
                thumbnail_url=self._storage.url(image.thumbnail_key),
            )
            await add_audit_entry(
                connection,
                "image.index",
                subject=image.image_id,
                actor=image.uploaded_by,
                details={"category": image.details.category},
            )
        return Indexed(image, is_duplicate=False)

    async def _undo(self, vector_id: str, *, objects: Sequence[str]) -> None:
        """Remove what was written outside PostgreSQL, unless the commit went through after all.

        Best effort: what can't be removed now no search shows, and ``scripts/reconcile.py`` finds it.
        """
        try:
            async with self._database.transaction() as connection:
                if not await image_store.shown_vectors(connection, [vector_id]):
                    await removals.schedule_removals(connection, removals.Kind.IMAGE_VECTOR, [vector_id])
                    await removals.schedule_removals(connection, removals.Kind.OBJECT, objects)
        except BackendUnavailable:
            logger.warning("image_not_undone", vector_id=vector_id)

    async def get(self, image_id: str) -> StoredImage:
        """An indexed picture.

        Raises:
            NotFound: there is none of that id.
        """
        async with self._database.connection() as connection:
            image = await image_store.find_image(connection, image_id)
        if image is None:
            raise _unknown(image_id)
        return image

    async def change(self, image_id: str, changes: Mapping[str, object], *, actor: str | None) -> StoredImage:
        """Set fields of ``ImageDetails``; searches are narrowed by the new values as soon as this returns.

        Raises:
            NotFound: there is no picture of that id.
        """
        new_vector_id = new_image_vector_id()
        try:
            async with self._database.transaction() as connection:
                changed = await self._change(connection, image_id, changes, new_vector_id=new_vector_id)
                await add_audit_entry(
                    connection, "image.change", subject=image_id, actor=actor, details={"fields": sorted(changes)}
                )
        except BackendUnavailable:
            await self._undo(new_vector_id, objects=())
            raise
        return changed

    async def _change(
        self, connection: Connection, image_id: str, changes: Mapping[str, object], *, new_vector_id: str
    ) -> StoredImage:
        found = await image_store.find_for_change(connection, image_id)
        if found is None:
            raise _unknown(image_id)
        image, vector = found
        changed = replace(image, details=_changed(image.details, changes))
        if any(getattr(changed.details, name) != getattr(image.details, name) for name in _VECTOR_FIELDS):
            # An index changes no vector in place: the new one counts once our row names it, the old one no more.
            changed = replace(changed, vector_id=new_vector_id)
            await self._vectors.insert([vector_row(changed, vector)])
            await removals.schedule_removals(connection, removals.Kind.IMAGE_VECTOR, [image.vector_id])
        await image_store.change_image(connection, image_id, changed.details, vector_id=changed.vector_id)
        return changed

    async def delete(self, image_id: str, *, actor: str | None) -> StoredImage:
        """Remove a picture's rows; its vector and objects follow, retried until they are gone.

        Raises:
            NotFound: there is none of that id.
        """
        async with self._database.transaction() as connection:
            image = await image_store.remove_image(connection, image_id)
            if image is None:
                raise _unknown(image_id)
            await removals.schedule_removals(connection, removals.Kind.IMAGE_VECTOR, [image.vector_id])
            await removals.schedule_removals(connection, removals.Kind.OBJECT, [image.object_key, image.thumbnail_key])
            await add_audit_entry(
                connection,
                "image.delete",
                subject=image_id,
                actor=actor,
                details={"category": image.details.category},
            )
        return image

    async def list_images(self, wanted: ImageFilter, *, cursor: str | None, limit: int) -> ImagePage:
        """Pictures, newest first.

        Args:
            cursor: of the page before; None for the first.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        after = _read_cursor(cursor) if cursor else None
        async with self._database.connection() as connection:
            images = await image_store.list_images(connection, wanted, after=after, limit=limit + 1)
        more = len(images) > limit
        page = tuple(images[:limit])
        return ImagePage(page, _cursor(page[-1]) if more else None)

    def urls(self, image: StoredImage) -> ImageUrls:
        """Presigned addresses of a picture and its thumbnail."""
        return ImageUrls(
            self._storage.presigned_url(image.object_key, lifetime_s=self._url_lifetime_s),
            self._storage.presigned_url(image.thumbnail_key, lifetime_s=self._url_lifetime_s),
        )


def _changed(details: ImageDetails, changes: Mapping[str, object]) -> ImageDetails:
    fields = dict(changes)
    if "tags" in fields:
        tags = fields["tags"]
        fields["tags"] = normal_tags(tags) if isinstance(tags, Sequence) else ()
    return replace(details, **fields)  # type: ignore[arg-type]  # the HTTP model has checked names and types


def _unknown(image_id: str) -> NotFound:
    return NotFound(f"There is no image {image_id}.", code="image_not_found")


def _cursor(image: StoredImage) -> str:
    text = f"{image.uploaded_at.isoformat()}|{image.image_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, image_id = text.partition("|")
        uploaded_at = datetime.fromisoformat(moment)
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise InvalidInput("This cursor is none of ours; begin without one.", code="invalid_cursor") from error
    if uploaded_at.tzinfo is None:
        raise InvalidInput("This cursor is none of ours; begin without one.", code="invalid_cursor")
    return uploaded_at, image_id
