"""The dashboard and the rules, asked of a real Prometheus that scraped a service which did everything once."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from scripts.demo.tour import Tour
from tests.integration.conftest import Start
from tests.integration.live import PROJECT_DIR
from tests.integration.records import Records
from tests.integration.test_replicas import free_port

pytestmark = [pytest.mark.slow, pytest.mark.any_server, pytest.mark.timeout(600)]

DEPLOY = PROJECT_DIR / "deploy"
WINDOW = "10m"
"""In the place of $__rate_interval: longer than the walk takes."""
NO_BROKER = f"sum by (type) (rate(cv_events_published_total[{WINDOW}]))"
"""Asks for what this service has none of."""
SCRAPED_S = 60.0
PROMISES = {"requests", "check_in", "check_in_latency", "search_latency", "document_latency"}
PROMISES_S = 90.0
"""They are looked at once a minute."""


class Prometheus:
    """A running server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **params: str) -> Any:
        answer = self._client.get(f"/api/v1/{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def values(self, expression: str) -> list[float]:
        """One number for each series; those that are none are left out."""
        found = [float(one["value"][1]) for one in self.get("query", query=expression)["result"]]
        return [value for value in found if math.isfinite(value)]

    def wait_for_a_look(self) -> None:
        """Until the service was asked once more."""
        now = time.time()
        Records.wait_until(lambda: self.values("min(timestamp(up))") > [now], timeout_s=SCRAPED_S)

    def answers(self) -> bool:
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def prometheus(service: str, folder: Path) -> Iterator[Prometheus]:
    """With the deployment's own rules and configuration, but for where the service is and how often it is asked."""
    program = shutil.which("prometheus")
    if program is None:
        if os.environ.get("CV_REQUIRE_PROMETHEUS"):
            pytest.fail("no Prometheus (Debian: prometheus)")
        pytest.skip("no Prometheus (Debian: prometheus)")
    configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(DEPLOY / "prometheus" / name) for name in configuration["rule_files"]]
    [job] = configuration["scrape_configs"]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [service]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [program, "--config.file", str(folder / "prometheus.yml"), "--storage.tsdb.path", str(folder / "tsdb")]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, "--web.listen-address", address], stdout=log, stderr=subprocess.STDOUT)
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
            server = Prometheus(client)
            Records.wait_until(server.answers, timeout_s=SCRAPED_S)
            yield server
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def scraped(start_service: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("dashboard")
    changes = {"MINIO_BUCKET": f"dashboard-{uuid.uuid4().hex[:12]}", "OCR_ENABLED": True}
    changes |= {"INFERENCE_DEADLINE_S": 120.0, "CAMERA_ALLOW_FILES": True, "CAMERAS_PER_REPLICA": 4}
    with (
        start_service(**changes, CV_DATA_DIR=folder) as service,
        prometheus(urlsplit(str(service.client.base_url)).netloc, folder) as server,
    ):
        Records.wait_until(lambda: server.values("up") == [1.0], timeout_s=SCRAPED_S)
        service.client.timeout = httpx.Timeout(120)
        tour = Tour(service.client, lambda _: None, folder / "demo")
        tour.walk()
        server.wait_for_a_look()
        for again in (tour.check_in, tour.search, tour.read_papers):  # an increase needs a look before it
            again()
        server.wait_for_a_look()
        yield server


def promises(server: Prometheus) -> set[str]:
    """Those that something was measured of."""
    return {one["metric"]["slo"] for one in server.get("query", query="cv:slo_bad:ratio_1h")["result"]}


def expressions() -> list[tuple[str, str]]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "cv-service.json").read_text(encoding="utf-8"))
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", WINDOW))
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]


def test_every_panel_shows_something(scraped: Prometheus) -> None:
    Records.wait_until(lambda: promises(scraped) == PROMISES, timeout_s=PROMISES_S)
    shown = {(title, expression): scraped.values(expression) for title, expression in expressions()}
    assert len(shown) > 35
    # Metrics are the process's: another test of it may have had a broker.
    assert {expression for (_, expression), values in shown.items() if not values} <= {NO_BROKER}


def test_what_was_done_once_is_an_increase(scraped: Prometheus) -> None:
    """Series begin at 0, before their first incident."""
    for incident in (
        'cv_image_index_total{status="success"}',
        'cv_face_recognition_total{status="success"}',
        'cv_face_enrolment_total{status="success"}',
        'cv_ocr_total{type="invoice"}',
    ):
        assert scraped.values(f"sum(increase({incident}[{WINDOW}]))") > [0.0], incident
    for never in (
        'cv_http_requests_total{route="/api/v1/cv/face/recognize", status="503"}',
        'cv_anomaly_detections_total{type="fire", alerted="true"}',
    ):
        assert scraped.values(f"sum(increase({never}[{WINDOW}]))") == [0.0], never


def test_every_rule_can_be_evaluated(scraped: Prometheus) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in scraped.get("rules")["groups"] for rule in group["rules"]]

    Records.wait_until(lambda: promises(scraped) == PROMISES, timeout_s=PROMISES_S)
    assert not [rule["name"] for rule in rules() if rule["health"] == "unknown"]
    assert len(rules()) > 40
    assert {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"} == {}
