"""Who is in front of the camera: recognise, verify, identify. Enrolment has its own module.

The way of one recognition: one hop to an inference thread (decode, detect, liveness, embed), one search of the
gallery, and one statement that is committed before the reply. It writes the attendance event where one is due, and says
whether the gallery had seen all that PostgreSQL has; where not, the gallery catches up and is searched again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.core.face_covers import Cover
from app.core.face_recognition import FaceRecognitionEngine
from app.core.liveness import Liveness, LivenessProof
from app.errors import BackendUnavailable, NotFound
from app.services.database import BACKEND, Database
from app.services.stores import face_matrix, face_store, matrix_store
from app.services.stores.attendance_store import SeenTemplate
from app.services.stores.audit import add_audit_entry
from app.services.stores.face_store import Identity
from app.types import AttendanceAction, Box, Face, FloatArray
from app.utils import metrics, tracing
from app.workflows.attendance import AttendanceBook, Sighting
from app.workflows.face_reader import LivenessCheck, Outcome, Probe, ProbeReader
from app.workflows.gallery import FaceGallery, NearTemplate

# Once the gallery has caught up, only a deletion in that very moment asks for another look.
_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Match:
    """The person whose template is nearest, and how probable it is that it is really them."""

    identity: Identity
    confidence: float


@dataclass(frozen=True, slots=True)
class CheckIn:
    """Who a probe is, with what was written of it; ``match`` is None for a stranger, of whom nothing is."""

    match: Match | None
    confidence: float
    event_id: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognition:
    """The answer to one picture at one camera."""

    outcome: Outcome
    box: Box | None = None
    match: Match | None = None
    confidence: float = 0.0
    liveness: Liveness | None = None
    event_id: str | None = None
    warnings: tuple[str, ...] = ()
    covered: Cover | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the picture shows the person asked about."""

    outcome: Outcome
    box: Box | None = None
    confidence: float = 0.0
    liveness: Liveness | None = None
    verified: bool = False
    warnings: tuple[str, ...] = ()
    covered: Cover | None = None


@dataclass(frozen=True, slots=True)
class IdentifiedFace:
    """One face of a frame; ``match`` is None for a stranger."""

    face: Face
    match: Match | None
    confidence: float
    liveness: Liveness | None
    covered: Cover | None = None


