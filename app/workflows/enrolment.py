"""Who is known: enrol, list and erase people's faces.

Vectors and crops are announced, stored and claimed with their rows, which make a template count. Whatever ends an
enrolment in between leaves nothing that matches anybody, and nothing for long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.core.face_quality import FaceLight, FaceQualityGate
from app.core.face_recognition import FaceRecognitionEngine
from app.core.face_turning import look_for_faces
from app.core.gallery_advice import GalleryAdvice, gallery_advice
from app.core.inference import InferencePool, Priority
from app.core.liveness import LivenessProof
from app.errors import Conflict, InvalidImage, InvalidInput, NotFound, TooLarge
from app.services.cache import PEOPLE_KEY, Cache
from app.services.database import Connection, Database
from app.services.sealed_storage import SealedStorage
from app.services.stores import face_store, pass_store, privacy_store, removals
from app.services.stores.audit import add_audit_entry
from app.services.stores.face_store import StoredTemplate, Template
from app.services.stores.outbox import publish_event
from app.services.stores.privacy_store import Consent
from app.services.stores.removals import Kind
from app.services.vectors.base import FaceIndex, FaceVector, new_vector_id
from app.types import shown
from app.utils import clock, metrics, tracing
from app.utils.image_processing import encode_jpeg
from app.utils.logging import logger
from app.utils.pictures import Picture, PictureOpener
from app.workflows.admission import Admission, AdmissionRules, EnrolmentTerms
from app.workflows.announcements import announced
from app.workflows.gallery import FaceGallery
from app.workflows.liveness_sessions import LivenessSessions, SessionTicket

# What callers of the use cases speak in, wherever it is defined.
__all__ = ["AdmissionRules", "Enrolment", "EnrolmentRules", "EnrolmentTerms", "EnrolmentWorkflow", "Person"]

RESERVED_IDS = frozenset({"people", "enroll", "embedding", "recognize", "verify", "identify", "liveness"})
"""They stand, or may one day stand, where the API's paths have an id."""
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
class RejectedImage:
    """Why one picture was not enrolled; ``index`` counts from 0."""

    index: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of it; ``advice`` says what the person's gallery still lacks."""

    employee_id: str
    templates: tuple[Template, ...]
    rejected: tuple[RejectedImage, ...]
    advice: tuple[GalleryAdvice, ...]

    @property
    def average_quality(self) -> float:
        return sum(t.quality_score for t in self.templates) / len(self.templates)


@dataclass(frozen=True, slots=True)
class EnrolmentRules:
    """The settings that decide."""

    admission: AdmissionRules
    keep_crops: bool


@dataclass(frozen=True, slots=True)
class _Candidate:
    template: Template
    crop_jpeg: bytes | None
    index: int
    light: FaceLight


