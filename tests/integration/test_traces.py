"""Traces of a running service: which steps of which request a collector gets to see."""

from __future__ import annotations

import pytest

from tests.collector import running_collector
from tests.integration.conftest import Start
from tests.photos import astronaut, base64_jpeg, coffee

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"


def test_every_kind_of_request_shows_its_stages(start_service: Start) -> None:
    face, cup = base64_jpeg(astronaut()), base64_jpeg(coffee())
    requests: dict[str, dict[str, object]] = {
        "/face/enroll": {"employee_id": "EMP001", "images": [face]},
        "/face/recognize": {"image": face, "camera_id": "cam_lobby_01", "check_liveness": True},
        "/face/identify": {"image": face},
        "/image/index": {"image": cup, "metadata": {"category": "lost_found"}},
        "/image/search": {"query_image": cup},
        "/room/analyze": {"image": cup, "room_number": "201"},
        "/anomaly/detect": {"image": cup, "camera_id": "cam_hall"},
        "/ocr/invoice": {"image": cup},
    }
    with running_collector() as collector:
        with start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, OCR_ENABLED=True) as service:
            for path, body in requests.items():
                answer = service.client.post(f"{API}{path}", json=body)
                assert answer.status_code == 200, answer.text
        traces: dict[bytes, set[str]] = {}
        for span in collector.spans:
            traces.setdefault(span.trace_id, set()).add(span.name)
    seen = {next(name for name in names if name.startswith("POST ")): names for names in traces.values()}
    stages = {
        "/face/enroll": {"inference face", "face.decode", "face.detect", "face.embed", "vector_db", "database"},
        "/face/recognize": {"face.decode", "face.detect", "face.liveness", "face.embed", "face.search", "face.record"},
        "/face/identify": {"face.decode", "face.detect", "face.embed", "face.search"},
        "/image/index": {"inference image", "image.decode", "image.embed", "image.encode", "storage", "vector_db"},
        "/image/search": {"image.decode", "image.embed", "database"},
        "/room/analyze": {"inference room", "room.decode", "room.inspect", "room.encode", "storage", "database"},
        "/anomaly/detect": {"inference anomaly", "anomaly.decode", "anomaly.detect"},
        "/ocr/invoice": {"inference ocr", "ocr.decode", "ocr.read"},
    }
    for path, expected in stages.items():
        assert expected <= seen[f"POST {API}{path}"], path
