"""Settings: the spec's names by environment and .env; a wrong one stops the start with one line that names it."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.composition.backends import open_storage
from app.config import Settings, load_settings
from app.errors import ConfigurationError

PROJECT_DIR = Path(__file__).resolve().parents[2]
NEEDED = {"DATABASE_URL": "postgresql://u:p@db/x", "MINIO_ACCESS_KEY": "key", "MINIO_SECRET_KEY": "secret"}
SPEC = {
    "APP_NAME": "Hotel CV",
    "VERSION": "2.0.0",
    "PORT": "9001",
    "DEBUG": "true",
    "DATABASE_URL": "postgresql://a:b@elsewhere:5433/y",
    "POSTGRES_POOL_SIZE": "7",
    "POSTGRES_MAX_OVERFLOW": "3",
    "MILVUS_HOST": "milvus.hotel",
    "MILVUS_PORT": "19531",
    "MILVUS_USER": "root",
    "MILVUS_PASSWORD": "milvus-password",
    "REDIS_URL": "rediss://cache:6380/1",
    "REDIS_CACHE_TTL": "60",
    "RABBITMQ_URL": "amqps://u:p@broker:5671/hotel",
    "STORAGE_TYPE": "s3",
    "MINIO_ENDPOINT": "objects.hotel:9443",
    "MINIO_ACCESS_KEY": "access",
    "MINIO_SECRET_KEY": "storage-secret",
    "MINIO_BUCKET": "pictures",
    "FACE_RECOGNITION_THRESHOLD": "0.8",
    "FACE_DETECTION_THRESHOLD": "0.85",
    "LIVENESS_THRESHOLD": "0.6",
    "IMAGE_SEARCH_TOP_K": "20",
    "IMAGE_SIMILARITY_THRESHOLD": "0.75",
    "OCR_LANGUAGES": "vi",
    "MAX_WORKERS": "2",
    "GPU_DEVICE_ID": "1",
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def as_text(settings: Settings) -> dict[str, str]:
    """The spec's settings as somebody would write them."""
    values = {name: getattr(settings, name) for name in SPEC}
    plain = {name: v.get_secret_value() if isinstance(v, SecretStr) else v for name, v in values.items()}
    return {name: str(v).lower() if isinstance(v, bool) else str(v) for name, v in plain.items()}


def test_every_setting_of_the_spec_works_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SPEC.items():
        monkeypatch.setenv(name, value)
    assert as_text(load_settings()) == SPEC


