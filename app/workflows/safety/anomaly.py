"""One frame sent over HTTP: what is wrong in it, and an incident at once where that is reason enough."""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from app.core.anomalies import Anomaly, AnomalyDetector, AnomalyType
from app.core.inference import InferencePool
from app.types import Box, Image
from app.utils import clock, metrics, tracing
from app.utils.image_processing import encode_jpeg
from app.utils.pictures import Picture, PictureOpener
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.face import FaceWorkflow
from app.workflows.safety.faces import FaceReader, SeenFace, belongs_to, staff_boxes
from app.workflows.safety.findings import hazard_finding, person_finding
from app.workflows.safety.incidents import Evidence, Finding, IncidentBook, Origin, Recorded


@dataclass(frozen=True, slots=True)
class AnomalyReport:
    """The findings of a frame, surest first, and what was written of each."""

    findings: tuple[Finding, ...]
    recorded: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class _FrameAnalysis:
    """What an inference thread saw. ``faces`` is empty where nobody asked for them."""

    size: tuple[int, int]
    anomalies: list[Anomaly]
    faces: list[SeenFace]
    jpeg: bytes


def widened(types: Set[AnomalyType]) -> frozenset[AnomalyType]:
    """With smoke where fire is asked for: where there is smoke, somebody wants to know."""
    return frozenset(types | {AnomalyType.SMOKE} if AnomalyType.FIRE in types else types)


def _is_any(staff: Sequence[Box], person: Box | None) -> bool:
    return person is not None and any(belongs_to(face, person) for face in staff)


class AnomalyWorkflow:
    """Detection on single frames over the pool and the record of incidents.

    Args:
    """

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        detector: AnomalyDetector,
        face_reader: FaceReader,
        faces: FaceWorkflow,
        registry: CameraRegistry,
        incidents: IncidentBook,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._detector = detector
        self._face_reader = face_reader
        self._faces = faces
        self._registry = registry
        self._incidents = incidents

    async def detect(
        self, picture: bytes, *, camera_id: str, types: Set[AnomalyType], taken_at: datetime, actor: str
    ) -> AnomalyReport:
        """Look at one frame, write down what is found, and alert where an incident begins.

        Args:
            picture: an encoded image.
            taken_at: the client's moment.
            actor: who sends it, for the audit.

        Raises:
            VisionError: as the picture, the pool and the backends have it.
        """
        started_at_s = time.perf_counter()
        rules = await self._registry.rules_of(camera_id) if AnomalyType.INTRUSION in types else None
        rule = rules.intrusion if rules else None
        wants_staff = rule is not None and rule.suppress_staff
        see = self._look_for_people_too if wants_staff else self._look
        async with self._pictures.opened(picture) as opened:
            look = await self._pool.submit("anomaly", see, opened, widened(types))
        staff = await staff_boxes(self._faces, look.faces)
        moment = clock.now()
        findings = [
            person_finding(anomaly, rule, moment, size=look.size, is_staff=_is_any(staff, anomaly.box))
            if anomaly.type is AnomalyType.INTRUSION
            else hazard_finding(anomaly, size=look.size)
            for anomaly in look.anomalies
        ]
        evidence = Evidence(camera_id, look.jpeg, taken_at, Origin.REQUEST, actor=actor)
        recorded = await self._incidents.record(evidence, findings)
        metrics.anomaly_duration.observe(time.perf_counter() - started_at_s)
        return AnomalyReport(tuple(findings), tuple(recorded))

    # What follows runs on an inference thread.

    def _look(self, picture: Picture, types: Set[AnomalyType]) -> _FrameAnalysis:
        return self._seen(self._decoded(picture), types)

    def _look_for_people_too(self, picture: Picture, types: Set[AnomalyType]) -> _FrameAnalysis:
        image = self._decoded(picture)
        look = self._seen(image, types)
        people = any(anomaly.type is AnomalyType.INTRUSION for anomaly in look.anomalies)
        return _FrameAnalysis(look.size, look.anomalies, self._face_reader.read(image) if people else [], look.jpeg)

    def _decoded(self, picture: Picture) -> Image:
        with tracing.stage("anomaly.decode"):
            return picture.decode()

    def _seen(self, image: Image, types: Set[AnomalyType]) -> _FrameAnalysis:
        with tracing.stage("anomaly.detect"):
            anomalies = self._detector.detect(image, types)
        # Encoded again: without the EXIF of whoever sent it, and upright like the boxes.
        jpeg = encode_jpeg(image) if anomalies else b""
        return _FrameAnalysis((image.shape[1], image.shape[0]), anomalies, [], jpeg)
