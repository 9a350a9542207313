"""Everything that serves requests, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.composition.backends import Backends
from app.composition.matrices import Matrices
from app.composition.safety import Safety
from app.composition.webhooks import Webhooks
from app.config import Settings
from app.core.inference import InferencePool
from app.ml_models.factories.face import FaceEngines
from app.ml_models.gpu import GpuState, gpu_state
from app.ml_models.model_loader import ModelLoader
from app.workflows.access import KeyRing
from app.workflows.attendance_log import AttendanceLog
from app.workflows.bulk import BulkIntake
from app.workflows.claim_matching import ClaimMatcher
from app.workflows.claims import ClaimDesk
from app.workflows.enrolment import EnrolmentWorkflow
from app.workflows.events import EventStream
from app.workflows.face import FaceWorkflow
from app.workflows.health import HealthMonitor
from app.workflows.housekeeping import Housekeeping
from app.workflows.idempotency import IdempotencyBook
from app.workflows.image import ImageWorkflow
from app.workflows.image_search import ImageSearchWorkflow
from app.workflows.jobs import JobBook, JobWork
from app.workflows.liveness_sessions import LivenessSessions
from app.workflows.long_invoices import InvoiceIntake
from app.workflows.mqtt_courier import MqttCourier
from app.workflows.ocr import OcrWorkflow
from app.workflows.passes import PassDesk
from app.workflows.people import PeopleDirectory
from app.workflows.privacy import PrivacyWorkflow
from app.workflows.rate_limit import RateLimiter
from app.workflows.result_lists import ResultLists
from app.workflows.room import RoomWorkflow
from app.workflows.room_references import RoomReferences
from app.workflows.sign_in import SignInDesk
from app.workflows.stays import StayDesk
from app.workflows.tickets import TicketDesk
from app.workflows.users import UserBook


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that serves requests, open and warm."""

    settings: Settings
    loader: ModelLoader
    pool: InferencePool
    backends: Backends
    matrices: Matrices
    face_engines: FaceEngines
    faces: FaceWorkflow
    liveness_sessions: LivenessSessions
    attendance_log: AttendanceLog
    passes: PassDesk
    enrolments: EnrolmentWorkflow
    images: ImageWorkflow
    image_searches: ImageSearchWorkflow
    rooms: RoomWorkflow
    room_references: RoomReferences
    housekeeping: Housekeeping
    documents: OcrWorkflow
    stays: StayDesk
    claims: ClaimDesk
    claim_matcher: ClaimMatcher
    privacy: PrivacyWorkflow
    safety: Safety
    events: EventStream
    webhooks: Webhooks
    mqtt: MqttCourier | None
    health: HealthMonitor
    keys: KeyRing | None
    limiter: RateLimiter | None
    sign_in: SignInDesk
    users: UserBook
    tickets: TicketDesk
    idempotency: IdempotencyBook
    jobs: JobBook
    bulk: BulkIntake
    invoices: InvoiceIntake
    people: PeopleDirectory
    result_lists: ResultLists
    works: Mapping[str, JobWork]
    zone: ZoneInfo
    ocr_loaded: bool
    ocr_fallback_missing: bool

    @property
    def engines(self) -> dict[str, bool]:
        """Whether each engine is loaded; all are, or the start fails, but for OCR, which may be switched off."""
        always = ("face_recognition", "image_embedding", "room_analysis", "anomaly_detection")
        return {**dict.fromkeys(always, True), "ocr": self.ocr_loaded}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works less well than the settings ask for."""
        return ("ocr_fallback_missing",) if self.ocr_fallback_missing else ()

    def providers(self) -> dict[str, str]:
        """What really runs each loaded network, by role."""
        return {model.role: model.provider for model in self.loader.listing() if model.provider}

    def gpu(self) -> GpuState | None:
        """The graphics card in use; None on a CPU."""
        on_gpu = any(provider.startswith("onnxruntime:cuda") for provider in self.providers().values())
        return gpu_state(self.settings.GPU_DEVICE_ID) if on_gpu else None
