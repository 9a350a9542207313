"""Moves the enrolled people to another face model: embed kept crops again, and say who has to come again.

PostgreSQL keeps the templates of the model before, inactive, until the person's are replaced or erased. So the way back
is the same move with the old pack: its templates count again, and their vectors are written from PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from app.core.face_covers import FaceCoverDetector
from app.core.face_recognition import FaceRecognitionEngine
from app.core.inference import InferencePool, Priority
from app.errors import Conflict, InvalidImage, NotFound
from app.services.cache import PEOPLE_KEY, Cache
from app.services.database import Database
from app.services.sealed_storage import SealedStorage
from app.services.stores import face_migration_store as store
from app.services.stores import face_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.face_migration_store import MovableTemplate, MovedTemplate
from app.services.stores.face_store import Identity
from app.services.vectors.base import FaceIndex, FaceVector, new_vector_id
from app.types import FloatArray
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits

_ACTOR = "reindex.py"
_BATCH = 500
_ROUNDS = 10  # whoever is enrolled while the others are moved comes with the next round


@dataclass(frozen=True, slots=True)
class Move:
    """What came of it.

    Attributes:
        counting: how many templates of the new model count now.
        embedded: how many of them were made from kept crops in this run.
        to_enrol: people who are known no more until they are enrolled again, by id.
    """

    counting: int
    embedded: int
    to_enrol: tuple[Identity, ...]


class FaceMigration:
    """Over the new model's engine, and an index that is configured for it."""

    def __init__(
        self,
        *,
        pool: InferencePool,
        engine: FaceRecognitionEngine,
        covers: FaceCoverDetector | None,
        database: Database,
        vectors: FaceIndex,
        storage: SealedStorage,
        cache: Cache,
        limits: PictureLimits,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._covers = covers
        self._database = database
        self._vectors = vectors
        self._storage = storage
        self._cache = cache
        self._limits = limits

    async def run(self) -> Move:
        """Make the new collection, fill it, and let its templates count instead of the others, all at once.

        Safe to repeat: rows that do not count yet, then their vectors, then all of them count, then the public name. A
        crash in between leaves a service that goes on, or that refuses to start with the command that finishes the
        work; what was embedded is not embedded again.

        Raises:
            BackendUnavailable: a backend does not answer; nothing has changed for the service, or the rest is done by
                the next run.
            Conflict: people were enrolled all the time.
        """
        model_id = self._engine.model_id
        await self._vectors.open_beside()
        embedded = 0
        lost: set[str] = set()
        for _ in range(_ROUNDS):
            embedded += await self._move(model_id, lost)
            async with self._database.connection() as connection:
                templates = await store.moved_templates(connection, model_id)
            await self._fill(templates)
            switched = await self._switch(model_id, lost)
            if switched is None:
                continue
            counting, to_enrol = switched
            # Whoever was erased in between.
            await self._vectors.delete([t.vector_id for t in templates if t.vector_id not in counting])
            await self._vectors.switch()
            await self._cache.forget(PEOPLE_KEY)
            return Move(len(counting), embedded, tuple(to_enrol))
        raise Conflict("People are being enrolled all the time; run it again when nobody is.", code="enrolments_go_on")

    async def _move(self, model_id: str, lost: set[str]) -> int:
        """Embed the crops of whoever has no template of the model, and write the rows; how many there are."""
        async with self._database.connection() as connection:
            waiting = await store.templates_to_move(connection, model_id)
        made = []
        for template in waiting:
            moved = await self._embed(template)
            if moved is None:
                lost.add(template.vector_id)
            else:
                made.append(moved)
        async with self._database.transaction() as connection:
            await face_store.lock_enrolments(connection)
            await store.lock_templates(connection)
            await store.add_moved(connection, made, model_id=model_id)
        return len(made)

    async def _switch(self, model_id: str, lost: Set[str]) -> tuple[set[str], list[Identity]] | None:
        """Let the model's templates count: their ids, and who has to come again. None: somebody came in between."""
        async with self._database.transaction() as connection:
            await face_store.lock_enrolments(connection)
            await store.lock_templates(connection)
            waiting = await store.templates_to_move(connection, model_id)
            if any(template.vector_id not in lost for template in waiting):
                return None
            counting = await store.let_count(connection, model_id)
            to_enrol = await store.people_without(connection, model_id)
            details = {"model_id": model_id, "templates": len(counting), "to_enrol": len(to_enrol)}
            await add_audit_entry(connection, "face.migrate", subject=model_id, actor=_ACTOR, details=details)
        return counting, to_enrol

    async def _embed(self, template: MovableTemplate) -> MovedTemplate | None:
        if template.crop_key is None:
            return None
        try:
            crop = await self._storage.get(template.crop_key)
            vector = await self._pool.submit_at(Priority.BULK, "face", self._read, crop)
        except (NotFound, InvalidImage):
            return None
        return None if vector is None else MovedTemplate(template, new_vector_id(), vector)

    def _read(self, crop: bytes) -> FloatArray | None:
        """Runs on an inference thread. None for a covered face: it would be taken for others that are covered too, and
        was enrolled before that was refused."""
        image = decode_image(crop, self._limits)
        if self._covers is not None and self._covers.detect([image])[0] is not None:
            return None
        return self._engine.embed_aligned([image])[0].embedding.vector

    async def _fill(self, templates: Sequence[MovedTemplate]) -> None:
        """Write the vectors; what an interrupted run wrote goes first, or it would stand there twice."""
        await self._vectors.delete([template.vector_id for template in templates])
        for start in range(0, len(templates), _BATCH):
            await self._vectors.insert(
                [
                    FaceVector(template.vector_id, template.of.employee_id, template.vector, template.of.quality_score)
                    for template in templates[start : start + _BATCH]
                ]
            )
