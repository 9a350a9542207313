"""What reaches the log: ids yes, secrets no."""

from __future__ import annotations

import json
import logging
import logging.config
from pathlib import Path

import pytest
import uvicorn

from app.utils.logging import logger, request_id_var, setup_logging

SECRET = "planted-secret-9317"


@pytest.fixture(autouse=True)
def _restored() -> object:
    yield
    logger.remove()
    logging.getLogger().handlers.clear()


def written(directory: Path) -> str:
    logger.complete()
    logger.remove()
    [file] = directory.glob("cv_service_*.log")
    return file.read_text(encoding="utf-8")


def fail_with_secret(password: str) -> None:
    local_copy = password + "!"
    raise RuntimeError(f"connection refused after {len(local_copy)} characters")


def test_a_secret_in_a_local_variable_stays_out_of_the_traceback(tmp_path: Path) -> None:
    setup_logging(directory=tmp_path)
    try:
        fail_with_secret(SECRET)
    except RuntimeError as error:
        logger.opt(exception=error).error("it_failed")
    text = written(tmp_path)
    assert "connection refused" in text
    assert "fail_with_secret" in text
    assert SECRET not in text


def test_every_line_carries_the_request_id_and_the_fields(tmp_path: Path) -> None:
    setup_logging(directory=tmp_path)
    token = request_id_var.set("req-77")
    logger.info("faces_detected", count=3)
    request_id_var.reset(token)
    line = written(tmp_path).strip()
    assert "req-77" in line
    assert line.endswith("faces_detected count=3")


def test_json_lines_parse(tmp_path: Path) -> None:
    setup_logging(directory=tmp_path, json=True)
    logger.info("faces_detected", count=3, level="high", folder=tmp_path)
    record = json.loads(written(tmp_path))
    assert record.pop("time").endswith("Z")
    assert record == {
        "level": "info",
        "logger": __name__,
        "message": "faces_detected",
        "request_id": "-",
        "count": 3,
        "level_": "high",
        "folder": str(tmp_path),
    }


def test_json_tells_a_traceback_without_the_values_in_it(tmp_path: Path) -> None:
    setup_logging(directory=tmp_path, json=True)
    try:
        fail_with_secret(SECRET)
    except RuntimeError as error:
        logger.opt(exception=error).error("it_failed")
    [line] = written(tmp_path).splitlines()
    assert "fail_with_secret" in json.loads(line)["exception"]
    assert SECRET not in line


def test_lines_of_libraries_arrive(tmp_path: Path) -> None:
    setup_logging(directory=tmp_path)
    logging.getLogger("some.library").warning("careful with %s", "{braces}")
    logging.getLogger("some.library").info("loading some more")
    text = written(tmp_path)
    assert "careful with {braces}" in text
    assert "loading some more" not in text


def test_the_servers_own_lines_are_like_all_others(tmp_path: Path) -> None:
    logging.config.dictConfig(uvicorn.config.LOGGING_CONFIG)  # as uvicorn does before it asks for the application
    setup_logging(directory=tmp_path, json=True)
    logging.getLogger("uvicorn.error").info("Application startup complete.")
    assert json.loads(written(tmp_path))["message"] == "Application startup complete."
