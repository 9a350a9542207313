"""Traces: nothing without a collector; with one, a span per step in one tree, and nothing said that must stay here."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from loguru import logger
from starlette.testclient import TestClient

from app.api.middleware import RequestContext
from app.core.inference import InferencePool
from app.services.calls import backend_call
from app.utils import tracing
from app.utils.logging import _add_context, trace_id_var
from tests.collector import Collector, running_collector

PROJECT_DIR = Path(__file__).resolve().parents[2]
CALLER_TRACE = "0af7651916cd43dd8448eb211c80319c"
SECRET = "vector-0.123-of-somebody"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


@contextmanager
def exporting(endpoint: str) -> Iterator[None]:
    with tracing.exporting(endpoint=endpoint, service_name="cv-test", version="1"):
        yield


def make_app(pool: InferencePool) -> FastAPI:
    app = FastAPI()

    def embed() -> str:
        with tracing.stage("embed"):
            logger.info("embedded")
            return trace_id_var.get()

    @app.get("/faces/{employee_id}")
    async def faces(employee_id: str) -> str:
        assert employee_id
        async with backend_call("database", timeout_s=1, failures=()):
            await asyncio.sleep(0)
        return await pool.submit("face", embed)

    @app.get("/fail")
    async def fail() -> None:
        async with backend_call("vector_db", timeout_s=1, failures=(ValueError,)):
            raise ValueError(SECRET)

    app.add_middleware(RequestContext)
    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    pool = InferencePool(threads=1, queue_size=1, deadline_s=5)
    yield TestClient(make_app(pool), raise_server_exceptions=False)
    pool.close()


def test_a_request_becomes_one_tree_below_the_callers_span(collector: Collector, client: TestClient) -> None:
    with exporting(collector.endpoint):
        answer = client.get("/faces/EMP001", headers={"traceparent": f"00-{CALLER_TRACE}-b7ad6b7169203331-01"})
    assert answer.json() == CALLER_TRACE
    request = collector.named("GET /faces/{employee_id}")
    assert request.parent_span_id.hex() == "b7ad6b7169203331"
    for name, parent in (("database", request), ("inference face", request)):
        assert collector.named(name).parent_span_id == parent.span_id
    assert collector.named("embed").parent_span_id == collector.named("inference face").span_id
    assert {span.trace_id.hex() for span in collector.spans} == {CALLER_TRACE}
    assert collector.service_names == {"cv-test"}
    assert "EMP001" not in str(collector.spans)


def test_log_lines_of_a_request_carry_its_trace(collector: Collector, client: TestClient) -> None:
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["extra"].get("trace_id", "")), level="INFO")
    logger.configure(patcher=_add_context)
    try:
        with exporting(collector.endpoint):
            trace_id = client.get("/faces/EMP001").json()
    finally:
        logger.configure(patcher=lambda _: None)
        logger.remove(sink)
    assert len(trace_id) == 32
    assert lines == [trace_id, trace_id]  # from the inference thread, and of the request itself


def test_errors_are_marked_by_type_and_never_quoted(collector: Collector, client: TestClient) -> None:
    with exporting(collector.endpoint):
        assert client.get("/fail").status_code == 500
    assert collector.named("vector_db").status.code == 2
    assert collector.named("vector_db").status.message == "ValueError"
    assert collector.named("GET /fail").status.code == 2
    assert SECRET not in str(collector.spans)


def test_outside_a_request_nothing_is_traced(collector: Collector) -> None:
    async def poll() -> None:
        async with backend_call("database", timeout_s=1, failures=()):
            await asyncio.sleep(0)

    with exporting(collector.endpoint):
        asyncio.run(poll())
    assert collector.spans == []


def test_a_collector_that_is_down_disturbs_nobody(client: TestClient) -> None:
    with exporting("http://127.0.0.1:1"):
        assert client.get("/faces/EMP001").status_code == 200


def test_without_a_collector_a_span_is_one_shared_nothing(client: TestClient) -> None:
    with exporting(""):
        assert tracing.span("a") is tracing.span("b") is tracing.request_span("c", headers={})
        assert client.get("/faces/EMP001").json() == ""
        assert client.get("/fail").status_code == 500


def test_without_a_collector_the_sdk_is_not_loaded() -> None:
    code = (
        "import sys\nfrom app.utils import tracing\n"
        "with tracing.exporting(endpoint='', service_name='x', version='1'), tracing.span('a'):\n    pass\n"
        "print(*(name for name in sys.modules if name.startswith('opentelemetry.sdk')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_DIR, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""