class FaceWorkflow:
    """Recognition over what the pictures show and the backends.

    Args:
        min_confidence: from which on a face is a person's; calibrated, 0 to 1.
    """

    def __init__(
        self,
        *,
        reader: ProbeReader,
        engine: FaceRecognitionEngine,
        database: Database,
        gallery: FaceGallery,
        attendance: AttendanceBook,
        min_confidence: float,
    ) -> None:
        self._reader = reader
        self._engine = engine
        self._database = database
        self._gallery = gallery
        self._attendance = attendance
        self._min_confidence = min_confidence

    async def recognize(
        self, picture: bytes, *, camera_id: str, taken_at: datetime | None, check: LivenessCheck, actor: str | None
    ) -> Recognition:
        """Recognise the largest face and write the attendance event where one is due.

        Args:
            picture: an encoded image.
            taken_at: the client's moment; None where it names none.
            actor: who asks, for the audit.

        Raises:
            NotFound, Conflict: of the session, as ``LivenessSessions.spend`` has it.
            VisionError: as the picture, the pool and the backends have it.
        """
        started_at = time.perf_counter()
        probe = await self._reader.largest(picture, check)
        recognition = await self._judge(
            probe, camera_id=camera_id, taken_at=taken_at, is_offline=check.is_offline, actor=actor
        )
        _count(recognition, time.perf_counter() - started_at)
        return recognition

    async def verify(
        self, picture: bytes, *, employee_id: str, check: LivenessCheck, actor: str | None
    ) -> Verification:
        """Compare the largest face with one person's templates (1:1).

        Raises:
            NotFound: nobody is enrolled under that id; or of the session, as ``LivenessSessions.spend`` has it.
            Conflict: of the session.
        """
        async with self._database.connection() as connection:
            gallery = await face_store.template_vectors(connection, employee_id, model_id=self._engine.model_id)
        if not len(gallery):
            await self._audit_verification(employee_id, "not_enrolled", actor=actor)
            raise NotFound(f"No face is enrolled for {employee_id}.", code="face_not_enrolled")
        probe = await self._reader.largest(picture, check)
        if probe is None or probe.vector is None:
            outcome = (probe and probe.failure) or Outcome.NO_FACE
            await self._audit_verification(employee_id, outcome.value, actor=actor)
            return Verification(
                outcome,
                box=probe.face.box if probe else None,
                liveness=probe.liveness if probe else None,
                warnings=probe.all_warnings if probe else (),
            )
        confidence = self._engine.calibration.confidence(float(np.max(gallery @ probe.vector)))
        verified = confidence >= self._min_confidence
        outcome = Outcome.RECOGNISED if verified else Outcome.UNKNOWN
        await self._audit_verification(employee_id, outcome.value, actor=actor)
        return Verification(
            outcome,
            box=probe.face.box,
            confidence=confidence,
            liveness=probe.liveness,
            verified=verified,
            warnings=probe.warnings,
            covered=probe.covered,
        )

    async def _audit_verification(self, employee_id: str, outcome: str, *, actor: str | None) -> None:
        """Failed ones, too: who tries faces on somebody is seen by them."""
        details = {"verified": outcome == Outcome.RECOGNISED.value, "outcome": outcome}
        async with self._database.transaction() as connection:
            await add_audit_entry(connection, "face.verify", subject=employee_id, actor=actor, details=details)

    async def identify(self, picture: bytes, *, check_liveness: bool, actor: str | None) -> list[IdentifiedFace]:
        """Name every face of a frame, at most the 64 largest. Writes no attendance."""
        probes = await self._reader.all(picture, check_liveness=check_liveness)
        matches = await self.match([probe.vector for probe in probes if probe.vector is not None])
        found = iter(matches)
        faces = []
        for probe in probes:
            match, confidence = next(found) if probe.vector is not None else (None, 0.0)
            faces.append(IdentifiedFace(probe.face, match, confidence, probe.liveness, probe.covered))
        named = sorted({face.match.identity.employee_id for face in faces if face.match})
        if named:
            async with self._database.transaction() as connection:
                await add_audit_entry(
                    connection, "face.identify", subject="frame", actor=actor, details={"employee_ids": named}
                )
        return faces

    async def match(self, vectors: Sequence[FloatArray]) -> list[tuple[Match | None, float]]:
        """Search several probes in one call (1:N).

        Returns:
            For each the match, None under the threshold, and the confidence of the nearest person.
        """
        if not vectors:
            return []
        probes, caught_up = np.stack(vectors), False
        for _ in range(_LOOKS):
            with tracing.stage("face.search"):
                found = await self._gallery.search(probes)
            rated = [(near, self._confidence(near, found.people)) for near in found.nearest]
            named = [near.vector_id for near, confidence in rated if near and self._is_match(confidence)]
            async with self._database.connection() as connection:
                owners, is_behind = await face_matrix.owners_now(
                    connection, named, None if caught_up else found.snapshot
                )
            if not is_behind and all(vector_id in owners for vector_id in named):
                return [
                    (
                        Match(owners[near.vector_id], confidence) if near and self._is_match(confidence) else None,
                        confidence,
                    )
                    for near, confidence in rated
                ]
            await self._gallery.catch_up()
            caught_up = True
        raise BackendUnavailable(BACKEND)

    async def check_in(
        self,
        vector: FloatArray,
        *,
        camera_id: str,
        taken_at: datetime | None,
        liveness: LivenessProof,
        actor: str | None,
        action: AttendanceAction = AttendanceAction.CHECK_IN,
        is_offline: bool = False,
        is_doubted: bool = False,
    ) -> CheckIn:
        """Search one probe, (d,) float32 of unit norm, and write the attendance event where one is due.

        Args:
            taken_at: the client's moment; None where it names none.
            liveness: how it was shown that the person is alive.
            actor: who asks, for the audit.
            action: whether the person comes or goes.
            is_offline: a device kept the picture while it had no connection.
            is_doubted: a person has to say whether it counts.
        """
        caught_up = False
        for _ in range(_LOOKS):
            with tracing.stage("face.search"):
                found = await self._gallery.search(vector[None])
            [near], snapshot = found.nearest, None if caught_up else found.snapshot
            confidence = self._confidence(near, found.people)
            if near is None or not self._is_match(confidence):
                if snapshot is None or not await self._is_behind(snapshot):
                    return CheckIn(None, confidence)
            else:
                template = SeenTemplate(near.vector_id, near.employee_id, snapshot)
                sighting = Sighting(
                    template,
                    confidence,
                    camera_id,
                    taken_at,
                    liveness,
                    action,
                    is_offline=is_offline,
                    is_doubted=is_doubted,
                )
                with tracing.stage("face.record"):
                    written = await self._attendance.record(sighting, actor=actor)
                if written.identity is not None:
                    match = Match(written.identity, confidence)
                    return CheckIn(match, confidence, written.event_id, written.warnings)
            await self._gallery.catch_up()
            caught_up = True
        raise BackendUnavailable(BACKEND)

    async def _is_behind(self, snapshot: str) -> bool:
        async with self._database.connection() as connection:
            return await matrix_store.is_behind(connection, face_matrix.FACES, snapshot)

    def _confidence(self, near: NearTemplate | None, people: int) -> float:
        return 0.0 if near is None else self._engine.calibration.confidence(near.similarity, people=people)

    def _is_match(self, confidence: float) -> bool:
        return confidence >= self._min_confidence

    async def _judge(
        self, probe: Probe | None, *, camera_id: str, taken_at: datetime | None, is_offline: bool, actor: str | None
    ) -> Recognition:
        if probe is None:
            return Recognition(Outcome.NO_FACE)
        if probe.failure is not None or probe.vector is None:
            return Recognition(
                probe.failure or Outcome.NOT_LIVE,
                box=probe.face.box,
                liveness=probe.liveness,
                warnings=probe.all_warnings,
            )
        found = await self.check_in(
            probe.vector,
            camera_id=camera_id,
            taken_at=taken_at,
            liveness=probe.liveness.proof if probe.liveness else LivenessProof.NONE,
            actor=actor,
            is_offline=is_offline,
            is_doubted=probe.needs_person,
        )
        return Recognition(
            Outcome.UNKNOWN if found.match is None else Outcome.RECOGNISED,
            box=probe.face.box,
            match=found.match,
            confidence=found.confidence,
            liveness=probe.liveness,
            event_id=found.event_id,
            warnings=(*probe.warnings, *found.warnings),
            covered=probe.covered,
        )


_STATUS = {
    Outcome.RECOGNISED: "success",
    Outcome.NO_FACE: "no_face",
    Outcome.NOT_LIVE: "liveness_failed",
    Outcome.LIVENESS_REQUIRED: "liveness_required",
    Outcome.UNKNOWN: "failure",
}


def _count(recognition: Recognition, seconds: float) -> None:
    metrics.face_recognition_total.labels(_STATUS[recognition.outcome]).inc()
    metrics.face_recognition_duration.observe(seconds)
    if recognition.match is not None:
        metrics.face_recognition_confidence.observe(recognition.confidence)
    if recognition.liveness is not None:
        verdict = "uncertain" if recognition.liveness.uncertain else "live" if recognition.liveness.is_live else "spoof"
        metrics.liveness_total.labels(verdict).inc()