def test_every_setting_of_the_spec_works_by_env_file_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("\n".join(f"{name}={value}" for name, value in SPEC.items()), encoding="utf-8")
    assert as_text(load_settings()) == SPEC
    monkeypatch.setenv("PORT", "9002")
    assert load_settings().PORT == 9002


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "mysql://u:hunter2@db/x"),
        ("DATABASE_URL", "postgresql://u:hunter2@db:port/x"),
        ("REDIS_URL", "http://u:hunter2@cache"),
        ("RABBITMQ_URL", "hunter2"),
        ("MILVUS_URI", "milvus:19530"),
        ("VECTOR_DB", "faiss"),
        ("QDRANT_URL", "qdrant:6333"),
        ("QDRANT_URL", ""),
        ("QDRANT_URL", "http://u:hunter2@qdrant:port"),
        ("STORAGE_TYPE", "ftp"),
        ("MINIO_ENDPOINT", "http://objects:9000"),
        ("MINIO_ENDPOINT", "objects:99999"),
        ("MINIO_BUCKET", "Hotel_Images"),
        ("MINIO_ACCESS_KEY", ""),
        ("STORAGE_PUBLIC_ENDPOINT", "pictures.hotel"),
        ("FACE_RECOGNITION_THRESHOLD", "1.5"),
        ("LIVENESS_THRESHOLD", "nan"),
        ("OCR_LANGUAGES", "vi,fr"),
        ("OCR_LANGUAGES", ","),
        ("MAX_WORKERS", "0"),
        ("HOTEL_TIMEZONE", "Mars/Olympus"),
        ("HOTEL_TIMEZONE", "../../etc/passwd"),
        ("ADMIN_API_KEY", "hunter2"),
        ("ADMIN_API_KEY", "hunter2-khóa-của-khách-sạn-0123456789abcdef"),
        ("ADMIN_API_KEY", "hunter2 of the hotel 0123456789abcdef0123"),
        ("CAMERA_SECRET_KEY", "hunter2"),
        ("CV_MASTER_KEY", "hunter2"),
        ("CV_MASTER_KEY", "first:aHVudGVyMg=="),
        ("CAMERA_ALLOWED_CIDRS", "10.0.0.0/8,300.1.1.1/8"),
        ("ALLOWED_HOSTS", "https://desk.hotel"),
        ("TRUSTED_PROXIES", "*"),
        ("TRUSTED_PROXIES", "ingress"),
        ("CAMERA_PORTS", "554,0"),
        ("CAMERA_PORTS", "8010-8000"),
        ("CAMERA_PORTS", "65536"),
        ("CAMERA_PORTS", "rtsp"),
        ("CORS_ORIGINS", "https://desk.hotel/page"),
        ("EVENTS_EXCHANGE", ""),
        ("ROOM_TYPE_ITEMS", "not json"),
        ("LOG_LEVEL", "loud"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for needed, given in {**NEEDED, name: value}.items():
        monkeypatch.setenv(needed, given)
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    message = refused.value.message
    assert name in message
    assert "\n" not in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql:///hoteldb?host=/run/postgresql"),
        ("DATABASE_URL", "postgresql+asyncpg://u:p@db/x"),
        ("DATABASE_URL", "postgresql://u:p@one:5432,two:5433/x?target_session_attrs=read-write"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("RABBITMQ_URL", ""),
        ("MILVUS_URI", "/srv/vectors.db"),
        ("MILVUS_URI", "https://milvus.hotel:19530"),
        ("VECTOR_DB", "qdrant"),
        ("QDRANT_URL", "https://qdrant.hotel:6333"),
        ("MINIO_ENDPOINT", "[::1]:9000"),
        ("MINIO_ENDPOINT", "objects"),
        ("OCR_LANGUAGES", "en, vi"),
        ("CAMERA_ALLOWED_CIDRS", "10.20.0.0/16, fd00:1::/64"),
        ("ALLOWED_HOSTS", "desk.hotel, reception"),
        ("CORS_ORIGINS", "https://desk.hotel, http://localhost:3000"),
    ],
)
def test_what_deployments_write_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    for needed, given in {**NEEDED, name: value}.items():
        monkeypatch.setenv(needed, given)
    assert load_settings() is not None


def test_s3_means_amazon_unless_another_endpoint_is_given() -> None:
    def address(**given: Any) -> str:
        storage = open_storage(Settings(_env_file=None, **{**NEEDED, **given}))
        return storage.presigned_url("a.jpg", lifetime_s=60).partition("?")[0]

    assert address() == "http://localhost:9000/hotel-images/a.jpg"
    assert address(STORAGE_TYPE="s3", MINIO_REGION="ap-southeast-1", MINIO_BUCKET="pictures") == (
        "https://pictures.s3.ap-southeast-1.amazonaws.com/a.jpg"
    )
    assert address(STORAGE_TYPE="s3", MINIO_ENDPOINT="objects.hotel") == "http://objects.hotel/hotel-images/a.jpg"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "seven", "PORT"),
        ("MODEL_PACK", "none", "no model pack none"),
        ("MODEL_WEIGHTS_DIR", "/nowhere", "cv models install"),
        ("LIVENESS_FROM_PICTURES", "false", "set LIVENESS_MODE=active"),
    ],
)
def test_the_server_says_in_one_line_why_it_does_not_start(name: str, value: str, said: str) -> None:
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app_from_env", "--port", "1"]
    keys = {"CV_MASTER_KEY": "1:" + base64.b64encode(bytes(32)).decode()}
    environment = {**os.environ, **NEEDED, **keys, "LOG_DIR": "", "PYTHONPATH": str(PROJECT_DIR), name: value}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    output = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "Traceback" not in output
    [line] = [line for line in output.splitlines() if "CV Service cannot start" in line]
    assert said in line


def test_an_empty_folder_of_heads_is_the_one_beside_the_data() -> None:
    given = {**NEEDED, "MODEL_HEADS_DIR": "", "CV_DATA_DIR": "/srv/cv"}
    assert Settings(**given).own_heads_dir == Path("/srv/cv/heads")  # type: ignore[arg-type]  # as an environment has it
