"""cv doctor over real servers: nothing to tell of a service that is well, and each fault under its own name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.config import Settings
from app.services.vault import new_key
from scripts.local.ports import choose_free_port
from tests.backends import RunningBackends
from tests.integration.records import Records


def examined(settings: Settings, **changes: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit status, and what is not well with the settings changed so."""
    done = Records(settings.model_copy(update=changes)).run("-m", "app.cli", "doctor", "--json")
    findings = json.loads(done.stdout)["findings"]
    return done.returncode, [finding for finding in findings if finding["state"] == "wrong"]


@pytest.fixture
def ours(settings: Settings, records: Records) -> Settings:
    """Those of a service with its collections."""
    assert records.run("scripts/init_vector_db.py").returncode == 0
    return settings


def test_a_service_that_is_well_has_nothing_wrong(ours: Settings) -> None:
    assert examined(ours) == (0, [])


def test_servers_that_are_down_are_named_with_their_settings(ours: Settings) -> None:
    nowhere = f"127.0.0.1:{choose_free_port()}"
    status, found = examined(
        ours,
        DATABASE_URL=SecretStr(f"postgresql://u:p@{nowhere}/x"),
        MILVUS_URI=f"http://{nowhere}",
        REDIS_URL=SecretStr(f"redis://{nowhere}/0"),
        MINIO_ENDPOINT=nowhere,
        RABBITMQ_URL=SecretStr(f"amqp://{nowhere}/"),
        MQTT_URL=SecretStr(f"mqtt://{nowhere}"),
    )
    assert status == 1
    assert {one["check"] for one in found} == {"backends"}
    named = {
        "database": "DATABASE_URL",
        "vector_db": "MILVUS_URI",
        "redis": "REDIS_URL",
        "storage": "MINIO",
        "message_queue": "RABBITMQ_URL",
        "mqtt": "MQTT_URL",
    }
    assert [one["found"].split()[0] for one in found] == list(named)
    for one, name in zip(found, named.values(), strict=True):
        assert name in one["advice"]


def test_a_file_that_a_setting_names_and_nobody_can_read_is_told(ours: Settings, tmp_path: Path) -> None:
    status, found = examined(ours, MQTT_URL=SecretStr("mqtts://127.0.0.1"), MQTT_CA_FILE=tmp_path / "gone.pem")
    assert status == 1
    assert ["MQTT_CA_FILE" in one["found"] for one in found] == [True]


@pytest.mark.any_server  # PostgreSQL alone decides
def test_a_database_without_tables_is_told_with_the_command(ours: Settings, backends: RunningBackends) -> None:
    status, found = examined(ours, DATABASE_URL=SecretStr(backends.new_database()))
    assert status == 1
    assert [(one["check"], one["advice"]) for one in found] == [("migrations", "cv migrate")]


@pytest.mark.any_server  # PostgreSQL alone decides
def test_other_master_keys_than_those_of_the_data_are_told(ours: Settings, records: Records) -> None:
    records.rows("DELETE FROM key_versions")
    fingerprint = "'\\x0011223344556677'"
    records.rows(f"INSERT INTO key_versions (version, fingerprint, seals) VALUES (1, {fingerprint}, TRUE)")  # noqa: S608  # a constant
    try:
        status, found = examined(ours, CV_MASTER_KEY=SecretStr(f"1:{new_key()}"), CV_MASTER_KEY_FILE=None)
    finally:
        records.rows("DELETE FROM key_versions")
    assert status == 1
    assert [one["check"] for one in found] == ["master keys"]


def test_credentials_that_the_object_store_refuses_are_told(ours: Settings) -> None:
    status, found = examined(ours, MINIO_SECRET_KEY=SecretStr("another"))
    assert status == 1
    assert "storage" in {one["found"].split()[0] for one in found}
    assert {one["check"] for one in found} <= {"backends", "object store"}
