"""The pictures of a frame in the object store: how they are called, and which of them stay."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection
from app.services.storage import ObjectStorage
from app.services.stores.incident_store import FrameKeys
from app.services.stores.removals import Kind, Things, claim, give_up
from app.workflows.safety.evidence import FramePictures, Recorded


@dataclass(frozen=True, slots=True)
class FrameObjects:
    """Pictures under the keys that they are stored by."""

    pictures: FramePictures
    keys: FrameKeys

    @classmethod
    def named(cls, pictures: FramePictures, camera_id: str, at: datetime) -> FrameObjects:
        """Under keys that were never used."""
        stem = f"frames/{camera_id}/{at:%Y/%m/%d}/{uuid.uuid4()}"
        keys = FrameKeys(
            shown=f"{stem}.jpg",
            marked=f"{stem}.marked.jpg" if pictures.marked else None,
            original=f"{stem}.original.jpg" if pictures.original else None,
        )
        return cls(pictures, keys)

    @property
    def things(self) -> Things:
        """All of them, to announce."""
        return {Kind.OBJECT: self.keys.present()}

    async def claim_kept(self, connection: Connection, recorded: Sequence[Recorded]) -> None:
        """Claim those that the detections of the frame keep, and let the others go at once.

        Raises:
            AnnouncementLapsed: storing them took too long.
        """
        kept = {key for one in recorded for key in self.keys_of(one.incident_id, alerted=one.alerted).present()}
        await claim(connection, {Kind.OBJECT: sorted(kept)})
        await give_up(connection, self.things, after_s=0.0)

    def keys_of(self, incident_id: int | None, *, alerted: bool) -> FrameKeys:
        """What one detection keeps: faces only of an incident, boxes only of the frame that decided."""
        return FrameKeys(
            shown=self.keys.shown,
            marked=self.keys.marked if alerted else None,
            original=self.keys.original if incident_id is not None else None,
        )

    async def store(self, storage: ObjectStorage) -> None:
        """Write all of them.

        Raises:
            BackendUnavailable: the store did not take one.
        """
        pictures = (self.pictures.shown, self.pictures.marked, self.pictures.original)
        pairs = zip((self.keys.shown, self.keys.marked, self.keys.original), pictures, strict=True)
        await asyncio.gather(
            *(storage.put(key, jpeg, content_type="image/jpeg") for key, jpeg in pairs if key and jpeg)
        )
