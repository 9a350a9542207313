"""Which pictures are known: index, show, change, list and delete them.

Objects and vector are announced, stored and claimed with the rows, which make a picture visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from app.core.image_embedding import ImageEmbedder, QueryKind
from app.core.inference import InferencePool, Priority
from app.errors import Conflict, InvalidInput, NotFound, VisionError
from app.services.database import Connection, Database
from app.services.image_filters import ImageFilter, normal_tags
from app.services.storage import ObjectStorage
from app.services.stores import claim_store, image_store, removals
from app.services.stores.audit import add_audit_entry
from app.services.stores.image_store import Fingerprint, ImageDetails, StoredImage
from app.services.stores.removals import Kind, Things
from app.services.vectors.base import ImageIndex
from app.types import FloatArray
from app.utils import clock, metrics
from app.utils.cursors import Slice, read_cursor, slice_of
from app.utils.logging import logger
from app.utils.pictures import PictureOpener
from app.workflows.announcements import announced
from app.workflows.image_records import (
    PictureReading,
    new_image_vector_id,
    new_stored_image,
    read_picture,
    vector_row,
)
from app.workflows.picture_search import PictureQuery, PictureSearch

# What callers of the use cases speak in, wherever it is defined.
__all__ = ["ImageDetails", "ImageFilter", "ImageWorkflow", "Indexed", "StoredImage"]

_VECTOR_FIELDS = ("room_number", "item_type", "tags", "location", "status")
JPEG = "image/jpeg"
LOST_FOUND = "lost_found"
# A picture that somebody else changed in between is read again this often.
_CHANGE_TRIES = 5
_NEAR_COPIES = 5  # that an answer names at most


@dataclass(frozen=True, slots=True)
class NearCopy:
    """A picture that may be the same; ``similarity`` is calibrated, 0 to 1."""

    image_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Indexed:
    """What came of it; ``is_duplicate`` where ``image`` was there before and nothing new was stored. ``near_copies``
    are pictures of the category that may be the same one, made smaller, recompressed or cropped."""

    image: StoredImage
    is_duplicate: bool
    near_copies: tuple[NearCopy, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageUrls:
    """Addresses that work without credentials for a while."""

    url: str
    thumbnail_url: str


class ImageWorkflow:
    """Indexing over the pool and the backends.

    Args:
        search: finds the copies of a picture that comes.
        zone: the hotel's, for the date in an image's id.
        url_lifetime_s: how long presigned addresses work.
        near_copy_cosine: from which on two pictures are copies of one; None tells none.
    """

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        embedder: ImageEmbedder,
        database: Database,
        vectors: ImageIndex,
        search: PictureSearch,
        storage: ObjectStorage,
        zone: ZoneInfo,
        url_lifetime_s: int,
        near_copy_cosine: float | None,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._embedder = embedder
        self._database = database
        self._vectors = vectors
        self._search = search
        self._storage = storage
        self._zone = zone
        self._url_lifetime_s = url_lifetime_s
        self._near_copy_cosine = near_copy_cosine

    async def index(
        self,
        picture: bytes,
        details: ImageDetails,
        *,
        actor: str | None,
        allow_duplicate: bool = False,
        priority: Priority = Priority.REQUEST,
    ) -> Indexed:
        """Store a picture so that searches find it. All of it is there afterwards, or nothing.

        Raises:
            InvalidImage: the bytes are no picture.
            BackendUnavailable: a backend is down; trying again later is safe.
        """
        details = replace(details, tags=normal_tags(details.tags))
        async with self._pictures.opened(picture) as opened:
            reading = await self._pool.submit_at(priority, "image", read_picture, opened, embedder=self._embedder)
        if not allow_duplicate and (known := await self._duplicate(details.category, reading.pixel_sha256)):
            return self._count(Indexed(known, is_duplicate=True))
        uploaded_at = clock.now().astimezone(self._zone)
        copies = await self._near_copies(reading.embedding.vector, details.category)
        image = new_stored_image(reading, details, uploaded_at=uploaded_at, uploaded_by=actor)
        try:
            indexed = await self._store(image, reading, allow_duplicate=allow_duplicate)
        except VisionError:
            metrics.image_index_total.labels(details.category, "failure").inc()
            raise
        return self._count(indexed if indexed.is_duplicate else replace(indexed, near_copies=copies))

    async def _near_copies(self, vector: FloatArray, category: str) -> tuple[NearCopy, ...]:
        if self._near_copy_cosine is None:
            return ()
        await self._search.catch_up()
        wanted = ImageFilter(category=category)
        query = PictureQuery(vector, wanted, self._near_copy_cosine, offset=0, top_k=_NEAR_COPIES)
        near = await self._search.page(query)
        rate = self._embedder.calibrations[QueryKind.IMAGE].similarity
        return tuple(NearCopy(image_id, rate(cosine)) for image_id, cosine in near.cosines.items())

    @staticmethod
    def _count(indexed: Indexed) -> Indexed:
        outcome = "duplicate" if indexed.is_duplicate else "success"
        metrics.image_index_total.labels(indexed.image.details.category, outcome).inc()
        logger.info("image_indexed", image_id=indexed.image.image_id, outcome=outcome)
        return indexed

    async def _duplicate(self, category: str, pixel_sha256: bytes) -> StoredImage | None:
        async with self._database.connection() as connection:
            return await image_store.find_duplicate(connection, category, pixel_sha256)

    async def _store(self, image: StoredImage, reading: PictureReading, *, allow_duplicate: bool) -> Indexed:
        things = {Kind.OBJECT: [image.object_key, image.thumbnail_key], Kind.IMAGE_VECTOR: [image.vector_id]}
        async with announced(self._database, things):
            # The thumbnail first: by its name the reconciler knows the picture for ours.
            await self._storage.put(image.thumbnail_key, reading.thumbnail_jpeg, content_type=JPEG)
            await self._storage.put(image.object_key, reading.original_jpeg, content_type=JPEG)
            await self._vectors.insert([vector_row(image, reading.embedding.vector)])
            async with self._database.transaction() as connection:
                if not allow_duplicate:
                    # Asked again under the lock: the same picture may have come twice at once.
                    await image_store.lock_picture(connection, reading.pixel_sha256)
                    known = await image_store.find_duplicate(connection, image.details.category, reading.pixel_sha256)
                    if known is not None:
                        await removals.give_up(connection, things, after_s=0.0)
                        return Indexed(known, is_duplicate=True)
                await self._write_rows(connection, image, reading)
                await removals.claim(connection, things)
        return Indexed(image, is_duplicate=False)

    async def _write_rows(self, connection: Connection, image: StoredImage, reading: PictureReading) -> None:
        await image_store.add_image(
            connection,
            image,
            Fingerprint(reading.embedding.vector, reading.pixel_sha256),
            storage_url=self._storage.url(image.object_key),
            thumbnail_url=self._storage.url(image.thumbnail_key),
        )
        if image.details.category == LOST_FOUND:
            await claim_store.note_find(connection, image.image_id)
        await add_audit_entry(
            connection,
            "image.index",
            subject=image.image_id,
            actor=image.uploaded_by,
            details={"category": image.details.category},
        )

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
            Conflict: others change it all the time.
        """
        for _ in range(_CHANGE_TRIES):
            before, vector = await self._get_with_vector(image_id)
            after = replace(before, details=_changed(before.details, changes))
            things: Things = {}
            if any(getattr(after.details, name) != getattr(before.details, name) for name in _VECTOR_FIELDS):
                # The index can't change a row in place: a new one counts once our row names it, the old one no more.
                after = replace(after, vector_id=new_image_vector_id())
                things = {Kind.IMAGE_VECTOR: [after.vector_id]}
            async with announced(self._database, things):
                if things:
                    await self._vectors.insert([vector_row(after, vector)])
                async with self._database.transaction() as connection:
                    if await image_store.find_for_change(connection, image_id) == before:
                        await self._write_change(connection, before, after, things, changes=changes, actor=actor)
                        return after
                    await removals.give_up(connection, things, after_s=0.0)
        raise Conflict(f"Image {image_id} is being changed by others; send it again.", code="image_busy")

    async def _get_with_vector(self, image_id: str) -> tuple[StoredImage, FloatArray]:
        async with self._database.connection() as connection:
            found = await image_store.find_with_vector(connection, image_id)
        if found is None:
            raise _unknown(image_id)
        return found

    async def _write_change(
        self,
        connection: Connection,
        before: StoredImage,
        after: StoredImage,
        things: Things,
        *,
        changes: Mapping[str, object],
        actor: str | None,
    ) -> None:
        await image_store.change_image(connection, after.image_id, after.details, vector_id=after.vector_id)
        if things:
            await removals.schedule_removals(connection, Kind.IMAGE_VECTOR, [before.vector_id])
            await removals.claim(connection, things)
        await add_audit_entry(
            connection, "image.change", subject=after.image_id, actor=actor, details={"fields": sorted(changes)}
        )

    async def delete(self, image_id: str, *, actor: str | None) -> StoredImage:
        """Remove a picture's rows; its vector and objects follow, retried until they are gone.

        Raises:
            NotFound: there is none of that id.
        """
        async with self._database.transaction() as connection:
            image = await image_store.remove_image(connection, image_id)
            if image is None:
                raise _unknown(image_id)
            await removals.schedule_removals(connection, Kind.IMAGE_VECTOR, [image.vector_id])
            await removals.schedule_removals(connection, Kind.OBJECT, [image.object_key, image.thumbnail_key])
            await add_audit_entry(
                connection,
                "image.delete",
                subject=image_id,
                actor=actor,
                details={"category": image.details.category},
            )
        return image

    async def list_images(self, wanted: ImageFilter, *, cursor: str | None, limit: int) -> Slice[StoredImage]:
        """Pictures, newest first.

        Args:
            cursor: of the page before; None for the first.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        after = _read_cursor(cursor) if cursor else None
        async with self._database.connection() as connection:
            images = await image_store.list_images(connection, wanted, after=after, limit=limit + 1)
        return slice_of(images, limit, lambda image: (image.uploaded_at.isoformat(), image.image_id))

    def version_of(self, image: StoredImage) -> bytes:
        """What ``image`` and its addresses are known again by: another one when half of their lifetime is over."""
        period = int(clock.now().timestamp()) * 2 // self._url_lifetime_s
        return repr((image, period)).encode()

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


def _read_cursor(cursor: str) -> tuple[datetime, str]:
    moment, image_id = read_cursor(cursor, str, str)
    try:
        uploaded_at = datetime.fromisoformat(str(moment))
    except ValueError as error:
        raise InvalidInput("This cursor is none of ours; begin without one.", code="invalid_cursor") from error
    return clock.to_utc(uploaded_at, ZoneInfo("UTC")), str(image_id)
