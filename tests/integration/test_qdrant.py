"""The whole service, its scripts included, with VECTOR_DB=qdrant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from qdrant_client import models

from tests.integration.conftest import Service, Start
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.integration.test_api_image import API, found, indexed
from tests.integration.vector_adapters import qdrant_client
from tests.photos import astronaut, base64_jpeg, coffee, group
from tests.qdrant_process import QdrantProcess

pytestmark = pytest.mark.any_server

FACES, IMAGES = "face_embeddings", "image_embeddings"


@pytest.fixture(scope="module")
def service(start_service: Start, qdrant: QdrantProcess) -> Iterator[Service]:
    with start_service(VECTOR_DB="qdrant", QDRANT_URL=qdrant.url, QDRANT_API_KEY=qdrant.api_key) as service:
        yield service


@pytest.fixture(autouse=True)
def clean(service: Service, qdrant: QdrantProcess) -> None:
    """Nobody and nothing, in good health."""
    service.records.clear()
    client = qdrant_client(qdrant)
    for name in (FACES, IMAGES):
        points, _ = client.scroll(name, limit=1000)
        if points:
            client.delete(name, [point.id for point in points])
    client.close()


def held(server: QdrantProcess, name: str) -> list[str]:
    """The ids of all vectors behind a public name."""
    client = qdrant_client(server)
    try:
        points, _ = client.scroll(name, limit=1000)
    finally:
        client.close()
    return sorted(point.payload["vector_id"] for point in points if point.payload)


def test_health_names_it_as_the_vector_database(service: Service) -> None:
    answer = service.client.get("/api/v1/cv/health").json()
    assert answer["checks"]["vector_db"]["status"] == "ok"


def test_somebody_is_enrolled_known_and_erased(service: Service, qdrant: QdrantProcess) -> None:
    answer = enroll(service.client, "EMP001", base64_jpeg(astronaut())).json()
    assert held(qdrant, FACES) == answer["vector_ids"]
    assert recognize(service.client, base64_jpeg(astronaut()), camera_id="gate").json()["employee_id"] == "EMP001"
    assert service.client.delete("/api/v1/cv/face/EMP001").status_code == 200
    Records.wait_until(lambda: held(qdrant, FACES) == [])
    assert recognize(service.client, base64_jpeg(astronaut()), camera_id="gate").json()["success"] is False


def test_a_face_is_enrolled_under_one_name_only(service: Service, qdrant: QdrantProcess) -> None:
    first = enroll(service.client, "EMP001", base64_jpeg(astronaut())).json()
    refused = enroll(service.client, "EMP002", base64_jpeg(astronaut()))
    assert refused.status_code == 409
    assert refused.json()["code"] == "duplicate_identity"
    Records.wait_until(lambda: held(qdrant, FACES) == first["vector_ids"])


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ({"tags": ["White"]}, True),
        ({"tags": ["white", "hot"]}, True),
        ({"tags": ["cold"]}, False),
        ({"location": "Floor 2"}, True),
        ({"location": "oor 2, lob"}, True),
        ({"location": "floor 3"}, False),
        ({"location": "floor 2", "tags": ["cold"]}, False),
        ({"item_type": "CUP"}, True),
        ({"status": "returned"}, False),
    ],
)
def test_searches_are_narrowed(service: Service, filters: dict[str, object], matches: bool) -> None:
    cup = indexed(
        service.client,
        coffee(),
        category="lost_found",
        item_type="Cup",
        tags=["white", "hot"],
        location="Floor 2, Lobby",
    )
    indexed(service.client, group(), category="lost_found")
    assert found(service.client, category="lost_found", filters=filters) == ([cup] if matches else [])


def test_a_changed_picture_is_found_by_its_new_words_alone(service: Service, qdrant: QdrantProcess) -> None:
    cup = indexed(service.client, coffee(), tags=["white"])
    [before] = held(qdrant, IMAGES)
    assert service.client.patch(f"{API}/{cup}", json={"tags": ["blue"]}).status_code == 200
    assert found(service.client, filters={"tags": ["blue"]}) == [cup]
    assert found(service.client, filters={"tags": ["white"]}) == []
    Records.wait_until(lambda: before not in held(qdrant, IMAGES))
    assert service.client.delete(f"{API}/{cup}").status_code == 200
    Records.wait_until(lambda: held(qdrant, IMAGES) == [])


def test_an_outage_is_answered_503_and_leaves_nothing_behind(service: Service, qdrant: QdrantProcess) -> None:
    with qdrant.without():
        assert enroll(service.client, "EMP001", base64_jpeg(astronaut())).status_code == 503
    assert service.records.count("employee_faces") == 0
    Records.wait_until(lambda: enroll(service.client, "EMP001", base64_jpeg(astronaut())).status_code == 200)
    assert recognize(service.client, base64_jpeg(astronaut()), camera_id="gate").json()["employee_id"] == "EMP001"


def test_reconcile_restores_what_qdrant_lost_and_removes_what_nobody_knows(
    service: Service, qdrant: QdrantProcess
) -> None:
    cup = indexed(service.client, coffee(), tags=["white"])
    [face] = enroll(service.client, "EMP001", base64_jpeg(astronaut())).json()["vector_ids"]
    [picture] = held(qdrant, IMAGES)
    for table in ("image_assets", "face_templates"):
        service.records.rows(f"UPDATE {table} SET created_at = NOW() - INTERVAL '1 hour'")  # noqa: S608  # constants
    client = qdrant_client(qdrant)
    for name in (FACES, IMAGES):
        points, _ = client.scroll(name, limit=10)
        client.delete(name, [point.id for point in points])
    nobody = {"vector_id": "vec_orphan", "employee_id": "EMP009", "enrolled_at": 0}
    client.upsert(FACES, [models.PointStruct(id=7, vector=[1.0] + [0.0] * 511, payload=nobody)])
    client.close()

    looked = service.records.reconcile()
    assert looked.returncode == 1
    assert f"missing vectors: 1: {face}" in looked.stdout
    assert f"missing vectors: 1: {picture}" in looked.stdout
    assert "orphan vectors: 1: vec_orphan" in looked.stdout
    service.records.reconcile("--mend", "--yes-delete", "100000")
    assert held(qdrant, FACES) == [face]
    assert held(qdrant, IMAGES) == [picture]
    assert found(service.client, filters={"tags": ["white"]}) == [cup]
    assert recognize(service.client, base64_jpeg(astronaut()), camera_id="gate").json()["employee_id"] == "EMP001"


def test_pictures_of_another_model_are_embedded_again(service: Service, qdrant: QdrantProcess) -> None:
    cup = indexed(service.client, coffee())
    before = held(qdrant, IMAGES)
    service.records.rows("UPDATE image_assets SET model_id = 'of-yesterday'")
    answer = service.records.run("scripts/reindex.py")
    assert answer.returncode == 0, answer.stderr
    assert "1 pictures switched" in answer.stdout
    assert set(before) < set(held(qdrant, IMAGES))
    assert found(service.client) == [cup]


def test_the_collections_are_made_ahead_of_the_first_start(service: Service) -> None:
    made = service.records.run("scripts/init_vector_db.py")
    assert made.returncode == 0, made.stderr
    assert f"{FACES} -> {FACES}__" in made.stdout
    assert "ready, 0 vectors" in made.stdout
