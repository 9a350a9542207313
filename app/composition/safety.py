"""Safety: single frames, incidents, and the cameras that the service reads by itself."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from datetime import timedelta

from app.composition.backends import Backends
from app.composition.decoders import Decoders, picture_limits
from app.config import Settings
from app.core.anomalies import AnomalyDetector
from app.core.inference import InferencePool
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.factories.face import FaceEngines
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
from app.workflows.cameras.probe import CameraProbe
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.cameras.supervisor import CameraSupervisor
from app.workflows.cameras.viewer import CameraViewer
from app.workflows.cameras.worker import CameraTools
from app.workflows.face import FaceWorkflow
from app.workflows.health import Ping
from app.workflows.safety.alarms import AlarmPanel
from app.workflows.safety.anomaly import AnomalyWorkflow
from app.workflows.safety.faces import FaceReader
from app.workflows.safety.incidents import IncidentBook

_QUIET_CHECK_S = 5.0
_FRAME_CHECK_S = 3600.0


@dataclass(frozen=True, slots=True)
class Safety:
    """What answers for frames, incidents and cameras."""

    anomalies: AnomalyWorkflow
    incidents: IncidentBook
    clips: ClipMaker
    alarms: AlarmPanel
    probe: CameraProbe
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


def load_anomaly_detector(loader: ModelLoader, settings: Settings) -> AnomalyDetector:
    """What finds fire, smoke, water and people, warm; with a hotel's own heads where it has any."""
    detector = build_anomaly_detector(loader, own_heads_dir=settings.own_heads_dir)
    detector.warm_up()
    metrics.model_loaded.labels("anomaly_detection").set(1)
    return detector


def compose_safety(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    box: SecretBox,
    *,
    detector: AnomalyDetector,
    face_engines: FaceEngines,
    faces: FaceWorkflow,
) -> Safety:
    """Everything of frames, incidents and cameras.

    Raises:
        ConfigurationError: the networks in the settings can't be read.
    """
    opener = StreamOpener(
        NetworkGuard(parse_networks(settings.CAMERA_ALLOWED_CIDRS)),
        ports=ports_in(settings.CAMERA_PORTS),
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
    plan = ClipPlan(before_s=settings.CAMERA_CLIP_PRE_ROLL_S, after_s=settings.CAMERA_CLIP_POST_ROLL_S)
    clips = ClipMaker(database=backends.database, storage=backends.storage, plan=plan)
    face_reader = FaceReader(face_engines.recognition, face_engines.liveness)
    tools = CameraTools(
        pool=pool,
        detector=detector,
        face_reader=face_reader,
        faces=faces,
        incidents=incidents,
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
    )
    alarms = AlarmPanel(database=backends.database, escalate_after=timedelta(seconds=settings.ANOMALY_ESCALATE_AFTER_S))
    probe = CameraProbe(opener, timeout_s=settings.CAMERA_READ_TIMEOUT_S)
    supervisor = _supervisor(settings, backends, tools, registry)
    viewer = CameraViewer(supervisor, most=settings.CAMERA_MAX_VIEWERS)
    return Safety(anomalies, incidents, clips, alarms, probe, viewer, registry, supervisor)


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
