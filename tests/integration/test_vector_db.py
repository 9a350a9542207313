"""The vector index over a real Milvus server: the contract that workflows rely on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from app.errors import BackendUnavailable, ConfigurationError
from app.services.vector_collections import any_of, quote
from app.services.vector_db import VectorDBService, face_collection, image_collection
from app.types import FloatArray
from tests.backends import RunningBackends
from tests.integration.records import RESTART_S

DIMENSION = 16


def unit(seed: int) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def service_for(uri: str, model_id: str, *, alias: str) -> VectorDBService:
    spec = face_collection(model_id, DIMENSION)
    own = replace(spec, alias=alias)  # beside the collection of the other tests
    images = replace(image_collection(model_id, DIMENSION), alias=f"{alias}_images")
    return VectorDBService(uri, user="", password="", faces=own, images=images, timeout_s=5.0)


@pytest.fixture
def alias() -> str:
    return f"faces_{uuid.uuid4().hex}"


@pytest.fixture
def uri(backends: RunningBackends) -> str:
    return f"http://127.0.0.1:{backends.port('milvus')}"


@pytest.fixture
async def vectors(uri: str, alias: str) -> AsyncIterator[VectorDBService]:
    service = service_for(uri, "model-a", alias=alias)
    yield service
    for collection in service.collections:  # a Milvus server works on every loaded one, seen or not
        if await collection.current_collection() is not None:
            await service.client.drop_alias(collection.spec.alias)
            await service.client.drop_collection(collection.spec.collection)
    await service.close()


async def test_search_returns_the_nearest_first(vectors: VectorDBService) -> None:
    for seed in range(20):
        await vectors.insert_face_embedding(f"E{seed}", unit(seed), 0.5)
    found = await vectors.search_face(unit(7), top_k=5)
    assert found[0][0] == "E7"
    assert found[0][1] == pytest.approx(1.0, abs=1e-4)
    similarities = [similarity for _, similarity in found]
    assert similarities == sorted(similarities, reverse=True)
    expected = sorted(((float(unit(7) @ unit(seed)), f"E{seed}") for seed in range(20)), reverse=True)[:5]
    assert [employee_id for employee_id, _ in found] == [employee_id for _, employee_id in expected]


async def test_what_was_inserted_is_found_at_once(vectors: VectorDBService) -> None:
    vector_id = await vectors.insert_face_embedding("E1", unit(1), 0.5, vector_id="vec_mine")
    assert vector_id == "vec_mine"
    [[hit]] = await vectors.search_faces(unit(1)[None], top_k=3)
    assert (hit.vector_id, hit.employee_id) == ("vec_mine", "E1")


async def test_several_probes_are_searched_in_one_call(vectors: VectorDBService) -> None:
    for seed in range(5):
        await vectors.insert_face_embedding(f"E{seed}", unit(seed), 0.5)
    found = await vectors.search_faces(np.stack([unit(3), unit(0)]), top_k=1)
    assert [hits[0].employee_id for hits in found] == ["E3", "E0"]


async def test_an_empty_collection_finds_nothing(vectors: VectorDBService) -> None:
    assert await vectors.search_face(unit(1), top_k=3) == []


async def test_deleting_a_person_takes_all_their_vectors_and_no_others(vectors: VectorDBService) -> None:
    for seed, employee in enumerate(["E1", "E1", "E2"]):
        await vectors.insert_face_embedding(employee, unit(seed), 0.5)
    await vectors.delete_face_embeddings("E1")
    assert {employee for employee, _ in await vectors.search_face(unit(0), top_k=10)} == {"E2"}


async def test_deleting_by_id_takes_just_that_one_and_forgives_unknown_ids(vectors: VectorDBService) -> None:
    kept = await vectors.insert_face_embedding("E1", unit(1), 0.5)
    gone = await vectors.insert_face_embedding("E1", unit(2), 0.5)
    await vectors.delete_face_vectors([gone, "vec_unknown"])
    rows = await vectors.faces.query("id >= 0", fields=["vector_id"])
    assert [row["vector_id"] for row in rows] == [kept]


@pytest.mark.parametrize("text", ['a" or ""=="', "it's", "back\\slash", "Nguyễn", '"', "\\"])
async def test_no_text_breaks_out_of_an_expression(vectors: VectorDBService, text: str) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5, vector_id=text)
    await vectors.insert_face_embedding("E2", unit(2), 0.5, vector_id="other")
    await vectors.delete_face_vectors([text])
    rows = await vectors.faces.query("id >= 0", fields=["vector_id"])
    assert [row["vector_id"] for row in rows] == ["other"]


async def test_pictures_are_inserted_and_found_under_the_names_of_the_spec(vectors: VectorDBService) -> None:
    for seed in range(6):
        category = "room" if seed % 2 else "lost_found"
        assert (await vectors.insert_image_embedding(f"IMG_{seed}", category, unit(seed))).startswith("vec_")
    [(image_id, similarity), *others] = await vectors.search_similar_images(unit(3))
    assert (image_id, len(others)) == ("IMG_3", 5)
    assert similarity == pytest.approx(1.0, abs=1e-4)
    found = await vectors.search_similar_images(unit(3), category="lost_found", top_k=2)
    assert len(found) == 2
    assert {image_id for image_id, _ in found} <= {"IMG_0", "IMG_2", "IMG_4"}


def test_quoting_keeps_text_a_literal() -> None:
    assert quote('a"b') == r'"a\"b"'
    assert any_of("vector_id", ["a", "b"]) == 'vector_id in ["a", "b"]'


async def test_another_models_vectors_are_refused_with_the_command_that_migrates(
    vectors: VectorDBService, uri: str, alias: str
) -> None:
    await vectors.open()
    other = service_for(uri, "model-b", alias=alias)
    with pytest.raises(ConfigurationError, match=r"reindex\.py") as refused:
        await other.open()
    assert refused.value.code == "model_changed"
    await other.close()


async def test_opening_twice_is_harmless(vectors: VectorDBService, uri: str, alias: str) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5)
    again = service_for(uri, "model-a", alias=alias)
    await again.open()
    assert await again.search_face(unit(1)) != []
    await again.close()


async def test_pages_cover_every_row_once(vectors: VectorDBService) -> None:
    ids = [await vectors.insert_face_embedding("E1", unit(seed), 0.5) for seed in range(25)]
    seen: list[str] = []
    last = -1
    while rows := await vectors.faces.page(after_id=last, limit=10, fields=["vector_id"]):
        seen += [row["vector_id"] for row in rows]
        last = rows[-1]["id"]
    assert sorted(seen) == sorted(ids)


async def test_it_heals_after_milvus_restarts(vectors: VectorDBService, backends: RunningBackends) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5)
    with backends.without("milvus"):
        with pytest.raises(BackendUnavailable):
            await vectors.search_face(unit(1))
        with pytest.raises(BackendUnavailable):
            await vectors.ping()
    async with asyncio.timeout(RESTART_S):
        while not await _answers(vectors):  # noqa: ASYNC110  # a server sets no event of ours
            await asyncio.sleep(0.1)
    assert await vectors.search_face(unit(1)) == [("E1", pytest.approx(1.0, abs=1e-4))]


async def _answers(vectors: VectorDBService) -> bool:
    try:
        await vectors.ping()
    except BackendUnavailable:
        return False
    return True


async def test_nothing_listens_there() -> None:
    vectors = service_for("http://127.0.0.1:1", "model-a", alias="faces_nowhere")
    with pytest.raises(BackendUnavailable):
        await vectors.search_face(unit(1))
    await vectors.close()
