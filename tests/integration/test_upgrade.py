"""cv upgrade on the data of an earlier version: tables, another face model, plain rows, an index of before."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest
from pydantic import SecretStr

from app.composition.backends import open_storage
from app.config import Settings
from app.services.vault import MasterKeys, SealPlace, Vault
from app.services.vectors.base import face_collection
from tests.integration.conftest import Service, Start
from tests.integration.live import migrate, serving
from tests.integration.test_api_face import enroll, recognize
from tests.integration.test_api_image import found, indexed
from tests.integration.test_restore import cv
from tests.photos import astronaut, base64_jpeg, coffee, portrait

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

KEPT, UNKEPT = "EMP001", "EMP002"
OLD_MODEL = "faceplugin-feature-0.0.1"  # of the compact pack before SFace


async def remove_object(settings: Settings, key: str) -> None:
    storage = open_storage(settings)
    await storage.delete(key)
    await storage.close()


def make_old(service: Service) -> None:
    """As the version before left it: templates plain and of another model, one of them without a crop."""
    records = service.records
    vault = Vault(MasterKeys(file=service.settings.CV_MASTER_KEY_FILE))
    for row in records.rows("SELECT vector_id, vector FROM face_templates"):
        plain = vault.open(row["vector"], SealPlace("face_templates", "vector", row["vector_id"]))
        records.rows(
            "UPDATE face_templates SET vector = $2, key_version = NULL, model_id = $3 WHERE vector_id = $1",
            row["vector_id"],
            plain,
            OLD_MODEL,
        )
    [row] = records.rows("SELECT crop_key FROM face_templates WHERE employee_id = $1", UNKEPT)
    asyncio.run(remove_object(service.settings, row["crop_key"]))
    records.rows("UPDATE face_templates SET crop_key = NULL WHERE employee_id = $1", UNKEPT)
    todays = records.face_collection()
    records.serve_face_collection(records.make_collection(face_collection(OLD_MODEL, 512)))
    records.drop_collection(todays)
    records.rows("TRUNCATE face_index_turns, key_versions")
    migrate(service.settings.DATABASE_URL.get_secret_value(), "-1")


def test_old_data_come_to_this_version_by_one_command_that_may_be_repeated(start_service: Start) -> None:
    with start_service(FACE_KEEP_CROPS=True, MINIO_BUCKET=f"upgrade-{uuid.uuid4().hex[:12]}") as service:
        assert enroll(service.client, KEPT, base64_jpeg(astronaut())).status_code == 200
        assert enroll(service.client, UNKEPT, base64_jpeg(portrait(0))).status_code == 200
        picture = indexed(service.client, coffee())
        service.records.rows("UPDATE face_templates SET created_at = NOW() - INTERVAL '1 hour'")
        refused = cv(service.settings, "upgrade", "--json")
        assert json.loads(refused.stdout)["error"]["code"] == "service_running"
    settings, records = service.settings, service.records
    make_old(service)

    planned = cv(settings, "upgrade", "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    needed = json.loads(planned.stdout)["steps"]
    assert needed["pictures"] == ""
    assert "is needed" in needed["tables"]
    assert needed["people"].startswith("2 have templates of another model")
    assert needed["encryption"].startswith("not sealed with the newest key: 2 templates")
    assert {row["model_id"] for row in records.rows("SELECT model_id FROM face_templates")} == {OLD_MODEL}

    done = cv(settings, "upgrade", "--json")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["left"] == [f"enrol {UNKEPT} again (Name of {UNKEPT})"], done.stdout + done.stderr
    assert {"tables", "people", "encryption"} <= set(told["taken"])
    again = cv(settings, "upgrade", "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, {"taken": [], "left": []})
    with serving(settings) as client:
        assert recognize(client, base64_jpeg(astronaut())).json()["employee_id"] == KEPT
        assert found(client, top_k=10) == [picture]


def test_without_its_master_key_nothing_is_begun(start_service: Start) -> None:
    with start_service() as service:
        settings = service.settings
    given = settings.model_copy(update={"CV_MASTER_KEY_FILE": None, "CV_MASTER_KEY": SecretStr("")})
    refused = cv(given, "upgrade", "--json")
    assert refused.returncode == 2
    assert "master key" in json.loads(refused.stdout)["error"]["message"]
