"""One frame sent over HTTP: what is wrong in it, and an incident at once where that is reason enough."""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.anomalies import AnomalyDetector, AnomalyType, Examination
from app.core.inference import InferencePool, Priority
from app.core.usual_scene import UsualScene
from app.types import Box, Image
from app.utils import clock, metrics, tracing
from app.utils.pictures import Picture, PictureOpener
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.face import FaceWorkflow
from app.workflows.safety.areas import Areas, examine_in_areas
from app.workflows.safety.baseline import CameraBaselines
from app.workflows.safety.drift import DriftMeter
from app.workflows.safety.faces import FaceReader, SeenFace, belongs_to, staff_boxes
from app.workflows.safety.findings import hazard_finding, person_finding
from app.workflows.safety.frame_painter import FramePainter
from app.workflows.safety.incidents import Evidence, Finding, IncidentBook, Origin, Recorded
from app.workflows.safety.rules import CameraRules


@dataclass(frozen=True, slots=True)
class AnomalyReport:
    """The findings of a frame, surest first, and what was written of each."""

    findings: tuple[Finding, ...]
    recorded: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True)
class _FrameAnalysis:
    """What an inference thread saw. ``faces`` is empty where nobody asked for them."""

    image: Image
    seen: Examination
    faces: list[SeenFace]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]


def widened(types: Set[AnomalyType]) -> frozenset[AnomalyType]:
    """With smoke where fire is asked for: where there is smoke, somebody wants to know."""
    return frozenset(types | {AnomalyType.SMOKE} if AnomalyType.FIRE in types else types)


def _is_any(staff: Sequence[Box], person: Box | None) -> bool:
    return person is not None and any(belongs_to(face, person) for face in staff)


class AnomalyWorkflow:
    """Detection on single frames over the pool and the record of incidents."""

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
        painter: FramePainter,
        baselines: CameraBaselines,
        drift: DriftMeter,
    ) -> None:
        self._pool = pool
        self._pictures = pictures
        self._detector = detector
        self._face_reader = face_reader
        self._faces = faces
        self._registry = registry
        self._incidents = incidents
        self._painter = painter
        self._baselines = baselines
        self._drift = drift

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
        known = await self._registry.rules_of(camera_id)
        rules = known or CameraRules()
        rule = rules.intrusion if AnomalyType.INTRUSION in types else None
        wants_staff = rule is not None and rule.suppress_staff
        see = self._look_for_people_too if wants_staff else self._look
        moment = clock.now()
        usual = await self._baselines.usual_of(camera_id, moment)
        async with self._pictures.opened(picture) as opened:
            look = await self._pool.submit_at(
                Priority.ALARM, "anomaly", see, opened, widened(types), rules.areas, usual
            )
        if known is not None:
            self._drift.note(camera_id, look.seen)
        await self._baselines.learn(camera_id, look.seen, moment)
        staff = await staff_boxes(self._faces, look.faces)
        findings = [
            person_finding(anomaly, rule, moment, size=look.size, is_staff=_is_any(staff, anomaly.box))
            if anomaly.type is AnomalyType.INTRUSION
            else hazard_finding(anomaly, size=look.size, zone=rules.areas.zone_of(anomaly, look.size))
            for anomaly in look.seen.anomalies
        ]
        recorded: list[Recorded] = []
        if findings:
            # Encoded again: without the EXIF of whoever sent it, and upright like the boxes.
            pictures = await self._painter.paint(look.image, findings, priority=Priority.ALARM)
            evidence = Evidence(camera_id, pictures, taken_at, Origin.REQUEST, actor=actor)
            recorded = await self._incidents.record(evidence, findings)
        metrics.anomaly_duration.observe(time.perf_counter() - started_at_s)
        return AnomalyReport(tuple(findings), tuple(recorded))

    # What follows runs on an inference thread.

    def _look(
        self, picture: Picture, types: Set[AnomalyType], areas: Areas, usual: UsualScene | None
    ) -> _FrameAnalysis:
        return self._seen(self._decoded(picture), types, areas, usual)

    def _look_for_people_too(
        self, picture: Picture, types: Set[AnomalyType], areas: Areas, usual: UsualScene | None
    ) -> _FrameAnalysis:
        image = self._decoded(picture)
        look = self._seen(image, types, areas, usual)
        people = any(anomaly.type is AnomalyType.INTRUSION for anomaly in look.seen.anomalies)
        return replace(look, faces=self._face_reader.read(image)) if people else look

    def _decoded(self, picture: Picture) -> Image:
        with tracing.stage("anomaly.decode"):
            return picture.decode()

    def _seen(self, image: Image, types: Set[AnomalyType], areas: Areas, usual: UsualScene | None) -> _FrameAnalysis:
        with tracing.stage("anomaly.detect"):
            return _FrameAnalysis(image, examine_in_areas(self._detector, image, types, areas, usual), [])
