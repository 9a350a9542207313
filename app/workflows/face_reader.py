"""What the faces of a picture show: their vectors, what covers them, and whether a living person is behind them, by a
look at the picture or by a session of movements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.core.face_covers import Cover, FaceCoverDetector
from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.core.face_turning import FaceLook, look_for_faces
from app.core.inference import InferencePool, Priority
from app.core.liveness import Liveness, LivenessDetector, LivenessProof
from app.types import Face, FloatArray
from app.utils import metrics, tracing
from app.utils.pictures import Picture, PictureOpener
from app.workflows.liveness_sessions import LivenessSessions, SessionTicket

_MAX_FACES = 64

_SURE_ATTACK = 0.1
"""Under this score a person is not asked for a session: the picture is told to be an attack."""

_OTHER_PERSON = Liveness(0.0, is_live=False, proof=LivenessProof.ACTIVE)
"""A session was passed, by somebody else than the picture shows."""


class Outcome(StrEnum):
    """How a recognition ended; the values are the spec's ``error`` strings."""

    RECOGNISED = "recognised"
    NO_FACE = "no_face_detected"
    NOT_LIVE = "liveness_check_failed"
    LIVENESS_REQUIRED = "liveness_required"
    UNKNOWN = "face_not_found"


class LivenessMode(StrEnum):
    """What shows that a person is alive, where a request asks for it: a look at the picture, a session of movements,
    or a session where the look leaves doubt."""

    PASSIVE = "passive"
    ACTIVE = "active"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class LivenessCheck:
    """What a request asks of liveness.

    Attributes:
        is_wanted: whether anything is checked at all.
        ticket: a session that vouches for the picture, in place of a look at it.
        is_offline: a device kept the picture, and nobody stands there any more to be asked for a session.
    """

    is_wanted: bool
    ticket: SessionTicket | None = None
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """What one face of a picture told. ``vector`` is None where liveness already failed, or is still to be shown; with
    ``needs_person`` it could not be shown any more, and a person has to say whether it counts.

    A cover changes no threshold: measured against bare templates, covered strangers match no more often than bare ones
    (docs/benchmarks.md), and nobody is enrolled covered.
    """

    face: Face
    liveness: Liveness | None
    vector: FloatArray | None
    covered: Cover | None = None
    warnings: tuple[str, ...] = ()
    needs_session: bool = False
    needs_person: bool = False

    @property
    def failure(self) -> Outcome | None:
        """Why liveness lets nobody be named; None where it does not stand in the way."""
        if self.needs_session:
            return Outcome.LIVENESS_REQUIRED
        if self.liveness is not None and not self.liveness.is_live:
            return Outcome.NOT_LIVE
        return None

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """Those of the reading, and what liveness has to add."""
        if self.liveness is _OTHER_PERSON:
            return (*self.warnings, "liveness_of_another_person")
        is_uncertain = self.liveness is not None and self.liveness.uncertain
        return (*self.warnings, "liveness_uncertain") if is_uncertain else self.warnings


class ProbeReader:
    """Reads pictures on the pool.

    Args:
        mode: what shows that a person is alive, where a request asks for it.
    """

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        engine: FaceRecognitionEngine,
        liveness: LivenessDetector,
        covers: FaceCoverDetector | None,
        sessions: LivenessSessions,
        mode: LivenessMode = LivenessMode.PASSIVE,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._engine = engine
        self._liveness = liveness
        self._covers = covers
        self._sessions = sessions
        self._mode = mode

    async def largest(self, picture: bytes, check: LivenessCheck) -> Probe | None:
        """The largest face, with its liveness as the mode, the request and a session have it; None without a face.

        Raises:
            NotFound, Conflict: of the session, as ``LivenessSessions.spend`` has it.
            VisionError: as the picture and the pool have it.
        """
        mode = self._mode
        looks = check.is_wanted and check.ticket is None and mode is not LivenessMode.ACTIVE
        async with self._pictures.opened(picture) as opened:
            probe = await self._pool.submit_at(
                Priority.CHECK_IN, "face", self._read_largest, opened, looks, check.is_offline
            )
        if probe is None or not check.is_wanted:
            return probe
        if check.ticket is not None and probe.vector is not None:
            vouched = await self._sessions.spend(check.ticket, [probe.vector])
            return replace(probe, liveness=vouched) if vouched else replace(probe, liveness=_OTHER_PERSON, vector=None)
        if check.is_offline and check.ticket is None and (mode is LivenessMode.ACTIVE or _is_unsure(probe.liveness)):
            return replace(probe, liveness=None, needs_person=True)
        if mode is LivenessMode.ACTIVE or (mode is LivenessMode.AUTO and _is_unsure(probe.liveness)):
            return replace(probe, vector=None, needs_session=True)
        return probe

    async def all(self, picture: bytes, *, check_liveness: bool) -> list[Probe]:
        """Every face, at most the 64 largest, by size. Raises as ``largest``."""
        async with self._pictures.opened(picture) as opened:
            return await self._pool.submit_at(Priority.CHECK_IN, "face", self._read_all, opened, check_liveness)

    # What follows runs on an inference thread.

    def _read_largest(self, picture: Picture, check_liveness: bool, embeds_doubted: bool) -> Probe | None:
        with tracing.stage("face.decode"):
            image = picture.decode()
        with tracing.stage("face.detect"):
            look = look_for_faces(image, self._engine.detect_dominant_faces, self._engine)
            face = largest_face(look.faces)
        if face is None:
            return None
        shown_face, warnings = look.as_sent(face), ("image_rotated",) if look.quarter_turns else ()
        liveness = None
        if check_liveness:
            with tracing.stage("face.liveness"):
                [liveness] = self._liveness.assess(look.image, [face])
            if not liveness.is_live and not embeds_doubted:
                return Probe(shown_face, liveness, None, warnings=warnings)
        with tracing.stage("face.embed"):
            crops = self._engine.align(look.image, [face])
            [embedding] = self._engine.embed_aligned_probes(crops)
        if self._covers is None:
            return Probe(shown_face, liveness, embedding.vector, warnings=warnings)
        with tracing.stage("face.cover"):
            [covered] = self._covers.detect(crops)
        return Probe(shown_face, liveness, embedding.vector, covered, warnings)

    def _read_all(self, picture: Picture, check_liveness: bool) -> list[Probe]:
        with tracing.stage("face.decode"):
            image = picture.decode()
        with tracing.stage("face.detect"):
            look = FaceLook(image, self._engine.detect_faces(image), quarter_turns=0)
            faces = sorted(look.faces, key=lambda face: -face.box.area)[:_MAX_FACES]
        verdicts: Sequence[Liveness | None] = [None] * len(faces)
        if check_liveness:
            with tracing.stage("face.liveness"):
                verdicts = self._liveness.assess(image, faces)
        metrics.batch_size.labels("face").observe(len(faces))
        with tracing.stage("face.embed"):
            crops = self._engine.align(image, faces)
            embeddings = self._engine.embed_aligned_probes(crops)
        covers: Sequence[Cover | None] = [None] * len(faces)
        if self._covers is not None:
            with tracing.stage("face.cover"):
                covers = self._covers.detect(crops)
        return [
            Probe(
                look.as_sent(face), liveness, embedding.vector if liveness is None or liveness.is_live else None, cover
            )
            for face, liveness, embedding, cover in zip(faces, verdicts, embeddings, covers, strict=True)
        ]


def _is_unsure(liveness: Liveness | None) -> bool:
    if liveness is None or liveness.uncertain or liveness.score is None:
        return True
    return not liveness.is_live and liveness.score >= _SURE_ATTACK
