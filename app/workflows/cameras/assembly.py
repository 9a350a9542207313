"""Puts the camera part together from the settings; called by the composition root alone."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from datetime import timedelta

from app.config import Settings
from app.core.anomalies import AnomalyDetector
from app.core.inference import InferencePool
from app.services.cache import Cache
from app.services.camera_board import CameraBoard
from app.services.database import Database
from app.services.leases import Leases
from app.services.rtsp_stream import prepare_ffmpeg
from app.services.secret_box import SecretBox
from app.services.storage import ObjectStorage
from app.services.streams import StreamOpener
from app.utils.network_guard import NetworkGuard, parse_networks
from app.workflows.anomaly import AnomalyWorkflow
from app.workflows.background import repeat
from app.workflows.cameras.faces import FaceReader
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.cameras.supervisor import CameraSupervisor
from app.workflows.cameras.worker import Sight
from app.workflows.face import FaceWorkflow
from app.workflows.incidents import IncidentBook

_KEY_FILE = "camera.key"
_QUIET_CHECK_S = 5.0
_FRAME_CHECK_S = 3600.0


@dataclass(frozen=True, slots=True)
class Safety:
    """Single frames, incidents and cameras."""

    anomalies: AnomalyWorkflow
    incidents: IncidentBook
    registry: CameraRegistry
    supervisor: CameraSupervisor

    async def end_quiet_incidents(self) -> None:
        """A loop, like the two below: run beside the requests until cancelled."""
        step = self.incidents.end_quiet_incidents
        await repeat("quiet_incidents", step, pause_s=_QUIET_CHECK_S, pause_after_failure_s=_QUIET_CHECK_S)

    async def drop_old_frames(self) -> None:
        step = self.incidents.drop_old_frames
        await repeat("frame_retention", step, pause_s=_FRAME_CHECK_S, pause_after_failure_s=60.0)

    async def read_cameras(self) -> None:
        await self.supervisor.run()


def assemble_safety(
    settings: Settings,
    *,
    pool: InferencePool,
    detector: AnomalyDetector,
    face_reader: FaceReader,
    faces: FaceWorkflow,
    database: Database,
    cache: Cache,
    storage: ObjectStorage,
) -> Safety:
    """Everything of cameras and incidents, over engines and backends that are open.

    Raises:
        ConfigurationError: the networks or the key in the settings can't be read.
    """
    prepare_ffmpeg()
    opener = StreamOpener(
        NetworkGuard(parse_networks(settings.CAMERA_ALLOWED_CIDRS)),
        timeout_s=settings.CAMERA_READ_TIMEOUT_S,
        max_pixels=settings.MAX_IMAGE_PIXELS,
        allow_files=settings.CAMERA_ALLOW_FILES,
    )
    box = SecretBox(settings.CAMERA_SECRET_KEY.get_secret_value(), key_file=settings.CV_DATA_DIR.absolute() / _KEY_FILE)
    registry = CameraRegistry(database=database, opener=opener, box=box)
    incidents = IncidentBook(
        database=database,
        storage=storage,
        cooldown=timedelta(seconds=settings.INCIDENT_COOLDOWN_S),
        frame_days=settings.RETENTION_FRAMES_DAYS,
    )
    sight = Sight(pool, detector, face_reader, faces, incidents, opener, settings.LIVENESS_THRESHOLD)
    owner = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    supervisor = CameraSupervisor(
        sight=sight,
        registry=registry,
        database=database,
        leases=Leases(cache, kind="camera", owner=owner, ttl_s=settings.CAMERA_LEASE_S),
        board=CameraBoard(cache, ttl_s=2 * settings.CAMERA_LEASE_S),
        capacity=settings.CAMERAS_PER_REPLICA,
    )
    anomalies = AnomalyWorkflow(
        pool=pool,
        detector=detector,
        face_reader=face_reader,
        faces=faces,
        registry=registry,
        incidents=incidents,
        max_pixels=settings.MAX_IMAGE_PIXELS,
    )
    return Safety(anomalies, incidents, registry, supervisor)
