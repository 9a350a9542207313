"""Health and metrics of a running service."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx

from app.core.face_recognition import FaceRecognitionEngine
from tests.integration.conftest import Start
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, coffee, portrait

API = "/api/v1/cv"
SPEC_METRICS = (
    'cv_face_recognition_total{status="success"}',
    'cv_face_recognition_total{status="failure"}',
    'cv_face_recognition_total{status="no_face"}',
    "cv_face_recognition_duration_seconds_count",
    "cv_face_recognition_confidence_count",
    'cv_model_loaded{model_name="face_recognition"}',
)


def values(client: httpx.Client) -> dict[str, float]:
    """Every sample at /metrics by its name with labels."""
    lines = client.get(f"{API}/metrics").text.splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}


def test_the_metrics_of_the_spec_count_what_was_done(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    before = values(client)
    recognize(client, base64_jpeg(astronaut()))
    recognize(client, base64_jpeg(portrait(0)))
    recognize(client, base64_jpeg(coffee()))
    after = values(client)
    grown = {name: after[name] - before.get(name, 0) for name in SPEC_METRICS}
    assert list(grown.values()) == [1, 1, 1, 3, 1, 0]
    assert after['cv_model_loaded{model_name="face_recognition"}'] == 1


def test_the_answer_has_the_shape_of_the_spec(client: httpx.Client) -> None:
    told = client.get(f"{API}/health").json()
    assert told["status"] == "healthy"
    assert told["timestamp"].endswith("Z")
    assert {"database", "vector_db", "redis", "gpu", "models"} <= set(told["checks"])
    assert told["checks"]["database"]["status"] == "ok"
    assert told["checks"]["database"]["latency_ms"] > 0
    assert told["checks"]["models"]["face_recognition"] == "loaded"


def test_health_answers_while_every_inference_place_is_taken(start_service: Start) -> None:
    with start_service(MAX_WORKERS=1, INFERENCE_QUEUE_SIZE=2) as service, ThreadPoolExecutor(8) as threads:
        photos = [base64_jpeg(portrait(0))] * 10
        stop, statuses = threading.Event(), set[int]()

        def keep_enrolling(number: int) -> None:
            while not stop.is_set():
                body = {
                    "employee_id": f"E{number}",
                    "images": photos,
                    "replace_existing": True,
                    "allow_duplicate": True,
                }
                with httpx.Client(base_url=service.client.base_url, timeout=30) as client:
                    answer = client.post(f"{API}/face/enroll", json=body)
                statuses.add(answer.status_code)
                assert answer.status_code == 200 or answer.headers["retry-after"].isdecimal()

        jobs = [threads.submit(keep_enrolling, number) for number in range(8)]
        try:
            Records.wait_until(lambda: 429 in statuses)
            # Were a model to run on the event loop, this would wait behind it.
            for _ in range(20):
                assert service.client.get(f"{API}/health/live", timeout=2).status_code == 200
                assert service.client.get(f"{API}/health", timeout=2).json()["checks"]["models"]
        finally:
            stop.set()
        for job in jobs:
            job.result()
    assert statuses <= {200, 429}


def test_a_service_that_has_stopped_leaves_no_models_in_memory(start_service: Start) -> None:
    def engines() -> int:
        gc.collect()
        return sum(isinstance(thing, FaceRecognitionEngine) for thing in gc.get_objects())

    before = engines()
    with start_service() as service:
        assert service.client.get(f"{API}/health").status_code == 200
        assert engines() == before + 1
    assert engines() == before
