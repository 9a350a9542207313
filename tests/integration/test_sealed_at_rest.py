"""Templates, papers and their pictures on the disks of the backends: what stands there, and who can open it."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from collections.abc import Iterator, Sequence

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.composition.backends import open_storage, open_vault
from app.composition.root import open_resources
from app.config import Settings
from app.core.ocr.issuers.base import DocumentType
from app.errors import ConfigurationError
from app.services.database import Database
from app.services.sealed_storage import SealedStorage
from app.services.stores import document_store
from app.services.vault import MasterKeys, SealedUnreadable, SealPlace, Vault, is_sealed, new_key, version_of
from app.services.vectors.base import face_collection
from scripts.local.stack import LocalStack, open_stack
from tests.backends import folder_for_servers
from tests.integration.conftest import BASE_SETTINGS
from tests.integration.live import migrate, serving
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, portrait, varied

EMPLOYEE, OTHER = "EMP001", "EMP002"
ID_NUMBER, NAME, PICTURE_KEY = "079204001234", "TRẦN THỊ BÍCH", "ocr/paper.jpg"
PICTURE = b"\xff\xd8\xff\xe0" + os.urandom(4000)
OLD_CAMERA_KEY = bytes(range(32))
OLD_FINGERPRINT = bytes.fromhex("00229dde")


class Installation:
    """The service over backends of its own, whose files a test may read."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack
        self.keys_file = stack.layout.master_keys_file
        data_dir = stack.layout.data_dir / "service"
        data_dir.mkdir()
        (data_dir / "camera.key").write_text(base64.b64encode(OLD_CAMERA_KEY).decode())
        given = {**stack.settings(), **BASE_SETTINGS, "CV_DATA_DIR": data_dir, "FACE_KEEP_CROPS": True}
        self.settings = Settings(**given)
        migrate(self.settings.DATABASE_URL.get_secret_value())
        self.records = Records(self.settings)

    @property
    def vault(self) -> Vault:
        return Vault(MasterKeys(file=self.keys_file))

    def rotate(self, *arguments: str) -> str:
        """Run scripts/rotate_key.py; what it said."""
        done = self.records.run("scripts/rotate_key.py", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def template(self) -> tuple[str, bytes, int | None]:
        """The first template as its row has it: id, bytes, key version."""
        [row, *_] = self.records.rows("SELECT vector_id, vector, key_version FROM face_templates ORDER BY number")
        return row["vector_id"], row["vector"], row["key_version"]

    def opened_template(self) -> bytes:
        vector_id, sealed, _ = self.template()
        return self.vault.open(sealed, template_place(vector_id))

    def store_paper(self) -> None:
        """What reading an identity paper stores, its picture included."""

        async def store() -> None:
            url = self.settings.DATABASE_URL.get_secret_value()
            database = Database(url, max_size=2, timeout_s=5, vault=open_vault(self.settings))
            await database.open()
            storage = open_storage(self.settings)
            try:
                await SealedStorage(storage, database).put(PICTURE_KEY, PICTURE)
                async with database.transaction() as connection:
                    await document_store.insert_result(
                        connection,
                        document_type=DocumentType.ID_CARD,
                        data={"id_number": ID_NUMBER, "full_name": NAME},
                        confidence=0.9,
                        raw_text=f"Số / No.: {ID_NUMBER}\nHọ và tên: {NAME}",
                        processed_by=None,
                        object_key=PICTURE_KEY,
                    )
            finally:
                await storage.close()
                await database.close()

        asyncio.run(store())

    def object(self, key: str) -> bytes:
        """An object's bytes as the store has them."""

        async def get() -> bytes:
            storage = open_storage(self.settings)
            try:
                return await storage.get(key)
            finally:
                await storage.close()

        return asyncio.run(get())

    def put_object(self, key: str, data: bytes) -> None:
        async def put() -> None:
            storage = open_storage(self.settings)
            try:
                await storage.put(key, data, content_type="image/jpeg")
            finally:
                await storage.close()

        asyncio.run(put())

    def files_with(self, needles: Sequence[bytes], *, with_log: bool = True) -> set[str]:
        """The files that hold one of these once everything has come to the disks: PostgreSQL's, Milvus's and objects'.

        Args:
            with_log: also look into PostgreSQL's write-ahead log, which keeps what was for a while.
        """
        servers = [self._stack.services[name] for name in ("postgres", "milvus", "objects")]
        for server in servers:
            server.stop()
        found = set()
        for path in self._stack.layout.data_dir.rglob("*"):
            if path.is_file() and path != self.keys_file and (with_log or "pg_wal" not in path.parts):
                content = path.read_bytes()
                if any(needle in content for needle in needles):
                    found.add(str(path.relative_to(self._stack.layout.data_dir)))
        for server in servers:
            server.start()
        return found

    def as_before_there_were_keys(self) -> None:
        """Plain rows, plain objects, and an index that is not turned."""
        records, vault = self.records, self.vault
        rows = records.rows("SELECT vector_id, employee_id, model_id, vector, crop_key FROM face_templates")
        spec = face_collection(rows[0]["model_id"], 512)
        collection = records.make_collection(spec)
        for row in rows:
            plain = vault.open(row["vector"], template_place(row["vector_id"]))
            records.rows(
                "UPDATE face_templates SET vector = $2, key_version = NULL WHERE vector_id = $1",
                row["vector_id"],
                plain,
            )
            records.insert_plain_vector(collection, row["vector_id"], row["employee_id"], plain)
        for key in [*(row["crop_key"] for row in rows), PICTURE_KEY]:
            self.put_object(key, vault.open(self.object(key), SealPlace("objects", "data", key)))
        records.rows(
            "UPDATE ocr_results SET extracted_data = $1, raw_text = $2",
            {"id_number": ID_NUMBER, "full_name": NAME},
            f"Số / No.: {ID_NUMBER}\nHọ và tên: {NAME}",
        )
        records.rows("UPDATE ocr_result_records SET key_version = NULL")
        nonce = os.urandom(12)
        login = b'["viewer", "secret", ""]'
        records.rows(
            "INSERT INTO cameras (id, kind, url, secret, tasks, frames_per_second, rules, enabled) "
            "VALUES ('cam_1', 'http', 'http://127.0.0.1:1/', $1, '{}', 1, '{}', FALSE)",
            OLD_FINGERPRINT + nonce + AESGCM(OLD_CAMERA_KEY).encrypt(nonce, login, b"cam_1"),
        )
        old = records.face_collection()
        records.serve_face_collection(collection)
        records.drop_collection(old)
        records.rows("TRUNCATE face_index_turns, key_versions")


def template_place(vector_id: str) -> SealPlace:
    return SealPlace("face_templates", "vector", vector_id)


def needles(template: bytes) -> list[bytes]:
    """Of everything that nobody may find. Not whole: PostgreSQL cuts long values, and Milvus may too."""
    return [template[:200], ID_NUMBER.encode(), NAME.encode(), PICTURE[1000:1100]]


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with (
        folder_for_servers() as folder,
        open_stack(folder, announce=lambda _line: None, stop_requested=threading.Event()) as stack,
    ):
        yield Installation(stack)


@pytest.fixture(scope="module")
def service(installation: Installation) -> Iterator[httpx.Client]:
    with serving(installation.settings) as client:
        yield client


@pytest.fixture
def stored(installation: Installation, service: httpx.Client) -> Installation:
    """An installation with two people, and a paper with its picture."""
    installation.records.clear()
    installation.records.rows("TRUNCATE ocr_results, ocr_result_records, usual_places, cameras")
    assert enroll(service, EMPLOYEE, base64_jpeg(astronaut())).status_code == 200
    assert enroll(service, OTHER, base64_jpeg(portrait(0))).status_code == 200
    installation.store_paper()
    return installation


def knows_both(client: httpx.Client) -> bool:
    answers = [recognize(client, base64_jpeg(varied(photo))).json() for photo in (astronaut(), portrait(0))]
    return [answer.get("employee_id") for answer in answers] == [EMPLOYEE, OTHER]


def paper(client: httpx.Client, installation: Installation) -> dict[str, object]:
    [row] = installation.records.rows("SELECT id FROM ocr_results")
    found: dict[str, object] = client.get(f"/api/v1/cv/ocr/results/{row['id']}").json()["extracted_data"]
    return found


def test_no_disk_holds_a_template_or_a_paper_in_the_clear(stored: Installation, service: httpx.Client) -> None:
    vector_id, sealed, version = stored.template()
    assert is_sealed(sealed)
    assert version == version_of(sealed)
    crop = stored.vault.open(
        stored.object(f"faces/{vector_id}.jpg"), SealPlace("objects", "data", f"faces/{vector_id}.jpg")
    )
    found = stored.files_with([*needles(stored.opened_template()), crop[300:400]])
    assert found == set()
    # That the search would find it: the sealed bytes are there.
    assert any("postgres" in name for name in stored.files_with([sealed[40:200]]))
    stored.records.wait_until(lambda: knows_both(service))
    assert paper(service, stored) == {"id_number": ID_NUMBER, "full_name": NAME}


def test_what_was_written_before_there_were_keys_is_read_and_then_sealed(
    stored: Installation, service: httpx.Client
) -> None:
    plain = stored.opened_template()
    stored.as_before_there_were_keys()
    before = stored.files_with(needles(plain))
    assert {name.partition("/")[0] for name in before} >= {"postgres", "milvus", "objects"}
    stored.records.wait_until(lambda: knows_both(service))
    assert paper(service, stored)["id_number"] == ID_NUMBER
    said = stored.rotate()
    assert "templates: 2 sealed" in said
    assert "documents: 1 sealed" in said
    assert "secrets of cameras and webhooks: 1 sealed" in said
    assert "pictures: 3 sealed" in said
    assert "face index: 2 vectors turned" in said
    assert knows_both(service)
    assert paper(service, stored)["id_number"] == ID_NUMBER
    assert stored.opened_template() == plain
    assert stored.files_with(needles(plain), with_log=False) == set()
    again = stored.rotate()
    assert "templates: 0 sealed" in again
    assert "face index: 0 vectors" in again


def test_a_rotation_goes_on_beside_the_service_and_ends_the_old_key(
    stored: Installation, service: httpx.Client
) -> None:
    plain, (vector_id, copied, version) = stored.opened_template(), stored.template()
    old_picture, old_vault = stored.object(PICTURE_KEY), stored.vault
    old_fingerprint = old_vault.fingerprint(version or 0)
    stored.rotate("--add-key")
    assert stored.template()[2] == (version or 0) + 1
    assert stored.opened_template() == plain
    assert knows_both(service)
    assert paper(service, stored)["id_number"] == ID_NUMBER
    # Somebody new is sealed with the new key by the service that was started with the old one.
    assert enroll(service, "EMP003", base64_jpeg(portrait(1))).status_code == 200
    assert stored.records.count("face_templates", f"key_version = {(version or 0) + 1}") == 3
    assert len(stored.records.vectors()) == 3
    said = stored.rotate("--retire-old")
    assert f"key {version} (fingerprint {old_fingerprint.hex()}) is retired: backups from before" in said
    assert stored.vault.keys.versions == ((version or 0) + 1,)
    with pytest.raises(SealedUnreadable):
        stored.vault.open(copied, template_place(vector_id))
    with pytest.raises(SealedUnreadable):
        stored.vault.open(old_picture, SealPlace("objects", "data", PICTURE_KEY))
    assert old_vault.open(copied, template_place(vector_id)) == plain
    assert knows_both(service)


def test_an_old_key_that_something_needs_is_not_given_up(stored: Installation) -> None:
    stored.rotate("--add-key")
    vector_id, _, version = stored.template()
    stored.records.rows("UPDATE face_templates SET key_version = 0 WHERE vector_id = $1", vector_id)
    refused = stored.records.run("scripts/rotate_key.py", "--retire-old")
    assert refused.returncode == 2
    assert "1 templates" in refused.stderr
    assert (version or 0) - 1 in stored.vault.keys.versions
    stored.records.rows("UPDATE face_templates SET key_version = $1", version)
    stored.rotate("--retire-old")


def test_a_wrong_or_missing_key_stops_the_start_and_is_named(stored: Installation) -> None:
    version = stored.template()[2]
    fingerprint = stored.vault.fingerprint(version or 0).hex()
    for keys, code in ((f"{version}:{new_key()}", "master_key_wrong"), (f"999:{new_key()}", "master_key_missing")):
        changed = {"_env_file": None, "CV_MASTER_KEY": keys, "CV_MASTER_KEY_FILE": None}
        settings = Settings(**{**stored.settings.model_dump(), **changed})
        with pytest.raises(ConfigurationError, match=fingerprint) as refused:
            asyncio.run(_open(settings))
        assert refused.value.code == code
        assert "CV_MASTER_KEY_FILE" in refused.value.message


async def _open(settings: Settings) -> None:
    async with open_resources(settings):
        raise AssertionError("it started")