class EnrolmentWorkflow:
    """Enrolment over the pool and the backends."""

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        engine: FaceRecognitionEngine,
        gate: FaceQualityGate,
        database: Database,
        vectors: FaceIndex,
        gallery: FaceGallery,
        storage: SealedStorage,
        cache: Cache,
        sessions: LivenessSessions,
        rules: EnrolmentRules,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._engine = engine
        self._gate = gate
        self._database = database
        self._vectors = vectors
        self._gallery = gallery
        self._storage = storage
        self._cache = cache
        self._sessions = sessions
        self._rules = rules
        self._admission = Admission(engine, rules.admission)

    async def enroll(
        self,
        person: Person,
        pictures: Sequence[bytes],
        *,
        terms: EnrolmentTerms,
        consent: Consent | None,
        actor: str | None,
        ticket: SessionTicket | None = None,
        priority: Priority = Priority.CHECK_IN,
    ) -> Enrolment:
        """Add templates from the good pictures; all of them become visible at once, or none.

        Args:
            ticket: a liveness session whose person all pictures have to show; it is spent.

        Raises:
            InvalidInput: no picture was good enough, and ``details`` say why, picture by picture; or they show several
                people; or the id is reserved.
            NotFound: the hotel's own ``employees`` table does not know the id; or of the session.
            Conflict: the face is somebody else's, is not that of the person's earlier templates, or these are too many;
                or the session can't be spent, or is somebody else's.
        """
        if person.employee_id.lower() in RESERVED_IDS:
            raise InvalidInput(f"{person.employee_id} is a word of the API; choose another id.", code="reserved_id")
        candidates, rejected = await self._read_all(pictures, priority)
        if not candidates:
            metrics.enrolment_total.labels("rejected").inc()
            raise InvalidInput(
                "No picture is good enough: " + "; ".join(f"{r.index}: {r.reason}" for r in rejected) + ".",
                code="no_usable_image",
                details={"rejected": [{"index": r.index, "reason": r.reason, "message": r.message} for r in rejected]},
            )
        proof = await self._proof(ticket, candidates)
        templates, gallery = await self._store(
            person, candidates, terms=terms, consent=consent, actor=actor, proof=proof
        )
        advice = gallery_advice([one.angle for one in gallery], [one.light for one in candidates])
        await self._cache.forget(PEOPLE_KEY)
        metrics.enrolment_total.labels("success").inc()
        logger.info("face_enrolled", employee_id=person.employee_id, templates=len(templates), rejected=len(rejected))
        return Enrolment(person.employee_id, tuple(templates), tuple(rejected), advice)

    async def _proof(self, ticket: SessionTicket | None, candidates: Sequence[_Candidate]) -> LivenessProof:
        if ticket is None:
            return LivenessProof.NONE
        vectors = [candidate.template.vector for candidate in candidates]
        if await self._sessions.spend(ticket, vectors) is None:
            raise Conflict("The pictures show somebody else than the liveness session.", code="liveness_of_another")
        return LivenessProof.ACTIVE

    async def _store(
        self,
        person: Person,
        candidates: Sequence[_Candidate],
        *,
        terms: EnrolmentTerms,
        consent: Consent | None,
        actor: str | None,
        proof: LivenessProof,
    ) -> tuple[list[Template], list[StoredTemplate]]:
        """The new templates, and all that the person then has."""
        templates = [candidate.template for candidate in candidates]
        employee_id = person.employee_id
        async with self._database.connection() as connection:
            newest = await face_store.last_number(connection)
            # Asked again when the rows are written; what is refused now needs no vectors.
            await self._admission.check(connection, employee_id, templates, terms)
        things = {
            Kind.FACE_VECTOR: [template.vector_id for template in templates],
            Kind.OBJECT: [template.crop_key for template in templates if template.crop_key],
        }
        async with announced(self._database, things):
            await self._insert_vectors(person, templates)
            await self._keep_crops(candidates)
            probes = np.stack([template.vector for template in templates])
            similarities = await self._gallery.others(probes, employee_id=employee_id)
            async with self._database.transaction() as connection:
                await face_store.lock_person(connection, employee_id)
                await face_store.lock_enrolments(connection)
                similarities |= await self._similar_to_newer(connection, employee_id, templates, newest=newest)
                notes = await self._admission.check_duplicates(connection, similarities, allow=terms.allow_duplicate)
                notes |= await self._admission.check(connection, employee_id, templates, terms)
                await self._write_rows(connection, person, templates, terms=terms, actor=actor)
                await removals.claim(connection, things)
                if consent is not None:
                    await privacy_store.add_consent(connection, employee_id, consent, recorded_by=actor)
                    notes |= {"consent": consent.text_version}
                await self._publish(connection, person, templates, actor=actor, proof=proof, notes=notes)
                gallery = await face_store.active_templates(connection, employee_id)
        return templates, gallery

    async def _similar_to_newer(
        self, connection: Connection, employee_id: str, templates: Sequence[Template], *, newest: int
    ) -> dict[str, float]:
        """Cosines to the templates that have been enrolled since: the search may have come before them."""
        ids, vectors = await face_store.vectors_after(
            connection, newest, model_id=self._engine.model_id, except_of=employee_id
        )
        if not ids:
            return {}
        probes = np.stack([template.vector for template in templates])
        return dict(zip(ids, (probes @ vectors.T).max(axis=0).tolist(), strict=True))

    async def _write_rows(
        self,
        connection: Connection,
        person: Person,
        templates: Sequence[Template],
        *,
        terms: EnrolmentTerms,
        actor: str | None,
    ) -> None:
        if await face_store.owns_employees(connection):
            await face_store.save_employee(
                connection,
                person.employee_id,
                name=person.name,
                department=person.department,
                position=person.position,
            )
        if terms.replace_existing:
            vector_ids, crops = await face_store.retire_templates(connection, person.employee_id)
            await removals.schedule_removals(connection, Kind.FACE_VECTOR, vector_ids)
            await removals.schedule_removals(connection, Kind.OBJECT, crops)
        await face_store.add_templates(connection, person.employee_id, templates, enrolled_by=actor)

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
                await self._storage.put(candidate.template.crop_key, candidate.crop_jpeg)

    async def _publish(
        self,
        connection: Connection,
        person: Person,
        templates: Sequence[Template],
        *,
        actor: str | None,
        proof: LivenessProof,
        notes: Mapping[str, object],
    ) -> None:
        details = {"templates": len(templates), "liveness": proof.value, **notes}
        await add_audit_entry(connection, "face.enroll", subject=person.employee_id, actor=actor, details=details)
        await publish_event(
            connection,
            "face.enrolled",
            {
                "employee_id": person.employee_id,
                "embeddings_created": len(templates),
                "liveness": proof.value,
            },
            key=person.employee_id,
            occurred_at=clock.now(),
        )

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
        """Remove a person's rows for good, PIN and card too; vectors and crops follow, retried until they are gone.

        Returns:
            How many templates counted until now.

        Raises:
            NotFound: nothing is stored of that person.
        """
        async with self._database.transaction() as connection:
            await face_store.lock_person(connection, employee_id)
            active, vector_ids, crops = await face_store.erase_person(connection, employee_id)
            had_passes = await pass_store.delete_passes(connection, employee_id)
            if not vector_ids and not had_passes:
                raise NotFound(f"No face is enrolled for {employee_id}.", code="face_not_enrolled")
            await privacy_store.delete_consents(connection, employee_id)
            if await face_store.owns_employees(connection):
                await face_store.remove_employee(connection, employee_id)
            await removals.schedule_removals(connection, Kind.FACE_VECTOR, vector_ids)
            await removals.schedule_removals(connection, Kind.OBJECT, crops)
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
        await self._cache.forget(PEOPLE_KEY)
        return active

    async def _read_all(
        self, pictures: Sequence[bytes], priority: Priority
    ) -> tuple[list[_Candidate], list[RejectedImage]]:
        candidates: list[_Candidate] = []
        rejected: list[RejectedImage] = []
        for index, picture in enumerate(pictures):
            read = await self._read(index, picture, priority)
            if isinstance(read, RejectedImage):
                rejected.append(read)
            else:
                candidates.append(read)
        return self._same_person(candidates, rejected)

    async def _read(self, index: int, picture: bytes, priority: Priority) -> _Candidate | RejectedImage:
        try:
            async with self._pictures.opened(picture) as opened:
                return await self._pool.submit_at(priority, "face", self._read_face, index, opened)
        except (InvalidImage, TooLarge) as error:
            return RejectedImage(index, error.code, error.message)

    def _read_face(self, index: int, picture: Picture) -> _Candidate | RejectedImage:
        """Runs on an inference thread."""
        with tracing.stage("face.decode"):
            image = picture.decode()
        with tracing.stage("face.detect"):
            look = look_for_faces(image, self._engine.detect_faces, self._engine)
            image = look.image
            verdict = self._gate.assess(image, look.faces)
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
            return _Candidate(template, None, index, verdict.light)
        crop = encode_jpeg(self._engine.align(image, [verdict.face])[0])
        return _Candidate(replace(template, crop_key=f"faces/{template.vector_id}.jpg"), crop, index, verdict.light)

    def _same_person(
        self, candidates: list[_Candidate], rejected: list[RejectedImage]
    ) -> tuple[list[_Candidate], list[RejectedImage]]:
        """Keep the pictures of whoever is on more than half of them.

        Raises:
            InvalidInput: nobody is.
        """
        if not candidates:
            return candidates, rejected
        groups = [[other for other in candidates if self._same(one, other)] for one in candidates]
        largest = max(groups, key=lambda group: (len(group), max(c.template.quality_score for c in group)))
        if 2 * len(largest) <= len(candidates):
            metrics.enrolment_total.labels("not_one_person").inc()
            raise InvalidInput(
                "The pictures show several people, and none of them is on more than half of the pictures.",
                code="not_one_person",
                details={"images": [[candidate.index for candidate in group] for group in groups]},
            )
        kept = {candidate.index for candidate in largest}
        others = [
            RejectedImage(one.index, "different_person", f"It shows somebody else than picture {min(kept)}.")
            for one in candidates
            if one.index not in kept
        ]
        return largest, sorted(rejected + others, key=lambda r: r.index)

    def _same(self, one: _Candidate, other: _Candidate) -> bool:
        cosine = float(one.template.vector @ other.template.vector)
        return one is other or self._engine.calibration.confidence(cosine) >= _MIN_SAME_PERSON
