"""cv doctor without servers: each thing that may be wrong with a machine is told, with what to do."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.cli import main as cli
from app.cli.checks import machine
from app.cli.checks.result import CheckResult, CheckState
from app.cli.checks.servers import clock, server_certificate, tls_endpoints
from app.cli.main import main
from app.config import WEIGHTS_DIR, Settings
from app.ml_models.heads import HEADS_DIR
from app.ml_models.manifest import load_pack
from app.ml_models.prototype_file import FILE_NAME
from app.services.vault import new_key
from scripts.local.ports import choose_free_port
from tests.einvoice_files import authority, certified
from tests.tls_front import tls_front

PACK = load_pack("compact")
MB = 1_000_000
OK, WARNING, WRONG = CheckState


def settings(folder: Path, **changes: Any) -> Settings:
    given = {"DATABASE_URL": "postgresql://u:p@db/x", "MINIO_ACCESS_KEY": "key", "MINIO_SECRET_KEY": "secret"}
    return Settings(**{"_env_file": None, **given, "CV_DATA_DIR": folder, "LOG_DIR": None, **changes})


def states(found: list[CheckResult]) -> list[CheckState]:
    return [one.state for one in found]


class TestSettings:
    @pytest.fixture(autouse=True)
    def _none_given(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in Settings.model_fields:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(cli, "found_settings", lambda _given: {})

    def test_wrong_ones_are_the_first_finding_and_the_exit_status(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("MAX_WORKERS", "many")
        assert main(["doctor", "--json"]) == 1
        told = json.loads(capsys.readouterr().out)
        assert told["findings"][0]["check"] == "settings"
        assert "MAX_WORKERS" in told["findings"][0]["found"]
        assert told["wrong"] == sum(finding["state"] == "wrong" for finding in told["findings"])

    def test_a_slip_of_the_pen_is_named_with_what_is_meant(self) -> None:
        [found] = machine.misspelt(["FACE_RECOGNITION_TRESHOLD", "MAX_WORKERS", "PATH", "CV_MEMORY"])
        assert found.state is WARNING
        assert "FACE_RECOGNITION_THRESHOLD" in found.advice

    def test_open_doors_are_warnings(self, tmp_path: Path) -> None:
        assert machine.open_doors(settings(tmp_path)) == []
        told = machine.open_doors(settings(tmp_path, DEBUG=True, AUTH_REQUIRED=False))
        assert states(told) == [WARNING] * 2

    def test_what_has_to_live_should_not_be_where_a_restart_deletes_it(self, tmp_path: Path) -> None:
        assert machine.lasting_places(settings(Path("/srv/cv"))) == []
        [found] = machine.lasting_places(settings(tmp_path))
        assert "CV_DATA_DIR" in found.found


def test_packages_that_are_not_as_locked_are_named(tmp_path: Path) -> None:
    assert machine.packages().state is OK
    listed = tmp_path / "requirements.txt"
    listed.write_text(
        "numpy==0.1 \\\n    --hash=sha256:00\nnot-there-at-all==1\nold-one==2 ; python_version < '3'\n",
        encoding="utf-8",
    )
    found = machine.packages(listed)
    assert found.state is WRONG
    assert "2 are not as locked: numpy" in found.found
    assert "not-there-at-all missing (locked: 1)" in found.found


@pytest.mark.parametrize(("free", "state"), [(50_000 * MB, OK), (1_999 * MB, WARNING), (100 * MB, WRONG)])
def test_little_room_is_told_before_there_is_none(free: int, state: CheckState) -> None:
    assert machine.room("data", free).state is state


def test_every_place_that_is_written_is_looked_at(tmp_path: Path) -> None:
    found = machine.disks(settings(tmp_path / "not" / "made" / "yet", LOG_DIR=tmp_path))
    assert [one.found.partition(" in ")[0] for one in found] == ["data", "temporary files", "logs"]


def test_missing_models_are_named_with_the_command_that_brings_them(tmp_path: Path) -> None:
    assert states(machine.models(settings(tmp_path, MODEL_WEIGHTS_DIR=WEIGHTS_DIR), PACK)) == [OK]
    found = machine.models(settings(tmp_path, MODEL_WEIGHTS_DIR=tmp_path), PACK)
    assert len(found) == len(PACK.models)
    assert {one.advice for one in found} == {"cv models install --pack compact"}


def test_what_the_hotel_taught_has_to_be_readable(tmp_path: Path) -> None:
    own = tmp_path / "heads"
    own.mkdir()
    shutil.copy(HEADS_DIR / "room_messy.json", own)
    assert states(machine.taught(settings(tmp_path), PACK)) == [OK]
    (own / "broken.json").write_text("{}", encoding="utf-8")
    (tmp_path / FILE_NAME).write_bytes(b"no archive")
    found = machine.taught(settings(tmp_path), PACK)
    assert [(one.check, one.state) for one in found] == [
        ("heads", WRONG),
        ("prototypes", WARNING),
    ]
    assert "broken.json" in found[0].advice


def test_master_keys_are_there_and_nobody_elses(tmp_path: Path) -> None:
    assert machine.master_keys(settings(tmp_path)).state is WRONG
    file = tmp_path / "master.keys"
    file.write_text(f"1:{new_key()}\n", encoding="ascii")
    file.chmod(0o600)
    assert machine.master_keys(settings(tmp_path, CV_MASTER_KEY_FILE=file)).state is OK
    file.chmod(0o604)
    found = machine.master_keys(settings(tmp_path, CV_MASTER_KEY_FILE=file))
    assert found.state is WARNING
    assert found.advice == f"chmod o= {file}"


class TestCertificates:
    def test_of_signers_are_readable_and_hold(self, tmp_path: Path) -> None:
        root = authority()
        given = settings(tmp_path, EINVOICE_TRUST_DIR=tmp_path)
        assert machine.signers(settings(tmp_path)) == []
        assert states(machine.signers(given)) == [WARNING]
        (tmp_path / "root.pem").write_bytes(root.pem)
        assert states(machine.signers(given)) == [OK]
        (tmp_path / "old.pem").write_bytes(certified(root, expired=True).pem)
        [found] = machine.signers(given)
        assert found.state is WRONG
        assert "ended" in found.found
        (tmp_path / "torn.pem").write_bytes(root.pem[:200])
        [found] = machine.signers(given)
        assert "torn.pem is no certificate" in found.found

    def test_of_servers_are_asked_for_where_tls_is_spoken(self, tmp_path: Path) -> None:
        assert tls_endpoints(settings(tmp_path)) == {}
        given = settings(
            tmp_path,
            REDIS_URL="rediss://cache/0",
            RABBITMQ_URL="amqps://u:p@broker/",
            MINIO_SECURE=True,
            MINIO_ENDPOINT="objects:9443",
            MILVUS_URI="https://milvus",
            MQTT_URL="mqtts://u:p@mosquitto",
        )
        assert tls_endpoints(given) == {
            "REDIS_URL": ("cache", 6379),
            "RABBITMQ_URL": ("broker", 5671),
            "MINIO_ENDPOINT": ("objects", 9443),
            "MILVUS_URI": ("milvus", 443),
            "MQTT_URL": ("mosquitto", 8883),
        }

    def test_of_a_server_that_nobody_vouches_for_is_wrong(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as plain, tls_front(plain.getsockname()[1], tmp_path) as front:
            [found] = asyncio.run(server_certificate("REDIS_URL", "127.0.0.1", front.port))
            [vouched] = asyncio.run(server_certificate("MQTT_URL", "127.0.0.1", front.port, ca_file=front.certificate))
        assert found.state is WRONG
        assert "self-signed" in found.found
        assert vouched.state is WARNING  # it ends tomorrow

    def test_where_nothing_listens_is_told(self) -> None:
        [found] = asyncio.run(server_certificate("REDIS_URL", "127.0.0.1", choose_free_port()))
        assert found.state is WRONG
        assert "no TLS" in found.found


@pytest.mark.parametrize(
    ("seconds", "state", "says"),
    [
        (0.0, OK, "ours"),
        (-30.0, WARNING, "30 s behind"),
        (600.0, WRONG, "600 s ahead"),
    ],
)
def test_clocks_that_differ_are_told(seconds: float, state: CheckState, says: str) -> None:
    found = clock("PostgreSQL", datetime.now(UTC) + timedelta(seconds=seconds))
    assert found.state is state
    assert says in found.found
