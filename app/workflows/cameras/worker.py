"""Judges one camera's frames: the newest one, when it moved or matters.

What may be the beginning of an alarm goes before everything else; routine frames go behind the people at the door.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime

from app.core.anomalies import Anomaly, AnomalyDetector, AnomalyType, Examination
from app.core.inference import InferencePool, Priority
from app.core.liveness import LivenessProof
from app.core.usual_scene import UsualScene
from app.errors import BackendUnavailable, DeadlineExceeded, Overloaded, Unavailable
from app.services.stores.camera_store import CameraRecord
from app.services.streams.opener import StreamOpener
from app.services.streams.types import StreamSource
from app.utils import clock, metrics
from app.workflows.cameras.attendance import AttendanceWatch, Candidate
from app.workflows.cameras.clips import ClipMaker
from app.workflows.cameras.condition import Condition
from app.workflows.cameras.health import CameraHealth, health_of
from app.workflows.cameras.people import PeopleCount
from app.workflows.cameras.reader import FrameReader, ReaderState, ReaderStatus, ReadFrame
from app.workflows.cameras.registry import Task
from app.workflows.cameras.unrest import Unrest
from app.workflows.cameras.watch import AnomalyWatch
from app.workflows.face import FaceWorkflow
from app.workflows.safety.areas import examine_in_areas
from app.workflows.safety.baseline import CameraBaselines
from app.workflows.safety.drift import DriftMeter
from app.workflows.safety.faces import FaceReader, SeenFace, staff_boxes
from app.workflows.safety.frame_painter import FramePainter
from app.workflows.safety.incidents import Evidence, Finding, IncidentBook, Origin
from app.workflows.safety.stored_rules import rules_from_json

# Water does not move: without motion, a frame is looked at this often all the same.
STILL_INTERVAL_S = 10.0
# A frame that has waited so long for its thread gives way to a newer one.
BEHIND_S = 0.5
_FPS_MEMORY = 20
_MAX_UNWRITTEN = 20
_ACTOR = "camera"


@dataclass(frozen=True, slots=True)
class CameraTools:
    """What camera workers look with, the same for all cameras.

    Attributes:
        new_detector: makes one for the frames of one camera.
        min_liveness: mean score from which a track of a face counts as live.
        max_lag_s: an older frame is not judged any more.
    """

    pool: InferencePool
    new_detector: Callable[[], AnomalyDetector]
    face_reader: FaceReader
    faces: FaceWorkflow
    incidents: IncidentBook
    painter: FramePainter
    baselines: CameraBaselines
    drift: DriftMeter
    clips: ClipMaker
    opener: StreamOpener
    min_liveness: float
    max_lag_s: float


class FrameTooOld(Exception):
    """The frame waited so long that what it shows is no news."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """``lag_s``: age of the last judged frame when it was judged; None before the first. ``people``: in that frame;
    None where nobody counts, or while no pictures come."""

    reader: ReaderState
    condition: Condition
    frames_per_second: float
    lag_s: float | None
    last_frame_at: datetime | None
    judged: int
    skipped: int
    people: PeopleCount | None


class CameraWorker:
    """One camera on this replica.

    Args:
        record: as it was when the lease was taken; its epoch fences what is written.
        source: where to read.
    """

    def __init__(self, tools: CameraTools, record: CameraRecord, source: Callable[[], StreamSource]) -> None:
        self.camera_id = record.id
        self.version = (record.created_at, record.revision)
        self.epoch = record.lease_epoch
        self._tools = tools
        tasks, interval_s = record.columns.tasks, 1 / record.columns.frames_per_second
        rules = rules_from_json(record.columns.rules)
        self._areas = rules.areas
        self._watch = AnomalyWatch(rules, interval_s=interval_s) if Task.ANOMALY.value in tasks else None
        self._attendance = (
            AttendanceWatch(min_liveness=tools.min_liveness, interval_s=interval_s, line=rules.attendance_line)
            if Task.ATTENDANCE.value in tasks
            else None
        )
        self._unrest = Unrest()
        self._detector = tools.new_detector()
        self._loop = asyncio.get_running_loop()
        self._has_frame = asyncio.Event()
        self._ring = tools.clips.plan.new_ring()
        self._reader = FrameReader(
            record.id,
            tools.opener,
            source,
            frames_per_second=record.columns.frames_per_second,
            ring=self._ring,
            on_frame=self._wake,
        )
        self._seen_at_s: deque[float] = deque(maxlen=_FPS_MEMORY)
        self._judged_at_s = float("-inf")
        self._lag_s: float | None = None
        self._judged = self._skipped = 0
        self._unwritten: deque[tuple[Evidence, list[Finding], float]] = deque(maxlen=_MAX_UNWRITTEN)
        self.last_frame: ReadFrame | None = None

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._has_frame.set)

    def state(self) -> WorkerState:
        """How the camera is doing, for people and for the other replicas."""
        frame = self.last_frame
        return WorkerState(
            reader=self._reader.state,
            condition=self._reader.condition,
            frames_per_second=self._frames_per_second(),
            lag_s=self._lag_s,
            last_frame_at=frame.taken_at if frame else None,
            judged=self._judged,
            skipped=self._skipped,
            people=self._watch.people if self._watch and self._reader.state.status is ReaderStatus.STREAMING else None,
        )

    def health(self) -> CameraHealth | None:
        """What can be said of the camera itself; None while nothing can."""
        return health_of(self._reader.state, self._reader.condition, clock.now())

    def _frames_per_second(self) -> float:
        recent = [at_s for at_s in self._seen_at_s if time.monotonic() - at_s < 10]
        if len(recent) < 2 or time.monotonic() - recent[-1] > 5:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], 1e-3)

    async def run(self) -> None:
        """Judge frames until cancelled.

        Raises:
            LeaseLost: another replica has the camera.
        """
        self._reader.start()
        try:
            while True:
                await self._has_frame.wait()
                self._has_frame.clear()
                frame = self._reader.take()
                if frame is not None:
                    await self._take_in(frame)
        finally:
            self._reader.stop()

    async def _take_in(self, frame: ReadFrame) -> None:
        self.last_frame = frame
        self._seen_at_s.append(frame.read_at_s)
        await self._write_what_waits()
        if not self._matters(frame):
            self._skipped += 1
            metrics.camera_frames_total.labels(self.camera_id, "still").inc()
            return
        try:
            frame = await self._judge(frame)
        except FrameTooOld:
            outcome = "late"
        except (Overloaded, DeadlineExceeded):
            outcome = "overloaded"  # people come first; the next frame is as good
        except Unavailable:
            outcome = "backend_down"
        else:
            outcome = "judged"
            self._judged += 1
            self._judged_at_s = time.monotonic()
            self._lag_s = self._judged_at_s - frame.read_at_s
            self.last_frame = frame
            metrics.camera_lag.observe(self._lag_s)
        metrics.camera_frames_total.labels(self.camera_id, outcome).inc()

    def _matters(self, frame: ReadFrame) -> bool:
        if frame.moving:
            return True
        if self._attendance is not None and self._attendance.is_gathering:
            return True
        is_due = frame.read_at_s - self._judged_at_s >= STILL_INTERVAL_S
        return self._watch is not None and (is_due or self._watch.is_suspicious)

    def _urgency(self) -> Priority:
        if self._watch is None:
            return Priority.CHECK_IN
        return Priority.ALARM if self._watch.is_suspicious else Priority.WATCH

    async def _judge(self, frame: ReadFrame) -> ReadFrame:
        """Judge a frame, or a newer one where it waited long for its thread; returns the judged one."""
        types = self._watch.types(frame.taken_at) if self._watch is not None else frozenset[AnomalyType]()
        usual = await self._tools.baselines.usual_of(self.camera_id, frame.taken_at) if types else None
        frame, seen, faces = await self._tools.pool.submit_at(
            self._urgency(), "camera", self._look, frame, types, usual
        )
        self._tools.drift.note(self.camera_id, seen)
        await self._tools.baselines.learn(self.camera_id, seen, frame.taken_at)
        if self._watch is not None:
            await self._judge_anomalies(self._watch, frame, types, seen.anomalies, faces)
        if self._attendance is not None:
            await self._note_attendance(self._attendance.see(faces, frame.read_at_s, size=frame.size), frame)
        return frame

    def _look(
        self, frame: ReadFrame, types: Set[AnomalyType], usual: UsualScene | None
    ) -> tuple[ReadFrame, Examination, list[SeenFace]]:
        """On an inference thread. Faces are read for attendance, and where people may turn out to be staff.

        Raises:
            FrameTooOld: it waited too long for this thread.
        """
        is_behind = time.monotonic() - frame.read_at_s >= BEHIND_S
        if is_behind and (newer := self._reader.take()) is not None:
            metrics.camera_frames_total.labels(self.camera_id, "dropped").inc()
            frame = newer
        if time.monotonic() - frame.read_at_s > self._tools.max_lag_s:
            raise FrameTooOld
        image = frame.image
        self._unrest.see(image, frame.read_at_s)
        seen = examine_in_areas(self._detector, image, types, self._areas, usual)
        people = any(anomaly.type is AnomalyType.INTRUSION for anomaly in seen.anomalies)
        wants_faces = self._attendance is not None or (people and self._watch is not None and self._watch.wants_staff)
        return frame, seen, self._tools.face_reader.read(image) if wants_faces else []

    async def _judge_anomalies(
        self,
        watch: AnomalyWatch,
        frame: ReadFrame,
        types: Set[AnomalyType],
        anomalies: list[Anomaly],
        faces: list[SeenFace],
    ) -> None:
        wants_staff = watch.wants_staff and any(one.type is AnomalyType.INTRUSION for one in anomalies)
        staff = await staff_boxes(self._tools.faces, faces) if wants_staff else []
        findings = watch.see(
            anomalies,
            types,
            staff=staff,
            size=frame.size,
            moment=frame.taken_at,
            now_s=frame.read_at_s,
            unrest=self._unrest,
        )
        for crossing in watch.crossings:
            metrics.line_crossings_total.labels(self.camera_id, crossing.line.name, crossing.direction.value).inc()
        if not findings:
            return
        pictures = await self._tools.painter.paint(frame.image, findings, priority=Priority.ALARM)
        evidence = Evidence(self.camera_id, pictures, frame.taken_at, Origin.CAMERA, self.epoch)
        self._unwritten.append((evidence, findings, frame.read_at_s))
        await self._write_what_waits()

    async def _write_what_waits(self) -> None:
        """Write findings down, oldest first; while the database is away they stay, so that no alert is lost."""
        while self._unwritten:
            evidence, findings, read_at_s = self._unwritten[0]
            try:
                recorded = await self._tools.incidents.record(evidence, findings)
            except BackendUnavailable:
                return
            self._unwritten.popleft()
            for one in recorded:
                if one.alerted and one.incident_id is not None:
                    self._tools.clips.begin(one.incident_id, self.camera_id, self._ring, read_at_s)

    async def _note_attendance(self, candidates: list[Candidate], frame: ReadFrame) -> None:
        for candidate in candidates:
            found = await self._tools.faces.check_in(
                candidate.vector,
                camera_id=self.camera_id,
                taken_at=frame.taken_at,
                liveness=LivenessProof.PASSIVE,
                actor=_ACTOR,
                action=candidate.action,
            )
            if found.match is not None and self._attendance is not None:
                self._attendance.decide(candidate.track_id)
