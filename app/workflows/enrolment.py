"""Who is known: enrol, list and erase people's faces.

Write order: vector → crop → row. The row makes a template count, so whatever a crash leaves behind matches nobody,
and ``scripts/reconcile.py`` finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.core.face_quality import FaceQualityGate
from app.core.face_recognition import FaceRecognitionEngine
from app.core.inference import InferencePool
from app.errors import BackendUnavailable, Conflict, InvalidImage, InvalidInput, NotFound, TooLarge
from app.services.cache import PEOPLE_KEY, Cache, attendance_key
from app.services.database import Connection, Database
from app.services.storage import ObjectStorage
from app.services.stores import face_store, removals
from app.services.stores.audit import add_audit_entry
from app.services.stores.face_store import StoredTemplate, Template
from app.services.stores.outbox import publish_event
from app.services.vectors.base import FaceIndex, FaceVector, new_vector_id
from app.types import FloatArray, shown
from app.utils import clock, metrics, tracing
from app.utils.image_processing import decode_image, encode_jpeg
from app.utils.logging import logger

_DUPLICATE_NEIGHBOURS = 50
# Photos of one enrolment must show one person: pairs under this match probability do not.
_MIN_SAME_PERSON = 0.5


@dataclass(frozen=True, slots=True)
class Person:
    """What the caller says of the person."""

    employee_id: str
    name: str | None = None
    department: str | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True)
class EnrolmentTerms:
    """What the caller wants done about templates that are there already.

    Attributes:
        replace_existing: end the person's earlier templates, instead of adding to them.
        allow_duplicate: enrol although the face is somebody else's already.
        allow_mismatch: add although the face does not match the person's earlier templates.
    """

    replace_existing: bool = False
    allow_duplicate: bool = False
    allow_mismatch: bool = False


@dataclass(frozen=True, slots=True)
class RejectedImage:
    """Why one picture was not enrolled; ``index`` counts from 0."""

    index: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of it."""

    employee_id: str
    templates: tuple[Template, ...]
    rejected: tuple[RejectedImage, ...]

    @property
    def average_quality(self) -> float:
        return sum(t.quality_score for t in self.templates) / len(self.templates)


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """The settings that decide."""

    max_pixels: int
    max_templates: int
    min_duplicate_confidence: float
    min_match_confidence: float
    keep_crops: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    template: Template
    crop_jpeg: bytes | None
    index: int


