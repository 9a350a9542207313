"""Face check-in: engines and use cases."""

from __future__ import annotations

from app.composition.backends import Backends
from app.composition.decoders import Decoders
from app.composition.matrices import Matrices
from app.config import Settings
from app.core.active_liveness.judge import SessionJudge, SessionRules
from app.core.active_liveness.observation import FrameObserver
from app.core.inference import InferencePool
from app.errors import ConfigurationError
from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.model_loader import ModelLoader
from app.services.sealed_storage import SealedStorage
from app.services.secret_box import SecretBox
from app.utils import metrics
from app.workflows.attendance import AttendanceBook
from app.workflows.enrolment import AdmissionRules, EnrolmentRules, EnrolmentWorkflow
from app.workflows.face import FaceWorkflow
from app.workflows.face_reader import LivenessMode, ProbeReader
from app.workflows.gallery import FaceGallery, IndexGallery, MemoryGallery
from app.workflows.liveness_sessions import LivenessSessions, SessionSettings
from app.workflows.rate_limit import RateLimiter

# A second enrolment of one face needs more certainty than a recognition before it is refused: several photos are
# compared with the whole gallery at once, and a wrong refusal costs a person's time.
_DUPLICATE_CONFIDENCE = 0.9


def load_face_engines(settings: Settings, loader: ModelLoader) -> FaceEngines:
    """Detector, embedder, liveness and quality gate, warm.

    Raises:
        ConfigurationError: nothing would be left that shows liveness.
    """
    if not settings.LIVENESS_FROM_PICTURES and settings.LIVENESS_MODE == "passive":
        raise ConfigurationError("LIVENESS_FROM_PICTURES=false leaves sessions alone: set LIVENESS_MODE=active.")
    engines = build_face_engines(
        loader,
        min_detection_score=settings.FACE_DETECTION_THRESHOLD,
        min_liveness=settings.LIVENESS_THRESHOLD if settings.LIVENESS_FROM_PICTURES else None,
    )
    engines.warm_up()
    metrics.model_loaded.labels("face_recognition").set(1)
    return engines


def compose_gallery(backends: Backends, matrices: Matrices) -> FaceGallery:
    """Everybody who is enrolled, in memory where FACE_SEARCH says so."""
    index = IndexGallery(backends.vectors.faces, backends.database, backends.cache)
    return index if matrices.faces is None else MemoryGallery(matrices.faces, beyond=index)


def compose_faces(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    engines: FaceEngines,
    sessions: LivenessSessions,
    gallery: FaceGallery,
    attendance: AttendanceBook,
) -> FaceWorkflow:
    """Recognition, verification and identification."""
    reader = ProbeReader(
        pool=pool,
        pictures=decoders.pictures,
        engine=engines.recognition,
        liveness=engines.liveness,
        covers=engines.covers,
        sessions=sessions,
        mode=LivenessMode(settings.LIVENESS_MODE),
    )
    return FaceWorkflow(
        reader=reader,
        engine=engines.recognition,
        database=backends.database,
        gallery=gallery,
        attendance=attendance,
        min_confidence=settings.FACE_RECOGNITION_THRESHOLD,
    )


def compose_liveness_sessions(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    engines: FaceEngines,
    box: SecretBox,
) -> LivenessSessions:
    """Active liveness."""
    per_minute = settings.LIVENESS_SESSIONS_PER_MINUTE
    min_passive = settings.LIVENESS_THRESHOLD / 2 if settings.LIVENESS_FROM_PICTURES else None
    return LivenessSessions(
        pool=pool,
        pictures=decoders.pictures,
        observer=FrameObserver(engines.recognition, engines.liveness.by_networks_alone()),
        judge=SessionJudge(engines.recognition.calibration, SessionRules(min_liveness=min_passive)),
        database=backends.database,
        box=box,
        limiter=RateLimiter(backends.cache, per_minute=per_minute, name="liveness") if per_minute else None,
        settings=SessionSettings(
            challenges=settings.LIVENESS_CHALLENGES,
            lifetime_s=settings.LIVENESS_SESSION_S,
            keep_days=settings.LIVENESS_REPLAY_DAYS,
        ),
    )


def compose_enrolments(
    settings: Settings,
    pool: InferencePool,
    decoders: Decoders,
    backends: Backends,
    engines: FaceEngines,
    sessions: LivenessSessions,
    gallery: FaceGallery,
) -> EnrolmentWorkflow:
    """Enrolment and erasure."""
    return EnrolmentWorkflow(
        pool=pool,
        pictures=decoders.pictures,
        engine=engines.recognition,
        gate=engines.gate,
        database=backends.database,
        vectors=backends.vectors.faces,
        gallery=gallery,
        storage=SealedStorage(backends.storage, backends.database),
        cache=backends.cache,
        sessions=sessions,
        rules=EnrolmentRules(
            admission=AdmissionRules(
                max_templates=settings.FACE_MAX_TEMPLATES,
                min_duplicate_confidence=max(_DUPLICATE_CONFIDENCE, settings.FACE_RECOGNITION_THRESHOLD),
                min_match_confidence=settings.FACE_RECOGNITION_THRESHOLD,
            ),
            keep_crops=settings.FACE_KEEP_CROPS,
        ),
    )
