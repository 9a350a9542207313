"""Safety: single frames, incidents, and the cameras that the service reads by itself."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from app.composition.backends import Backends
from app.composition.decoders import Decoders, picture_limits
from app.config import Settings
from app.core.anomaly_detector import HeadAnomalyDetector
from app.core.face_blur import FaceFinder
from app.core.inference import InferencePool
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.factories.face import FaceEngines, build_face_detector
from app.ml_models.model_loader import ModelLoader
from app.services.camera_board import CameraBoard
from app.services.leases import Leases
from app.services.secret_box import SecretBox
from app.services.streams.opener import StreamOpener
from app.setting_values import ports_in
from app.utils import metrics
from app.utils.network_guard import NetworkGuard, parse_networks
from app.workflows.background import repeat
from app.workflows.cameras.clips import ClipMaker, ClipPlan
from app.workflows.cameras.discovery import CameraDiscovery
from app.workflows.cameras.probe import CameraProbe
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.cameras.supervisor import CameraSupervisor
from app.workflows.cameras.viewer import CameraViewer
from app.workflows.cameras.worker import CameraTools
from app.workflows.face import FaceWorkflow
from app.workflows.health import Ping
from app.workflows.safety.alarms import AlarmPanel
from app.workflows.safety.anomaly import AnomalyWorkflow
from app.workflows.safety.baseline import CameraBaselines
from app.workflows.safety.drift import DriftMeter
from app.workflows.safety.faces import FaceReader
from app.workflows.safety.false_alarms import FalseAlarms
from app.workflows.safety.frame_painter import FramePainter
from app.workflows.safety.incidents import IncidentBook

_QUIET_CHECK_S = 5.0
_MIN_BLURRED_SCORE = 0.5
_FRAME_CHECK_S = 3600.0


@dataclass(frozen=True, slots=True)
class Safety:
    """What answers for frames, incidents and cameras."""

    anomalies: AnomalyWorkflow
    incidents: IncidentBook
    false_alarms: FalseAlarms
    baselines: CameraBaselines
    clips: ClipMaker
    alarms: AlarmPanel
    probe: CameraProbe
    discovery: CameraDiscovery
    viewer: CameraViewer
    registry: CameraRegistry
    supervisor: CameraSupervisor

    def loops(self) -> list[Ping]:
        """What has to run beside the requests."""
        book = self.incidents
        return [
            self.supervisor.run,
            lambda: repeat(
                "quiet_incidents", book.end_quiet_incidents, pause_s=_QUIET_CHECK_S, pause_after_failure_s=5.0
            ),
            lambda: repeat(
                "escalation", self.alarms.escalate, pause_s=_QUIET_CHECK_S, pause_after_failure_s=_QUIET_CHECK_S
            ),
            lambda: repeat("frames", book.drop_old_frames, pause_s=_FRAME_CHECK_S, pause_after_failure_s=60.0),
        ]


def load_anomaly_detector(loader: ModelLoader, settings: Settings) -> HeadAnomalyDetector:
    """What finds fire, smoke, water and people, warm; with a hotel's own heads where it has any."""
    detector = build_anomaly_detector(loader, own_heads_dir=settings.own_heads_dir)
    detector.warm_up()
    metrics.model_loaded.labels("anomaly_detection").set(1)
    return detector


def load_face_finder(loader: ModelLoader, settings: Settings) -> FaceFinder | None:
    """What finds faces to blur; None where they are kept as they are. Its networks are those of recognition."""
    if not settings.CAMERA_BLUR_FACES:
        return None
    return FaceFinder(build_face_detector(loader, min_score=_MIN_BLURRED_SCORE))


def compose_safety(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    box: SecretBox,
    *,
    detector: HeadAnomalyDetector,
    face_engines: FaceEngines,
    finder: FaceFinder | None,
    faces: FaceWorkflow,
    zone: ZoneInfo,
) -> Safety:
    """Everything of frames, incidents and cameras.

    Raises:
        ConfigurationError: the networks in the settings can't be read.
    """
    networks, ports = parse_networks(settings.CAMERA_ALLOWED_CIDRS), ports_in(settings.CAMERA_PORTS)
    guard = NetworkGuard(networks)
    opener = StreamOpener(
        guard,
        ports=ports,
        timeout_s=settings.CAMERA_READ_TIMEOUT_S,
        limits=picture_limits(settings),
        allow_files=settings.CAMERA_ALLOW_FILES,
    )
    registry = CameraRegistry(database=backends.database, opener=opener, box=box)
    incidents = IncidentBook(
        database=backends.database,
        storage=backends.storage,
        cooldown=timedelta(seconds=settings.INCIDENT_COOLDOWN_S),
        frame_days=settings.RETENTION_FRAMES_DAYS,
    )
    baselines = CameraBaselines(
        backends.database,
        views_id=detector.views_id,
        zone=zone,
        learn_for=timedelta(hours=settings.CAMERA_BASELINE_AFTER_H),
    )
    plan = ClipPlan(before_s=settings.CAMERA_CLIP_PRE_ROLL_S, after_s=settings.CAMERA_CLIP_POST_ROLL_S)
    painter = FramePainter(pool, finder)
    clips = ClipMaker(database=backends.database, storage=backends.storage, painter=painter, plan=plan)
    drift = DriftMeter()
    face_reader = FaceReader(face_engines.recognition, face_engines.liveness)
    tools = CameraTools(
        pool=pool,
        new_detector=detector.for_one_camera,
        face_reader=face_reader,
        faces=faces,
        incidents=incidents,
        painter=painter,
        baselines=baselines,
        drift=drift,
        clips=clips,
        opener=opener,
        min_liveness=settings.LIVENESS_THRESHOLD,
        max_lag_s=settings.CAMERA_MAX_LAG_S,
    )
    anomalies = AnomalyWorkflow(
        pool=pool,
        pictures=decoders.pictures,
        detector=detector,
        face_reader=face_reader,
        faces=faces,
        registry=registry,
        incidents=incidents,
        painter=painter,
        baselines=baselines,
        drift=drift,
    )
    false_alarms = FalseAlarms(
        database=backends.database,
        storage=backends.storage,
        pool=pool,
        pictures=decoders.pictures,
        detector=detector,
        registry=registry,
        incidents=incidents,
        baselines=baselines,
    )
    alarms = AlarmPanel(database=backends.database, escalate_after=timedelta(seconds=settings.ANOMALY_ESCALATE_AFTER_S))
    probe = CameraProbe(opener, timeout_s=settings.CAMERA_READ_TIMEOUT_S)
    discovery = CameraDiscovery(backends.database, guard, networks=networks, ports=ports)
    supervisor = _supervisor(settings, backends, tools, registry)
    viewer = CameraViewer(supervisor, most=settings.CAMERA_MAX_VIEWERS)
    return Safety(
        anomalies, incidents, false_alarms, baselines, clips, alarms, probe, discovery, viewer, registry, supervisor
    )


def _supervisor(
    settings: Settings, backends: Backends, tools: CameraTools, registry: CameraRegistry
) -> CameraSupervisor:
    owner = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    return CameraSupervisor(
        tools=tools,
        registry=registry,
        database=backends.database,
        leases=Leases(backends.cache, kind="camera", owner=owner, ttl_s=settings.CAMERA_LEASE_S),
        board=CameraBoard(backends.cache, ttl_s=2 * settings.CAMERA_LEASE_S),
        capacity=settings.CAMERAS_PER_REPLICA,
    )
