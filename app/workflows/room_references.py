"""Reference photos of rooms: how a room, or every room of a type, should look, and what is otherwise in new photos."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from app.core.inference import InferencePool
from app.core.room_changes import Change, compare_best
from app.core.room_items import ItemCount, LookedFor, count_items
from app.core.scene_pictures import FEWEST_MATCHES, ScenePicture, take_scene
from app.errors import InvalidImage, InvalidInput, NotFound
from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores import reference_store, removals
from app.services.stores.audit import add_audit_entry
from app.services.stores.reference_store import Owner, OwnerKind, Reference, ReferenceItem
from app.services.stores.removals import Kind
from app.types import Box, Image
from app.utils import tracing
from app.utils.image_processing import bounded, encode_jpeg
from app.utils.pictures import Picture, PictureOpener
from app.workflows.announcements import announced
from app.workflows.room_photos import STORED_SIDE_PX, RoomPhoto, cut

__all__ = ["Owner", "OwnerKind", "PhotoChanges", "Reference", "ReferenceItem", "RoomChanges", "RoomReferences"]


@dataclass(frozen=True, slots=True)
class PhotoChanges:
    """A photo beside the reference photo that shows the same view; None: none does, so nothing is said of it.

    ``changes`` have their boxes in pixels of the photo, and of the stored reference photo.
    """

    reference_photo: int | None
    changes: tuple[Change, ...] = ()
    looked_for: tuple[LookedFor, ...] = ()
    crops: Mapping[Box, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RoomChanges:
    """All photos of a room beside its reference, in their order."""

    reference: Reference
    photos: tuple[PhotoChanges, ...]

    @property
    def item_names(self) -> list[str]:
        return [item.name for item in self.reference.items]

    @property
    def looked_for(self) -> list[LookedFor]:
        return [one for photo in self.photos for one in photo.looked_for]

    @property
    def counts(self) -> list[ItemCount]:
        return count_items(self.item_names, self.looked_for)


class RoomReferences:
    """References over the pool, the object store and PostgreSQL."""

    def __init__(
        self, *, pool: InferencePool, pictures: PictureOpener, database: Database, storage: ObjectStorage
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._database = database
        self._storage = storage

    async def put(
        self, owner: Owner, pictures: Sequence[bytes], items: Sequence[ReferenceItem], *, actor: str | None
    ) -> Reference:
        """Set the reference, in the place of what was.

        Args:
            items: what is counted, with boxes in pixels of the pictures as they were sent.

        Raises:
            InvalidImage: a picture shows too little by which another photo could be laid over it.
            InvalidInput: an item lies outside of its picture, or names none.
            VisionError: as the pictures, the pool and the backends have it; then nothing is changed.
        """
        opened = await asyncio.gather(*(self._opened(picture, number) for number, picture in enumerate(pictures)))
        kept = [_on_stored(item, [(factor, size) for _, factor, size in opened]) for item in items]
        keys = [f"room_references/{owner.kind}/{owner.name}/{uuid.uuid4().hex}.jpg" for _ in opened]
        things = {Kind.OBJECT: keys}
        async with announced(self._database, things):
            await asyncio.gather(
                *(
                    self._storage.put(key, jpeg, content_type="image/jpeg")
                    for key, (jpeg, _, _) in zip(keys, opened, strict=True)
                )
            )
            async with self._database.transaction() as connection:
                await reference_store.lock_owner(connection, owner)
                before = await reference_store.find_reference(connection, owner)
                reference = await reference_store.save_reference(connection, owner, keys, kept, set_by=actor)
                await removals.claim(connection, things)
                if before is not None:
                    await removals.schedule_removals(connection, Kind.OBJECT, before.photo_keys)
                await add_audit_entry(
                    connection, "room.set_reference", subject=owner.name, actor=actor, details={"kind": owner.kind}
                )
        return reference

    async def get(self, owner: Owner) -> Reference:
        """The reference of that room or type itself.

        Raises:
            NotFound: it has none.
        """
        async with self._database.connection() as connection:
            reference = await reference_store.find_reference(connection, owner)
        if reference is None:
            raise _unknown(owner)
        return reference

    async def delete(self, owner: Owner, *, actor: str | None) -> int:
        """Erase a reference; the number of its photos.

        Raises:
            NotFound: there is none.
        """
        async with self._database.transaction() as connection:
            await reference_store.lock_owner(connection, owner)
            reference = await reference_store.find_reference(connection, owner)
            if reference is None:
                raise _unknown(owner)
            await reference_store.delete_reference(connection, owner)
            await removals.schedule_removals(connection, Kind.OBJECT, reference.photo_keys)
            await add_audit_entry(
                connection, "room.delete_reference", subject=owner.name, actor=actor, details={"kind": owner.kind}
            )
        return len(reference.photo_keys)

    async def compare(self, room_number: str, room_type: str | None, photos: Sequence[RoomPhoto]) -> RoomChanges | None:
        """What is otherwise than in the reference of the room, else of its type; None where neither has one.

        Raises:
            VisionError: as the pool and the backends have it.
        """
        owners = [Owner(OwnerKind.ROOM, room_number)] + ([Owner(OwnerKind.TYPE, room_type)] if room_type else [])
        async with self._database.connection() as connection:
            reference = await reference_store.find_reference(connection, *owners)
        if reference is None:
            return None
        try:
            jpegs = await asyncio.gather(*(self._storage.get(key) for key in reference.photo_keys))
        except NotFound:  # replaced in this moment: the next analysis has the new one
            return None
        scenes = await self._pool.submit("room", _scenes, jpegs)
        compared = await asyncio.gather(
            *(self._pool.submit("room", _compared, reference, scenes, photo, n) for n, photo in enumerate(photos))
        )
        return RoomChanges(reference, tuple(compared))

    async def _opened(self, picture: bytes, number: int) -> tuple[bytes, float, tuple[int, int]]:
        async with self._pictures.opened(picture) as opened:
            return await self._pool.submit("room", _as_reference, opened, number)


def _unknown(owner: Owner) -> NotFound:
    return NotFound(f"There is no reference of the {owner.kind} {owner.name}.", code="reference_unknown")


def _on_stored(item: ReferenceItem, photos: Sequence[tuple[float, tuple[int, int]]]) -> ReferenceItem:
    """The item with its box in pixels of the stored photo."""
    if item.photo >= len(photos):
        raise InvalidInput(f"{item.name} names photo {item.photo}, and there are {len(photos)}.", code="photo_unknown")
    factor, (width, height) = photos[item.photo]
    if item.box.clip(width, height) != item.box or item.box.area < 1:
        raise InvalidInput(
            f"The place of {item.name} is not inside of photo {item.photo}, {width} x {height} px.",
            code="item_outside_photo",
        )
    return replace(item, box=item.box.scale(factor))


# What follows runs on an inference thread.


def _as_reference(picture: Picture, number: int) -> tuple[bytes, float, tuple[int, int]]:
    """The photo as it is stored, a length in it by that in the picture, and the picture's width and height."""
    image = picture.decode()
    stored = bounded(image, side_px=STORED_SIDE_PX)
    if len(take_scene(stored).points) < FEWEST_MATCHES:
        raise InvalidImage(
            f"Photo {number} shows too little to recognise the place by; take the whole room, in good light.",
            code="reference_too_plain",
        )
    height, width = image.shape[:2]
    return encode_jpeg(stored), stored.shape[1] / width, (width, height)


def _decoded(jpeg: bytes) -> Image:
    """One of our own."""
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _scenes(jpegs: Sequence[bytes]) -> list[ScenePicture]:
    return [take_scene(_decoded(jpeg)) for jpeg in jpegs]


def _compared(reference: Reference, scenes: Sequence[ScenePicture], photo: RoomPhoto, number: int) -> PhotoChanges:
    with tracing.stage("room.compare"):
        image = _decoded(photo.jpeg)
        best = compare_best(scenes, take_scene(image))
        if best is None:
            return PhotoChanges(None)
        shown, comparison = best
        crops = {change.box.scale(1 / photo.factor): cut(image, change.box) for change in comparison.changes}
        looked_for = []
        for at, item in enumerate(reference.items):
            if item.photo == shown:
                height, width = image.shape[:2]
                place = comparison.place(item.box).clip(width, height)
                present = comparison.holds(item.box)
                if place.area:
                    box = place.scale(1 / photo.factor)
                    crops[box] = cut(image, place)
                    looked_for.append(LookedFor(at, item.name, number, present, box))
        changes = tuple(replace(change, box=change.box.scale(1 / photo.factor)) for change in comparison.changes)
        return PhotoChanges(shown, changes, tuple(looked_for), crops)
