"""Fixtures for all tests: real backends, a broker where there is one, and folders that the environment names."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends import RunningBackends, rabbitmq_answers, rabbitmq_is_required, rabbitmq_url, running_backends
from tests.timeouts import pytest_runtest_protocol  # noqa: F401  # pytest finds its hooks by name


@pytest.fixture(scope="session")
def backends() -> Iterator[RunningBackends]:
    """PostgreSQL, Milvus Lite, Valkey and S3, started once for the session."""
    with running_backends() as running:
        yield running


@pytest.fixture(scope="session")
def broker_address() -> str:
    """A RabbitMQ that answers; without one the test is skipped, or fails where CV_REQUIRE_RABBITMQ is set."""
    url = rabbitmq_url()
    if not rabbitmq_answers(url):
        problem = "no RabbitMQ at 127.0.0.1:5672; start one or set CV_TEST_RABBITMQ_URL"
        if rabbitmq_is_required():
            pytest.fail(problem)
        pytest.skip(problem)
    return url


@pytest.fixture
def broker_url(broker_address: str) -> Iterator[str]:
    """The broker for one test at a time, whatever runs beside it: its durable queues have one name for all."""
    with (Path(tempfile.gettempdir()) / f"cv-service-tests-broker-{os.geteuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield broker_address


def _folder_named_by(variable: str, *, what: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} names no folder of {what}")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"{variable} is {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def eval_data() -> Path:
    """The folder of photos for evaluation: CV_EVAL_DATA."""
    return _folder_named_by("CV_EVAL_DATA", what="photos")


@pytest.fixture(scope="session")
def third_party_models() -> Path:
    """The folder of third-party weights for tests: CV_TEST_MODELS."""
    return _folder_named_by("CV_TEST_MODELS", what="test weights")
