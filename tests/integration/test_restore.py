"""The restore order of docs/operations.md, and the limits of what reconciling may delete."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from minio import Minio
from minio.deleteobjects import DeleteObject
from pydantic import SecretStr

from app.cli.reconcile import may_remove
from app.config import Settings
from app.ml_models.heads import HEADS_DIR
from app.services.vault import new_key
from tests.backends import RunningBackends
from tests.integration.conftest import Service, Start
from tests.integration.live import migrate, serving
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.integration.test_api_image import found, indexed, tinted
from tests.integration.test_api_room import analyze
from tests.photos import astronaut, base64_jpeg, coffee, portrait

# Rows younger than a minute are left alone: their vectors and objects may just be on their way.
_AGED = {
    "face_templates": "created_at",
    "image_assets": "created_at",
    "image_metadata": "upload_time",
    "room_analysis_logs": "analyzed_at",
}


@pytest.fixture
def service(start_service: Start) -> Iterator[Service]:
    """A service with a bucket of its own, that keeps crops."""
    with start_service(MINIO_BUCKET=f"restore-{uuid.uuid4().hex[:12]}", FACE_KEEP_CROPS=True) as service:
        yield service


def fill(service: Service) -> list[str]:
    """Two people, two pictures and a room, all an hour old; the ids of the pictures."""
    assert enroll(service.client, "EMP001", base64_jpeg(astronaut())).status_code == 200
    assert enroll(service.client, "EMP002", base64_jpeg(portrait(0))).status_code == 200
    pictures = [indexed(service.client, image) for image in (coffee(), tinted(60))]
    assert analyze(service.client, "201").status_code == 200
    for table, column in _AGED.items():
        service.records.rows(f"UPDATE {table} SET {column} = NOW() - INTERVAL '1 hour'")  # noqa: S608  # constants
    return pictures


def lose_objects(service: Service) -> int:
    """Empty the bucket; how many objects it held."""
    settings = service.settings
    store = Minio(
        settings.MINIO_ENDPOINT,
        access_key=settings.MINIO_ACCESS_KEY.get_secret_value(),
        secret_key=settings.MINIO_SECRET_KEY.get_secret_value(),
        secure=settings.MINIO_SECURE,
    )
    keys = service.records.objects("")
    assert list(store.remove_objects(settings.MINIO_BUCKET, [DeleteObject(key) for key in keys])) == []
    return len(keys)


def events_of(settings: Settings) -> set[int]:
    return {row["id"] for row in Records(settings).rows("SELECT id FROM event_outbox")}


def lose_vectors(service: Service) -> None:
    for vector_id in service.records.vectors():
        service.records.delete_vector(vector_id)
    for vector_id in service.records.image_vectors():
        service.records.delete_image_vector(vector_id)


def test_the_documented_restore_brings_back_all_but_the_lost_objects(
    service: Service, backends: RunningBackends
) -> None:
    pictures = fill(service)
    dump = backends.postgres_tool("pg_dump", service.settings.DATABASE_URL.get_secret_value(), "--no-owner")
    objects = lose_objects(service)
    lose_vectors(service)

    restored_url = backends.new_database()
    backends.postgres_tool("psql", restored_url, "-q", "-v", "ON_ERROR_STOP=1", stdin=dump)
    restored = service.settings.model_copy(update={"DATABASE_URL": SecretStr(restored_url)})
    records = Records(restored)
    assert records.run("scripts/init_vector_db.py").returncode == 0
    mended = records.reconcile("--mend")

    assert mended.returncode == 1, "lost objects stay lost"
    assert mended.stdout.count("missing vectors: 2") == 2, mended.stdout + mended.stderr
    after = mended.stdout.partition("looking again")[2]
    assert after.count("missing vectors: 0") == 2
    assert f"lost: {objects} of {objects}" in after
    assert "lost face crops: 2: EMP001, EMP002" in after
    assert "lost pictures: 4" in after
    assert all(picture in after for picture in pictures)
    assert "lost room photos: 1: room 201" in after
    with serving(restored) as client:
        assert recognize(client, base64_jpeg(astronaut())).json()["employee_id"] == "EMP001"
        assert set(found(client, top_k=10)) == set(pictures)
        assert len(client.get("/api/v1/cv/room/201/history").json()["items"]) == 1


def cv(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return Records(settings).run("-m", "app.cli", *arguments)


@pytest.fixture
def filled(start_service: Start, tmp_path: Path) -> tuple[Settings, list[str]]:
    """The settings of a service that was filled and then stopped, and the ids of its pictures."""
    changes = {"MINIO_BUCKET": f"backup-{uuid.uuid4().hex[:12]}", "FACE_KEEP_CROPS": True, "CV_DATA_DIR": tmp_path}
    with start_service(**changes) as service:
        pictures = fill(service)
        (tmp_path / "heads").mkdir()
        shutil.copy(HEADS_DIR / "room_messy.json", tmp_path / "heads")
        archive = tmp_path / "hotel.tar"
        done = cv(service.settings, "backup", str(archive), "--keys-to", str(tmp_path / "hotel.keys"))
        assert done.returncode == 0, done.stderr
        assert archive.stat().st_mode & 0o077 == 0
        assert enroll(service.client, "EMP003", base64_jpeg(portrait(1))).status_code == 200, "after the backup"
        lose_objects(service)
        lose_vectors(service)
    return service.settings, pictures


class TestBackup:
    def test_brings_back_everything_in_an_empty_database(
        self, filled: tuple[Settings, list[str]], backends: RunningBackends, tmp_path: Path
    ) -> None:
        settings, pictures = filled
        shutil.rmtree(tmp_path / "heads")
        # The keys come from their own file.
        changes = {
            "DATABASE_URL": SecretStr(backends.new_database()),
            "CV_MASTER_KEY": SecretStr(""),
            "CV_MASTER_KEY_FILE": tmp_path / "hotel.keys",
        }
        restored = settings.model_copy(update=changes)
        done = cv(restored, "restore", str(tmp_path / "hotel.tar"), "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert told["objects"]["lost"] == []
        assert told["taught"] == ["heads/room_messy.json"]
        assert (tmp_path / "heads" / "room_messy.json").is_file()
        with serving(restored) as client:
            assert recognize(client, base64_jpeg(astronaut())).json()["employee_id"] == "EMP001"
            assert recognize(client, base64_jpeg(portrait(1))).json()["error"] == "face_not_found", "is of later"
            assert set(found(client, top_k=10)) == set(pictures)
            picture = client.get(f"/api/v1/cv/image/{pictures[0]}").json()["url"]
            assert httpx.get(picture).headers["content-type"] == "image/jpeg"
            assert len(client.get("/api/v1/cv/room/201/history").json()["items"]) == 1
            before = events_of(settings)
            assert enroll(client, "EMP009", base64_jpeg(portrait(2))).status_code == 200
            assert min(events_of(restored) - before) > max(events_of(restored) & before), "numbers go on"

    def test_takes_the_place_of_what_is_there_only_when_asked(
        self, filled: tuple[Settings, list[str]], tmp_path: Path
    ) -> None:
        settings, _ = filled
        refused = cv(settings, "restore", str(tmp_path / "hotel.tar"), "--json")
        assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (2, "not_empty")
        assert len(Records(settings).rows("SELECT FROM employees")) == 3
        done = cv(settings, "restore", str(tmp_path / "hotel.tar"), "--replace")
        assert done.returncode == 0, done.stdout + done.stderr
        people = {row["employee_id"] for row in Records(settings).rows("SELECT employee_id FROM employee_faces")}
        assert people == {"EMP001", "EMP002"}

    def test_is_refused_before_anything_changes(
        self, filled: tuple[Settings, list[str]], backends: RunningBackends, tmp_path: Path
    ) -> None:
        settings, _ = filled
        whole = tmp_path / "hotel.tar"
        empty = settings.model_copy(update={"DATABASE_URL": SecretStr(backends.new_database())})
        torn, changed = tmp_path / "torn.tar", tmp_path / "changed.tar"
        torn.write_bytes(whole.read_bytes()[:-20_000])
        changed.write_bytes(whole.read_bytes().replace(b"EMP001", b"EMP666"))
        other_key = empty.model_copy(update={"CV_MASTER_KEY": SecretStr(f"1:{new_key()}"), "CV_MASTER_KEY_FILE": None})
        no_archive = tmp_path / "hotel.keys"
        for given, archive, code in (
            (empty, torn, "backup_unreadable"),
            (empty, changed, "backup_unreadable"),
            (empty, no_archive, "backup_unreadable"),
            (other_key, whole, "master_key_wrong"),
        ):
            refused = cv(given, "restore", str(archive), "--json")
            assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (2, code)
        assert Records(empty).rows("SELECT FROM pg_class WHERE relname = 'employees'") == []
        with serving(settings):
            refused = cv(settings, "restore", str(whole), "--replace", "--json")
        assert json.loads(refused.stdout)["error"]["code"] == "service_running"


def test_a_backup_is_refused_without_the_key_that_it_names(
    service: Service, backends: RunningBackends, tmp_path: Path
) -> None:
    assert enroll(service.client, "EMP001", base64_jpeg(astronaut())).status_code == 200
    backup = tmp_path / "hotel.sql"
    backup.write_text(backends.postgres_tool("pg_dump", service.settings.DATABASE_URL.get_secret_value()))
    accepted = service.records.run("scripts/check_backup.py", str(backup))
    assert accepted.returncode == 0, accepted.stderr
    [known] = service.records.rows("SELECT version, fingerprint FROM key_versions")
    assert f"needs master keys {known['version']} ({known['fingerprint'].hex()})" in accepted.stdout
    changes = {"CV_MASTER_KEY": SecretStr(f"1:{new_key()}"), "CV_MASTER_KEY_FILE": None}
    refused = Records(service.settings.model_copy(update=changes)).run("scripts/check_backup.py", str(backup))
    assert refused.returncode == 2
    assert known["fingerprint"].hex() in refused.stderr


def test_against_an_empty_database_nothing_is_deleted_without_consent(
    service: Service, backends: RunningBackends
) -> None:
    for employee_id, face in (("EMP001", astronaut()), ("EMP002", portrait(0))):
        assert enroll(service.client, employee_id, base64_jpeg(face)).status_code == 200
    empty_url = backends.new_database()
    migrate(empty_url)
    empty = Records(service.settings.model_copy(update={"DATABASE_URL": SecretStr(empty_url)}))

    refused = empty.reconcile("--mend")
    assert refused.returncode == 1
    assert "NOT deleted: 4 of 4 stored things have no row" in refused.stdout, refused.stdout + refused.stderr
    assert empty.reconcile("--mend", "--yes-delete", "3").returncode == 1
    assert (len(service.records.vectors()), len(service.records.objects("faces/"))) == (2, 2)

    assert empty.reconcile("--mend", "--yes-delete", "4").returncode == 0
    assert (service.records.vectors(), service.records.objects("faces/")) == ([], [])


@pytest.mark.parametrize(
    ("surplus", "looked_at", "allowed", "may"),
    [(0, 0, 0, True), (1, 2, 0, False), (1, 20, 0, True), (100, 10_000, 0, True), (101, 10_000, 0, False),
     (101, 10_000, 101, True), (6, 100, 5, False)],
)  # fmt: skip
def test_a_few_orphans_are_a_crash_and_many_are_a_mistake(
    surplus: int, looked_at: int, allowed: int, may: bool
) -> None:
    assert may_remove(surplus, looked_at, allowed=allowed) is may
