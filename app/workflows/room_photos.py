"""Photos of rooms: looked at, cut to what a verdict names, stored with its rows, and ended after their time."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.core.inference import InferencePool
from app.core.room_analyzer import PhotoEvidence, RoomModel
from app.core.room_rules import PhotoPlace
from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import cleaning_store, defect_store, removals, room_store
from app.services.stores.removals import Kind
from app.types import Box, Image
from app.utils import tracing
from app.utils.image_processing import bounded, crop, encode_jpeg
from app.utils.pictures import Picture, PictureOpener
from app.workflows.announcements import announced

STORED_SIDE_PX = 1600  # enough to see what a verdict was about, and to train on
_CROP_SIDE_PX = 480
_CROP_MARGIN = 0.15  # of the box on every side, to see where it is
_RETENTION_BATCH = 500


@dataclass(frozen=True, slots=True)
class RoomPhoto:
    """A photo that was looked at: as it is stored, and the places that its evidence names, in pixels of the photo.

    ``factor``: a length as it is stored by that in the photo.
    """

    evidence: PhotoEvidence
    jpeg: bytes
    factor: float
    crops: Mapping[Box, bytes]


@dataclass(frozen=True, slots=True)
class PhotoKeys:
    """Where the photos of one analysis lie, in their order, and the crops by the place that they show."""

    image_ids: tuple[str, ...]
    photos: tuple[str, ...]
    crops: Mapping[PhotoPlace, str]

    @property
    def every(self) -> list[str]:
        """All keys, crops included."""
        return [*self.photos, *self.crops.values()]

    def shown(self, photo: int, box: Box | None) -> str:
        """What shows that place: its crop, or the whole photo where it has no box."""
        return self.photos[photo] if box is None else self.crops[PhotoPlace(photo, box)]


class RoomPhotos:
    """Photos over the pool and the object store.

    Args:
        zone: the hotel's, for the date in a photo's id.
        link_lifetime_s: how long presigned addresses work.
    """

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        model: RoomModel,
        database: Database,
        storage: ObjectStorage,
        zone: ZoneInfo,
        link_lifetime_s: int,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._model = model
        self._database = database
        self._storage = storage
        self._zone = zone
        self._link_lifetime_s = link_lifetime_s

    async def look_at(self, pictures: Sequence[bytes], *, depth: str) -> list[RoomPhoto]:
        """What each picture shows.

        Raises:
            VisionError: as the pictures and the pool have it.
        """
        return list(await asyncio.gather(*(self._look_at(picture, depth) for picture in pictures)))

    def name(self, room_number: str, photos: int, places: Sequence[PhotoPlace], *, moment: datetime) -> PhotoKeys:
        """New keys for so many photos, and for the crops of these places in them."""
        day = f"{moment.astimezone(self._zone):%Y%m%d}"
        image_ids = tuple(f"IMG_ROOM_{room_number}_{day}_{uuid.uuid4().hex[:12]}" for _ in range(photos))
        folder = f"rooms/{room_number}"
        return PhotoKeys(
            image_ids,
            tuple(f"{folder}/{image_id}.jpg" for image_id in image_ids),
            {
                place: f"{folder}/{image_ids[place.photo]}.crop{number}.jpg"
                for number, place in enumerate(dict.fromkeys(places))
            },
        )

    @asynccontextmanager
    async def stored(self, keys: PhotoKeys, photos: Sequence[RoomPhoto]) -> AsyncIterator[None]:
        """Photos and crops are in the store, for the block to claim ``keys.every`` with the rows of the analysis.

        Raises:
            BackendUnavailable: the store or PostgreSQL does not answer; nothing stays.
        """
        jpegs = {key: photo.jpeg for key, photo in zip(keys.photos, photos, strict=True)}
        jpegs |= {key: photos[place.photo].crops[place.box] for place, key in keys.crops.items()}
        async with announced(self._database, {Kind.OBJECT: keys.every}):
            await asyncio.gather(
                *(self._storage.put(key, jpeg, content_type="image/jpeg") for key, jpeg in jpegs.items())
            )
            yield

    def link(self, key: str) -> str:
        """A presigned address of a photo or a crop."""
        return self._storage.presigned_url(key, lifetime_s=self._link_lifetime_s)

    async def _look_at(self, picture: bytes, depth: str) -> RoomPhoto:
        async with self._pictures.opened(picture) as opened:
            return await self._pool.submit("room", self._look, opened, depth)

    # What follows runs on an inference thread.

    def _look(self, picture: Picture, depth: str) -> RoomPhoto:
        with tracing.stage("room.decode"):
            image = picture.decode()
        with tracing.stage("room.inspect"):
            [evidence] = self._model.inspect([image], depth=depth)
        with tracing.stage("room.encode"):
            # Encoded again, so that nothing of the EXIF data, where GPS hides, is kept.
            stored = bounded(image, side_px=STORED_SIDE_PX)
            crops = {box: cut(image, box) for box in evidence.boxes}
            return RoomPhoto(evidence, encode_jpeg(stored), stored.shape[1] / image.shape[1], crops)


def cut(image: Image, box: Box) -> bytes:
    """A JPEG of the place and a little around it, one pixel at least."""
    x, y = box.width * _CROP_MARGIN, box.height * _CROP_MARGIN
    around = Box(math.floor(box.x1 - x), math.floor(box.y1 - y), math.ceil(box.x2 + x), math.ceil(box.y2 + y))
    return encode_jpeg(bounded(crop(image, around), side_px=_CROP_SIDE_PX))


class RoomPhotoRetention:
    """Ends photos of rooms after their time, and with them cleanings and tickets that ended; the verdicts stay."""

    def __init__(self, database: Database, *, days: int) -> None:
        self._database = database
        self._days = days

    async def step(self) -> None:
        async with self._database.transaction() as connection:
            keys = await room_store.take_expired_photos(connection, days=self._days, limit=_RETENTION_BATCH)
            await removals.schedule_removals(connection, Kind.OBJECT, keys)
        async with self._database.connection() as connection:
            await cleaning_store.delete_old_cleanings(connection, days=self._days)
            await defect_store.delete_old_defects(connection, days=self._days)
