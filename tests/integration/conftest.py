"""The application over real backends, one for the session; each test begins with empty records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app.config import Settings
from tests.backends import RunningBackends
from tests.integration.live import migrated_database, serving
from tests.integration.records import Records
from tests.qdrant_process import QdrantProcess

# A test must not depend on what the machine's environment or a developer's .env says.
BASE_SETTINGS: dict[str, Any] = {
    "_env_file": None,
    "AUTH_REQUIRED": False,
    # Replicas share the cameras of one Redis, and this service would be one beside those of the cameras' own tests.
    "CAMERAS_PER_REPLICA": 0,
    "OCR_ENABLED": False,  # costs seconds a start; its own tests switch it on
    "RABBITMQ_URL": "",
    "LOG_DIR": None,
    "BACKEND_TIMEOUT_S": 8.0,  # a busy machine is no outage; tests of outages say less
}


@pytest.fixture(scope="session")
def qdrant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QdrantProcess]:
    """Qdrant, started once for the session."""
    with QdrantProcess(tmp_path_factory.mktemp("qdrant")).running() as server:
        yield server


@pytest.fixture(scope="session")
def database_url(backends: RunningBackends) -> str:
    """A migrated database of the session's own."""
    return migrated_database(backends)


@pytest.fixture(scope="session")
def settings(backends: RunningBackends, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of the shared service."""
    data_dir = tmp_path_factory.mktemp("data")
    return Settings(**{**backends.settings, **BASE_SETTINGS, "DATABASE_URL": database_url, "CV_DATA_DIR": data_dir})


@pytest.fixture(scope="session")
def shared_client(settings: Settings) -> Iterator[httpx.Client]:
    with serving(settings) as client:
        yield client


@pytest.fixture(scope="session")
def shared_records(settings: Settings) -> Records:
    return Records(settings)


@pytest.fixture
def records(shared_records: Records) -> Records:
    """PostgreSQL and Milvus, emptied."""
    shared_records.clear()
    return shared_records


@pytest.fixture
def client(shared_client: httpx.Client, records: Records) -> httpx.Client:
    """The shared service, with nobody enrolled, recovered from whatever an earlier test did to its backends."""
    assert records is not None
    Records.wait_until(lambda: shared_client.get("/api/v1/cv/health").json()["status"] == "healthy")
    return shared_client


@dataclass(frozen=True)
class Service:
    """A service of one test's own, with what is behind it."""

    client: httpx.Client
    records: Records
    settings: Settings


Start = Callable[..., AbstractContextManager[Service]]


@pytest.fixture(scope="session")
def start_service(backends: RunningBackends, settings: Settings) -> Start:
    """Start a service with other settings, on a database of its own unless DATABASE_URL says otherwise."""

    @contextmanager
    def start(**changes: object) -> Iterator[Service]:
        if "DATABASE_URL" not in changes:
            changes["DATABASE_URL"] = migrated_database(backends)
        own = Settings(**{**settings.model_dump(), "_env_file": None, **changes})
        records = Records(own)
        records.clear()
        with serving(own) as client:
            yield Service(client, records, own)

    return start