class EnrolmentWorkflow:
    """Enrolment over the pool and the backends."""

    def __init__(
        self,
        *,
        pool: InferencePool,
        engine: FaceRecognitionEngine,
        gate: FaceQualityGate,
        database: Database,
        vectors: FaceIndex,
        storage: ObjectStorage,
        cache: Cache,
        rules: EnrolmentRules,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._gate = gate
        self._database = database
        self._vectors = vectors
        self._storage = storage
        self._cache = cache
        self._rules = rules

    async def enroll(
        self,
        person: Person,
        pictures: Sequence[bytes],
        *,
        terms: EnrolmentTerms,
        actor: str | None,
    ) -> Enrolment:
        """Add templates from the good pictures; all of them become visible at once, or none.

        Raises:
            InvalidInput: no picture was good enough; ``details`` say why, picture by picture.
            NotFound: the hotel's own ``employees`` table does not know the id.
            Conflict: the face is somebody else's, is not that of the person's earlier templates, or these are too many.
        """
        candidates, rejected = await self._pool.submit("face", self._read_all, pictures)
        if not candidates:
            metrics.enrolment_total.labels("rejected").inc()
            raise InvalidInput(
                "No picture is good enough: " + "; ".join(f"{r.index}: {r.reason}" for r in rejected) + ".",
                code="no_usable_image",
                details={"rejected": [{"index": r.index, "reason": r.reason, "message": r.message} for r in rejected]},
            )
        templates = await self._store(person, candidates, terms=terms, actor=actor)
        await self._cache.forget(PEOPLE_KEY)
        metrics.enrolment_total.labels("success").inc()
        logger.info("face_enrolled", employee_id=person.employee_id, templates=len(templates), rejected=len(rejected))
        return Enrolment(person.employee_id, tuple(templates), tuple(rejected))

    async def _store(
        self,
        person: Person,
        candidates: Sequence[_Candidate],
        *,
        terms: EnrolmentTerms,
        actor: str | None,
    ) -> list[Template]:
        templates = [candidate.template for candidate in candidates]
        try:
            async with self._database.transaction() as connection:
                await face_store.lock_enrolments(connection)
                await self._admit(connection, person)
                await self._insert_vectors(person, templates)
                notes = await self._refuse_duplicate(connection, person, templates, allow=terms.allow_duplicate)
                if terms.replace_existing:
                    notes["replaced"] = True
                else:
                    notes |= await self._refuse_mismatch(connection, person, templates, allow=terms.allow_mismatch)
                await self._make_room(connection, person, len(templates), replace_existing=terms.replace_existing)
                await self._keep_crops(candidates)
                await face_store.add_templates(connection, person.employee_id, templates, enrolled_by=actor)
                await self._tell(connection, person, templates, actor=actor, notes=notes)
        except BaseException:
            await self._undo(templates)
            raise
        return templates

    async def _admit(self, connection: Connection, person: Person) -> None:
        if await face_store.owns_employees(connection):
            await face_store.save_employee(
                connection,
                person.employee_id,
                name=person.name,
                department=person.department,
                position=person.position,
            )
        elif not await face_store.employee_exists(connection, person.employee_id):
            raise NotFound(
                f"The hotel has no employee {person.employee_id}; add them there first.", code="employee_unknown"
            )

    async def _refuse_duplicate(
        self, connection: Connection, person: Person, templates: Sequence[Template], *, allow: bool
    ) -> dict[str, object]:
        """For the audit: whose face this is already, where that was allowed.

        A strong search sees what every replica enrolled until now. It also waits until all of them find the vectors
        that were just inserted, so that the next camera knows the person, whichever replica reads it.
        """
        probes = np.stack([template.vector for template in templates])
        found = await self._vectors.search(probes, top_k=_DUPLICATE_NEIGHBOURS, strong=True)
        hits = [hit for hits in found for hit in hits if hit.employee_id != person.employee_id]
        owners = await face_store.identities(connection, [hit.vector_id for hit in hits])
        known = [hit for hit in hits if hit.vector_id in owners]
        if not known:
            return {}
        nearest = max(known, key=lambda hit: hit.similarity)
        people = await face_store.count_people(connection)
        confidence = self._engine.calibration.confidence(nearest.similarity, people=people)
        if confidence < self._rules.min_duplicate_confidence:
            return {}
        other = owners[nearest.vector_id].employee_id
        if not allow:
            metrics.enrolment_total.labels("duplicate").inc()
            raise Conflict(
                f"This face is already enrolled as {other}. Send allow_duplicate=true if they are two people.",
                code="duplicate_identity",
                details={"employee_id": other, "confidence": shown(confidence)},
            )
        return {"duplicate_of": other}

    async def _refuse_mismatch(
        self, connection: Connection, person: Person, templates: Sequence[Template], *, allow: bool
    ) -> dict[str, object]:
        """For the audit: how little the face matches the person's earlier templates, where that was allowed.

        The templates show one person already, so the nearest pair decides for all.
        """
        known = await face_store.template_vectors(connection, person.employee_id, model_id=self._engine.model_id)
        if not len(known):
            return {}
        similarity = float((np.stack([template.vector for template in templates]) @ known.T).max())
        confidence = shown(self._engine.calibration.confidence(similarity))
        if confidence >= self._rules.min_match_confidence:
            return {}
        if not allow:
            metrics.enrolment_total.labels("mismatch").inc()
            raise Conflict(
                f"This face does not match what is enrolled as {person.employee_id}. Send replace_existing=true to put "
                "it in its place, or allow_mismatch=true if it is the same person nevertheless.",
                code="face_mismatch",
                details={"confidence": confidence},
            )
        return {"mismatch": confidence}

    async def _make_room(self, connection: Connection, person: Person, count: int, *, replace_existing: bool) -> None:
        if replace_existing:
            vector_ids, crops = await face_store.retire_templates(connection, person.employee_id)
            await removals.schedule_removals(connection, removals.Kind.FACE_VECTOR, vector_ids)
            await removals.schedule_removals(connection, removals.Kind.OBJECT, crops)
            return
        present = len(await face_store.active_templates(connection, person.employee_id))
        if present + count > self._rules.max_templates:
            raise Conflict(
                f"{person.employee_id} has {present} templates and may have {self._rules.max_templates}; "
                "send fewer pictures or replace_existing=true.",
                code="too_many_templates",
            )

    async def _insert_vectors(self, person: Person, templates: Sequence[Template]) -> None:
        await self._vectors.insert(
            [
                FaceVector(template.vector_id, person.employee_id, template.vector, template.quality_score)
                for template in templates
            ]
        )

    async def _keep_crops(self, candidates: Sequence[_Candidate]) -> None:
        for candidate in candidates:
            if candidate.crop_jpeg is not None and candidate.template.crop_key is not None:
                await self._storage.put(candidate.template.crop_key, candidate.crop_jpeg, content_type="image/jpeg")

    async def _tell(
        self,
        connection: Connection,
        person: Person,
        templates: Sequence[Template],
        *,
        actor: str | None,
        notes: Mapping[str, object],
    ) -> None:
        details = {"templates": len(templates), **notes}
        await add_audit_entry(connection, "face.enroll", subject=person.employee_id, actor=actor, details=details)
        await publish_event(
            connection,
            "face.enrolled",
            {"employee_id": person.employee_id, "embeddings_created": len(templates)},
            key=person.employee_id,
            occurred_at=clock.now(),
        )

    async def _undo(self, templates: Sequence[Template]) -> None:
        """Remove what was written outside PostgreSQL, unless the commit went through after all.

        Best effort: what can't be removed now counts for nothing, and ``scripts/reconcile.py`` finds it.
        """
        ids = [template.vector_id for template in templates]
        try:
            async with self._database.transaction() as connection:
                await face_store.lock_enrolments(connection)  # a commit whose answer was lost has ended then
                kept = await face_store.identities(connection, ids)
                gone = [template for template in templates if template.vector_id not in kept]
                await removals.schedule_removals(
                    connection, removals.Kind.FACE_VECTOR, [template.vector_id for template in gone]
                )
                await removals.schedule_removals(
                    connection, removals.Kind.OBJECT, [template.crop_key for template in gone if template.crop_key]
                )
        except BackendUnavailable:
            logger.warning("enrolment_not_undone", vectors=len(ids))

    async def templates_of(self, employee_id: str) -> list[StoredTemplate]:
        """A person's active templates, oldest first.

        Raises:
            NotFound: there are none.
        """
        async with self._database.connection() as connection:
            templates = await face_store.active_templates(connection, employee_id)
        if not templates:
            raise NotFound(f"No face is enrolled for {employee_id}.", code="face_not_enrolled")
        return templates

    async def erase(self, employee_id: str, *, actor: str | None) -> int:
        """Remove a person's rows for good; vectors and crops follow, retried until they are gone.

        Returns:
            How many templates counted until now.

        Raises:
            NotFound: nothing is stored of that person.
        """
        async with self._database.transaction() as connection:
            await face_store.lock_enrolments(connection)
            active, vector_ids, crops = await face_store.erase_person(connection, employee_id)
            if not vector_ids:
                raise NotFound(f"No face is enrolled for {employee_id}.", code="face_not_enrolled")
            if await face_store.owns_employees(connection):
                await face_store.remove_employee(connection, employee_id)
            await removals.schedule_removals(connection, removals.Kind.FACE_VECTOR, vector_ids)
            await removals.schedule_removals(connection, removals.Kind.OBJECT, crops)
            await add_audit_entry(
                connection, "face.delete", subject=employee_id, actor=actor, details={"templates": active}
            )
            await publish_event(
                connection,
                "face.deleted",
                {"employee_id": employee_id, "embeddings_deleted": active},
                key=employee_id,
                occurred_at=clock.now(),
            )
        await self._cache.forget(PEOPLE_KEY, attendance_key(employee_id))
        return active

    # What follows runs on an inference thread.

    def _read_all(self, pictures: Sequence[bytes]) -> tuple[list[_Candidate], list[RejectedImage]]:
        candidates: list[_Candidate] = []
        rejected: list[RejectedImage] = []
        for index, picture in enumerate(pictures):
            read = self._read(index, picture)
            if isinstance(read, RejectedImage):
                rejected.append(read)
            else:
                candidates.append(read)
        return self._same_person(candidates, rejected)

    def _read(self, index: int, picture: bytes) -> _Candidate | RejectedImage:
        try:
            with tracing.stage("face.decode"):
                image = decode_image(picture, max_pixels=self._rules.max_pixels)
        except (InvalidImage, TooLarge) as error:
            return RejectedImage(index, error.code, error.message)
        with tracing.stage("face.detect"):
            verdict = self._gate.assess(image, self._engine.detect_faces(image))
        if verdict.face is None or verdict.reason is not None:
            return RejectedImage(index, verdict.reason or "no_face", verdict.message)
        with tracing.stage("face.embed"):
            face_template = self._engine.embed(image, [verdict.face])[0]
        quality = self._gate.grade(face_template)
        if quality.reason is not None:
            return RejectedImage(index, quality.reason, quality.message)
        template = Template(
            vector_id=new_vector_id(),
            vector=face_template.embedding.vector,
            model_id=face_template.embedding.model_id,
            quality_score=shown(quality.score),
            angle=verdict.angle,
        )
        if not self._rules.keep_crops:
            return _Candidate(template, None, index)
        crop = encode_jpeg(self._engine.align(image, [verdict.face])[0])
        return _Candidate(replace(template, crop_key=f"faces/{template.vector_id}.jpg"), crop, index)

    def _same_person(
        self, candidates: list[_Candidate], rejected: list[RejectedImage]
    ) -> tuple[list[_Candidate], list[RejectedImage]]:
        """Keep the pictures that show the same person as the best one."""
        if not candidates:
            return candidates, rejected
        best = max(candidates, key=lambda candidate: candidate.template.quality_score)
        kept = []
        for candidate in candidates:
            if self._same(candidate.template.vector, best.template.vector):
                kept.append(candidate)
            else:
                rejected.append(
                    RejectedImage(
                        candidate.index, "different_person", f"It shows somebody else than picture {best.index}."
                    )
                )
        return kept, sorted(rejected, key=lambda r: r.index)

    def _same(self, a: FloatArray, b: FloatArray) -> bool:
        return self._engine.calibration.confidence(float(a @ b)) >= _MIN_SAME_PERSON
