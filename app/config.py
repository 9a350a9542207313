"""Every setting of the service: the spec's names, then ours.

Read from the environment, then from ``.env``, then from files named after them in ``/run/secrets``, where containers
are handed what nobody should see in their environment. There is no module-level instance: ``create_app(settings)`` gets
one, and handlers get single ones through ``app.dependencies.setting``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from app import setting_values as values
from app.errors import ConfigurationError

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
SearchIn = Literal["auto", "memory", "index"]
RoomView = Literal["bed", "bathroom", "other_room"]
RoleName = Literal["front_desk", "kiosk", "personnel", "housekeeping", "security", "accounting", "admin"]
RoomItem = Literal["bed_made", "bathroom_clean", "towels_present", "amenities_complete", "floor_clean"]


SECRETS_DIR = Path("/run/secrets")
WEIGHTS_DIR = Path(__file__).parent / "ml_models" / "weights"
"""Where model packs are installed unless MODEL_WEIGHTS_DIR says otherwise."""


class Settings(BaseSettings):
    """Validated configuration. Thresholds bound calibrated public scores; raw ones stand in the pack manifests."""

    model_config = SettingsConfigDict(env_file=".env", case_sensitive=True, extra="ignore", frozen=True)

    # The spec's settings
    APP_NAME: str = "CV Service"
    VERSION: str = "1.0.0"
    PORT: int = Field(8001, ge=1, le=65535)
    DEBUG: bool = False

    DATABASE_URL: Annotated[
        SecretStr, AfterValidator(values.secret_url("postgresql", "postgres", "postgresql+asyncpg"))
    ]
    POSTGRES_POOL_SIZE: Count = 20
    POSTGRES_MAX_OVERFLOW: int = Field(10, ge=0)

    MILVUS_HOST: str = "localhost"
    MILVUS_PORT: int = Field(19530, ge=1, le=65535)
    MILVUS_USER: str = ""
    MILVUS_PASSWORD: SecretStr = SecretStr("")

    REDIS_URL: Annotated[SecretStr, AfterValidator(values.secret_url("redis", "rediss", "unix"))] = SecretStr(
        "redis://localhost:6379/0"
    )
    REDIS_CACHE_TTL: Count = 300

    RABBITMQ_URL: Annotated[SecretStr, AfterValidator(values.secret_url("amqp", "amqps", empty=True))] = SecretStr(
        "amqp://guest:guest@localhost:5672/"
    )

    STORAGE_TYPE: Literal["minio", "s3"] = "minio"
    MINIO_ENDPOINT: Annotated[str, AfterValidator(values.host_and_port)] = "localhost:9000"
    MINIO_ACCESS_KEY: SecretStr = Field(min_length=1)
    MINIO_SECRET_KEY: SecretStr = Field(min_length=1)
    MINIO_BUCKET: Annotated[str, AfterValidator(values.bucket_name)] = "hotel-images"

    FACE_RECOGNITION_THRESHOLD: Probability = 0.7
    FACE_DETECTION_THRESHOLD: Probability = 0.9
    LIVENESS_THRESHOLD: Probability = 0.5

    IMAGE_SEARCH_TOP_K: int = Field(10, ge=1, le=100)
    IMAGE_SIMILARITY_THRESHOLD: Probability = 0.7

    OCR_LANGUAGES: Annotated[str, AfterValidator(values.known_languages)] = "vi,en"

    MAX_WORKERS: Count = 4
    GPU_DEVICE_ID: int = Field(0, ge=0)

    # Ours: where things are
    VECTOR_DB: Literal["milvus", "qdrant"] = Field("milvus", description="Which vector database the vectors are in.")
    QDRANT_URL: Annotated[str, AfterValidator(values.server_address)] = "http://localhost:6333"
    QDRANT_API_KEY: SecretStr = SecretStr("")
    CV_DATA_DIR: Path = Path("data")
    HOTEL_TIMEZONE: Annotated[str, AfterValidator(values.known_zone)] = "Asia/Ho_Chi_Minh"
    MILVUS_URI: Annotated[str, AfterValidator(values.milvus_address)] = Field(
        "", description="Overrides MILVUS_HOST/PORT: an http(s) address, or a local path that ends in .db."
    )
    MINIO_SECURE: bool = False
    MINIO_REGION: str = "us-east-1"
    STORAGE_PUBLIC_ENDPOINT: Annotated[str, AfterValidator(values.web_address)] = Field(
        "", description="scheme://host[:port] under which browsers reach the object store; URLs are signed for it."
    )

    # Ours: the keys of what is encrypted at rest
    CV_MASTER_KEY: Annotated[SecretStr, AfterValidator(values.master_keys)] = Field(
        SecretStr(""), description="VERSION:BASE64 of 32 bytes, several separated by commas; the same on all replicas."
    )
    CV_MASTER_KEY_FILE: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
        None, description="A file of such keys, one a line, instead of CV_MASTER_KEY."
    )

    # Ours: models and inference
    MODEL_PACK: str = "compact"
    MODEL_WEIGHTS_DIR: Path = WEIGHTS_DIR
    INFERENCE_RUNTIME: Literal["auto", "onnxruntime", "openvino"] = "auto"
    INFERENCE_PRECISION: Literal["auto", "f32"] = "auto"
    INFERENCE_DEVICE: Literal["auto", "cpu", "cuda"] = "auto"
    REQUIRE_GPU: bool = Field(False, description="Refuse to start without a GPU instead of warning.")
    GPU_MEMORY_LIMIT_MB: int = Field(0, ge=0, description="Cap of one network's arena on the GPU; 0 sets none.")
    INFERENCE_QUEUE_SIZE: Count = Field(
        64, description="Requests that may wait for a thread; one more is answered 429."
    )
    INFERENCE_DEADLINE_S: Seconds = 20.0

    # Ours: limits
    MAX_BODY_BYTES: Count = 15 * 1024 * 1024
    MAX_BODIES_BYTES: Count = Field(
        256 * 1024 * 1024, description="Of all requests under way together; the next one is answered 429."
    )
    MAX_REQUESTS_PER_CLIENT: Count = Field(
        64, description="Of one API key, without keys of one address, under way at once; one more is answered 429."
    )
    BODY_TIMEOUT_S: Seconds = Field(60.0, description="A body that takes longer to arrive is answered 408.")
    MAX_IMAGE_PIXELS: Count = 50_000_000
    MAX_IMAGE_SIDE: Count = Field(20_000, description="Of either side, in px; one side may be 50 times the other.")
    BACKEND_TIMEOUT_S: Seconds = 3.0

    # Ours: processes for PDF, HEIF, AVIF and TIFF, one a file
    SANDBOX_PLACES: Count = Field(2, description="PDFs that are read or in memory at once, and as many pictures.")
    SANDBOX_CPU_S: Count = Field(8, description="Processor time of one file; past it the file is refused.")
    SANDBOX_WALL_S: Seconds = Field(15.0, description="Time of one file; past it the answer is 504.")
    SANDBOX_MEMORY_MB: Count = Field(1024, description="Address space of one file, beside the file and its pixels.")

    # Ours: access
    AUTH_REQUIRED: bool = True
    ALLOWED_HOSTS: Annotated[str, AfterValidator(values.host_names)] = Field(
        "", description="Comma-separated names of this machine, served while AUTH_REQUIRED is false beside loopback's."
    )
    TRUSTED_PROXIES: Annotated[str, AfterValidator(values.networks)] = Field(
        "", description="Comma-separated networks whose X-Forwarded-For and X-Forwarded-Proto are believed; else none."
    )

    ADMIN_API_KEY: Annotated[SecretStr, AfterValidator(values.strong_or_absent)] = Field(
        SecretStr(""), description="First key, with every scope; only its hash is stored, at the start."
    )
    SESSION_IDLE_MIN: int = Field(30, ge=1, le=1440, description="A browser's session ends when unused for so long.")
    SESSION_HOURS: int = Field(12, ge=1, le=168, description="Of a person's session, however much it is used.")
    SIGN_INS_PER_MINUTE: int = Field(20, ge=0, description="Tries of one address, and with one name; 0 sets no limit.")
    OIDC_ISSUER: Annotated[str, AfterValidator(values.issuer)] = Field(
        "", description="https:// address of the hotel's identity provider (OpenID Connect); empty: passwords alone."
    )
    OIDC_CLIENT_ID: str = Field("", max_length=200, description="What the identity provider calls this service.")
    OIDC_CLIENT_SECRET: SecretStr = Field(SecretStr(""), description="Empty: a public client, protected by PKCE.")
    OIDC_ROLE_CLAIM: str = Field(
        "roles", min_length=1, max_length=200, description="Lists a person's roles; dots lead into objects."
    )
    OIDC_ROLES: dict[str, RoleName] = Field(
        {}, description="Which role a value of that claim stands for, as JSON, beside the names of the roles."
    )
    OIDC_NAME_CLAIM: str = Field(
        "preferred_username", min_length=1, max_length=200, description="From which people's names here are made."
    )
    OIDC_PROMPT: Literal["login", "select_account", ""] = Field(
        "login", description="What people are asked for each time; empty: nothing while they are signed in there."
    )
    RATE_LIMIT_PER_MINUTE: int = Field(6000, ge=0, description="Requests of one API key; 0 sets no limit.")
    IDEMPOTENCY_HOURS: Count = Field(24, description="How long an Idempotency-Key and its answer are remembered.")
    IDEMPOTENCY_MAX_MB: Count = Field(256, description="Of all remembered answers; beyond it the oldest go first.")
    JOBS_AT_ONCE: int = Field(2, ge=0, le=16, description="Jobs that a replica works on at once; 0: on none.")
    JOBS_PER_KEY: Count = Field(20, description="Jobs of one API key that wait or run; one more is answered 429.")
    BULK_MAX_ITEMS: int = Field(1000, ge=1, le=10_000, description="Items of one bulk request.")
    INTEGER_IDS: bool = Field(True, description="False: paths name results and incidents by public_id alone.")
    METRICS_PUBLIC: bool = Field(True, description="False: /metrics asks for an API key, of any scope.")
    CORS_ORIGINS: Annotated[str, AfterValidator(values.origins)] = Field(
        "", description="Comma-separated origins whose pages may call the API; read while AUTH_REQUIRED is true."
    )

    # Ours: faces and attendance
    FACE_SEARCH: SearchIn = Field(
        "auto", description="Where faces are searched: memory, index (the vector database), auto: by their number."
    )
    FACE_MAX_TEMPLATES: int = Field(20, ge=1, le=100)
    FACE_KEEP_CROPS: bool = False
    LIVENESS_MODE: Literal["passive", "active", "auto"] = Field(
        "passive", description="Whether liveness is judged by the picture, by a session of movements, or by both."
    )
    LIVENESS_FROM_PICTURES: bool = Field(
        True, description="False: the liveness network is not loaded, sessions alone count; not with passive."
    )
    LIVENESS_CHALLENGES: int = Field(3, ge=2, le=4, description="Movements of a liveness session.")
    LIVENESS_SESSION_S: float = Field(
        60.0, ge=10, le=600, description="How long a session is open, and how long a passed one can be used."
    )
    LIVENESS_SESSIONS_PER_MINUTE: int = Field(60, ge=0, description="Of one API key; 0 sets no limit.")
    LIVENESS_REPLAY_DAYS: Count = Field(7, description="How long sketches of frames are kept, to know them again.")
    ATTENDANCE_DEBOUNCE_S: float = Field(60.0, ge=0)
    ATTENDANCE_MAX_SKEW: float = Field(
        604_800.0, ge=0, le=31_536_000, description="Seconds that a check-in's own timestamp may be old to count."
    )
    ATTENDANCE_REQUIRE_LIVENESS: bool = False
    PIN_TRIES: int = Field(5, ge=1, le=20, description="Wrong PINs in a row, after which one is locked.")
    PIN_LOCK_MIN: Count = Field(15, description="For how long.")
    PASS_TRIES_PER_MINUTE: int = Field(
        30, ge=0, description="Check-ins by PIN or card from one address; 0 sets no limit."
    )
    EVENTS_EXCHANGE: str = Field("hotel.cv", min_length=1, max_length=127)
    EVENTS_QUEUE_PREFIX: str = Field(
        "",
        max_length=100,
        pattern=r"^[\x21-\x7e]*$",
        description="Before the names of our queues: hotels on one broker.",
    )
    EVENTS_SOURCE: str = Field(
        "/cv-service", min_length=1, max_length=200, pattern=r"^[\x21-\x7e]*$", description="CloudEvents' source."
    )

    # Ours: cameras and incidents
    CAMERA_ALLOWED_CIDRS: Annotated[str, AfterValidator(values.networks)] = Field(
        "", description="Comma-separated networks in which cameras may be; else none."
    )
    CAMERA_PORTS: Annotated[str, AfterValidator(values.ports)] = Field(
        "80,443,554,8554",
        description="Comma-separated ports and ranges of cameras: of others nothing is told but their pictures.",
    )
    CAMERA_ALLOW_FILES: bool = Field(False, description="Accept file: cameras, for tests and demonstrations.")
    CAMERA_SECRET_KEY: Annotated[SecretStr, AfterValidator(values.camera_key)] = Field(
        SecretStr(""), description="Deprecated: opens logins that were sealed before there was CV_MASTER_KEY."
    )
    CAMERAS_PER_REPLICA: int = Field(16, ge=0, description="Cameras that one process reads at most; 0 reads none.")
    CAMERA_LEASE_S: float = Field(6.0, ge=1.0, description="A dead replica's cameras move after this time.")
    CAMERA_READ_TIMEOUT_S: Seconds = 10.0
    CAMERA_CLIP_PRE_ROLL_S: float = Field(5.0, ge=0, le=30, description="Seconds of a clip before its incident began.")
    CAMERA_CLIP_POST_ROLL_S: float = Field(
        10.0, ge=0, le=60, description="Seconds of a clip after its incident began; 0 makes no clips."
    )
    CAMERA_BASELINE_AFTER_H: float = Field(
        6.0, ge=0, description="Hours until a camera takes what always looks like a hazard for usual; 0 learns nothing."
    )
    CAMERA_MAX_LAG_S: Seconds = Field(5.0, description="A frame that waited longer is dropped and counted as late.")
    CAMERA_BLUR_FACES: bool = Field(
        True, description="Blur faces of people who raise no alarm in stored frames and clips; originals have a scope."
    )
    CAMERA_MAX_VIEWERS: int = Field(8, ge=0, description="Live views that one process serves at once.")
    INCIDENT_COOLDOWN_S: float = Field(60.0, ge=0)
    ANOMALY_ESCALATE_AFTER_S: float = Field(
        0.0, ge=0, description="An alert that nobody acknowledged is repeated at level 2 after this; 0 repeats none."
    )

    # Ours: MQTT
    MQTT_URL: Annotated[SecretStr, AfterValidator(values.secret_url("mqtt", "mqtts", empty=True))] = Field(
        SecretStr(""), description="mqtt(s)://user:password@host:port of a broker that events go to; empty: none."
    )
    MQTT_CA_FILE: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
        None, description="PEM of who signs the certificate of a broker at mqtts://; unset: whom this machine trusts."
    )
    MQTT_TOPIC_PREFIX: str = Field("cv", max_length=100, pattern=r"^[A-Za-z0-9_./-]+$")
    MQTT_DISCOVERY_PREFIX: str = Field(
        "homeassistant",
        max_length=100,
        pattern=r"^[A-Za-z0-9_./-]*$",
        description="Where Home Assistant is told of the cameras; empty: nowhere.",
    )

    # Ours: webhooks
    WEBHOOK_ALLOWED_CIDRS: Annotated[str, AfterValidator(values.networks)] = Field(
        "", description="Comma-separated networks for receivers inside the house; public addresses need https alone."
    )
    WEBHOOK_TIMEOUT_S: Seconds = Field(10.0, description="Of one message, to the end of the receiver's answer.")
    WEBHOOK_GIVE_UP_H: Seconds = Field(
        24.0, description="Hours after which an event is kept as a failure whose receiver does not answer."
    )

    # Ours: pictures
    IMAGE_SEARCH: SearchIn = Field(
        "auto", description="Where pictures are searched: memory, index (the vector database), auto: by their number."
    )
    IMAGE_URL_LIFETIME_S: int = Field(3600, ge=1, le=604_800, description="How long presigned addresses work.")
    MILVUS_INDEX: Literal["HNSW", "EXACT"] = Field(
        "HNSW", description="EXACT compares with every picture: right for Milvus Lite and up to some 100,000."
    )

    # Ours: rooms
    MODEL_HEADS_DIR: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
        None, description="Heads that the hotel trained; empty: CV_DATA_DIR/heads."
    )
    ROOM_REQUIRED_ITEMS: tuple[RoomItem, ...] = Field((), description="Must have been seen in order: JSON list.")
    ROOM_TYPE_ITEMS: dict[str, tuple[RoomItem, ...]] = Field(
        {}, description="Which checklist items a type of room has, as JSON; a type that is not named has all."
    )
    ROOM_REQUIRED_VIEWS: dict[str, tuple[RoomView, ...]] = Field(
        {}, description="Which views a type of room must have shown to be ready, as JSON; * for types not named."
    )
    ROOM_VIEWS_WINDOW_MIN: int = Field(
        60, ge=1, le=1440, description="How long views of one room count together; a dirty one voids those before."
    )
    ROOM_CLEANING_MINUTES: dict[str, Annotated[int, Field(ge=0)]] = Field(
        {"room_untidy": 15, "bed_unmade": 10, "floor_needs_cleaning": 10, "bathroom_untidy": 15},
        description="Cleaning time of a finding, as JSON.",
    )

    # Ours: documents
    OCR_ENABLED: bool = Field(True, description="False saves about 0.7 GB where no documents are read.")
    OCR_FALLBACK: Literal["tesseract", "easyocr", "none"] = Field(
        "tesseract", description="Reads where PaddleOCR fails or is unsure; EasyOCR has to be installed beside this."
    )
    OCR_MAX_PAGES: int = Field(5, ge=1, le=50, description="Pages of a PDF that is answered at once.")
    OCR_MAX_PAGES_ASYNC: int = Field(
        30, ge=1, le=500, description="Pages of an invoice's PDF that becomes a job; one more is refused."
    )
    OCR_QUEUE_SIZE: Count = Field(16, description="Documents that may wait for their turn; one more is answered 429.")
    OCR_RETENTION_ACTION: Literal["mask", "drop"] = Field(
        "drop", description="What happens to stored identity fields after RETENTION_IDENTITY_DAYS."
    )

    EINVOICE_TRUST_DIR: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
        None, description="Folder of root certificates (PEM, DER) that vouch for signers of e-invoices; empty: none."
    )

    # Ours: lost property
    CLAIM_MATCH_SCORE: Probability = Field(0.7, description="From which on a find is announced as a claim's match.")

    # Ours: stays
    STAY_FORMS_DIR: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
        None, description="Folder with vietnamese.toml and foreign.toml, the columns of the lists; empty: ours."
    )

    # Ours: retention, days
    RETENTION_IDENTITY_DAYS: Count = 30
    RETENTION_STAYS_DAYS: Count = Field(30, description="After the departure, or the last change without one.")
    RETENTION_CLAIMS_DAYS: Count = Field(90, description="Of claims that nobody changes any more.")
    RETENTION_FRAMES_DAYS: Count = 30
    RETENTION_ROOM_PHOTOS_DAYS: Count = 90
    RETENTION_OUTBOX_DAYS: Count = 7
    RETENTION_AUDIT_DAYS: Count = 365
    RETENTION_ATTENDANCE_DAYS: Count = Field(365, description="Of what /attendance lists.")
    RETENTION_JOBS_DAYS: Count = Field(7, description="Of jobs that have ended, and of what became of their items.")

    # Ours: logs
    LOG_LEVEL: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    LOG_JSON: bool = False
    LOG_DIR: Annotated[Path | None, BeforeValidator(lambda value: value or None)] = Field(
        Path("logs"), description="Empty: log to the console only."
    )
    LOG_RETENTION_DAYS: Count = 30

    # Ours: tracing, under OpenTelemetry's own names
    OTEL_EXPORTER_OTLP_ENDPOINT: Annotated[str, AfterValidator(values.web_address)] = Field(
        "", description="Base address of an OTLP/HTTP collector; empty: no traces."
    )
    OTEL_SERVICE_NAME: str = "cv-service"

    @property
    def own_heads_dir(self) -> Path:
        """Where a hotel's own heads are written and read."""
        return self.MODEL_HEADS_DIR or self.CV_DATA_DIR / "heads"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment, ``.env`` and secret files.

    Raises:
        ConfigurationError: one line that names each wrong or missing setting.
    """
    try:
        # pydantic-settings warns of a folder that is not there
        overrides.setdefault("_secrets_dir", SECRETS_DIR if SECRETS_DIR.is_dir() else None)
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic validates; the environment fills the rest
    except SettingsError as error:  # what should be JSON is none; the message names the setting, not its value
        raise ConfigurationError(f"Wrong settings: {error}. See .env.example.") from error
    except ValidationError as error:
        found = error.errors(include_input=False)
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in found)
        raise ConfigurationError(f"Wrong settings: {problems}. See .env.example.") from error
