"""reindex.py on faces, run as a command over real backends: what becomes of people when the face model changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.services.vectors.base import face_collection
from tests.integration.conftest import Service, Start
from tests.integration.live import serving
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, portrait

KEPT, UNKEPT = "EMP001", "EMP002"
OLD_MODEL = "faceplugin-feature-0.0.1"  # of the compact pack before SFace
MOVE = ("scripts/reindex.py", "--collection", "face_embeddings")


@pytest.fixture
def service(start_service: Start) -> Iterator[Service]:
    """Two people of another model: of one a crop was kept."""
    with start_service(FACE_KEEP_CROPS=True) as service:
        assert enroll(service.client, KEPT, base64_jpeg(astronaut())).status_code == 200
        assert enroll(service.client, UNKEPT, base64_jpeg(portrait(0))).status_code == 200
        service.records.rows("UPDATE face_templates SET crop_key = NULL WHERE employee_id = $1", UNKEPT)
        service.records.rows("UPDATE face_templates SET model_id = 'of-yesterday'")
        yield service


def known_as(service: Service, image: str) -> str | None:
    answer = recognize(service.client, image, camera_id="gate").json()
    return str(answer["employee_id"]) if answer["success"] else None


def test_kept_crops_are_embedded_anew_and_everybody_else_is_listed(service: Service) -> None:
    [before] = service.records.rows("SELECT vector_id FROM face_templates WHERE employee_id = $1", KEPT)
    answer = service.records.run(*MOVE)
    assert answer.returncode == 1
    assert "1 templates count, 1 of them embedded again" in answer.stdout
    assert f"enrol {UNKEPT} again" in answer.stderr
    assert KEPT not in answer.stderr
    [active] = service.records.rows("SELECT employee_id, vector_id FROM employee_faces WHERE is_active")
    assert active["employee_id"] == KEPT
    assert active["vector_id"] != before["vector_id"]
    assert known_as(service, base64_jpeg(astronaut())) == KEPT
    assert known_as(service, base64_jpeg(portrait(0))) is None
    assert [
        row["subject"] for row in service.records.rows("SELECT subject FROM audit_log WHERE action = 'face.migrate'")
    ]


def test_a_second_run_changes_nothing(service: Service) -> None:
    service.records.run(*MOVE)
    before = service.records.rows("SELECT vector_id, is_active FROM employee_faces ORDER BY id")
    again = service.records.run(*MOVE)
    assert "1 templates count, 0 of them embedded again" in again.stdout
    assert service.records.rows("SELECT vector_id, is_active FROM employee_faces ORDER BY id") == before
    [active] = [row["vector_id"] for row in before if row["is_active"]]
    assert service.records.vectors().count(active) == 1


def test_whoever_is_enrolled_again_is_listed_no_more(service: Service) -> None:
    service.records.run(*MOVE)
    assert enroll(service.client, UNKEPT, base64_jpeg(portrait(0))).status_code == 200
    assert service.records.run(*MOVE).returncode == 0
    assert known_as(service, base64_jpeg(portrait(0))) == UNKEPT


def test_the_way_back_brings_everybody_back(service: Service) -> None:
    service.records.run(*MOVE)
    # As the old pack sees it: what was made today is of another model, and yesterday's templates are its own.
    [row] = service.records.rows("SELECT model_id FROM face_templates WHERE model_id <> 'of-yesterday'")
    service.records.rows("UPDATE face_templates SET model_id = 'of-today' WHERE model_id = $1", row["model_id"])
    service.records.rows("UPDATE face_templates SET model_id = $1 WHERE model_id = 'of-yesterday'", row["model_id"])
    back = service.records.run(*MOVE)
    assert back.returncode == 0, back.stderr
    assert "2 templates count, 0 of them embedded again" in back.stdout
    assert known_as(service, base64_jpeg(astronaut())) == KEPT
    assert known_as(service, base64_jpeg(portrait(0))) == UNKEPT


def test_erasing_takes_the_templates_of_every_model(service: Service) -> None:
    service.records.run(*MOVE)
    assert service.client.delete(f"/api/v1/cv/face/{KEPT}").status_code == 200
    assert service.client.delete(f"/api/v1/cv/face/{UNKEPT}").status_code == 200
    assert service.records.count("face_templates") == 0
    service.records.wait_until(lambda: service.records.count("pending_removals") == 0)
    assert service.records.vectors() == []


def test_an_installation_of_the_pack_before_starts_again_after_the_move(start_service: Start) -> None:
    with start_service(FACE_KEEP_CROPS=True) as service:
        assert enroll(service.client, KEPT, base64_jpeg(astronaut())).status_code == 200
        assert enroll(service.client, UNKEPT, base64_jpeg(portrait(0))).status_code == 200
        records = service.records
        records.rows("UPDATE face_templates SET crop_key = NULL WHERE employee_id = $1", UNKEPT)
        records.rows("UPDATE face_templates SET model_id = $1", OLD_MODEL)
        records.serve_face_collection(records.make_collection(face_collection(OLD_MODEL, 512)))
        refused = records.reconcile()
        assert refused.returncode != 0
        assert "cv reindex --collection face_embeddings" in refused.stderr
        moved = records.run(*MOVE)
        assert "1 templates count, 1 of them embedded" in moved.stdout
        assert f"enrol {UNKEPT} again" in moved.stderr
    with serving(service.settings) as client:
        again = Service(client, records, service.settings)
        assert known_as(again, base64_jpeg(astronaut())) == KEPT
        assert known_as(again, base64_jpeg(portrait(0))) is None
