"""The contract of a vector database, which workflows rely on, over every adapter and its server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from app.errors import BackendUnavailable, ConfigurationError
from app.services.image_filters import ImageFilter
from app.services.vector_db import VectorDBService
from app.services.vectors.base import (
    Chooser,
    CollectionSpec,
    FaceVector,
    ImageVector,
    VectorIndex,
    face_collection,
    image_collection,
)
from app.types import FloatArray
from app.utils.text_folding import folded
from tests.integration.vector_adapters import ADAPTERS, NOWHERE, Adapter
from tests.proxy import TcpProxy
from tests.waiting import recovers

DIMENSION = 16


def unit(seed: int) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def specs(model_id: str, *, alias: str) -> tuple[CollectionSpec, CollectionSpec]:
    """Collections beside those of the other tests."""
    faces, images = face_collection(model_id, DIMENSION), image_collection(model_id, DIMENSION)
    return replace(faces, public_name=alias), replace(images, public_name=f"{alias}_images")


def service_for(adapter: Adapter, model_id: str, *, alias: str) -> VectorDBService:
    return VectorDBService(adapter.connect(*specs(model_id, alias=alias), choose=chosen_among(PICTURES)))


@pytest.fixture(
    params=[
        pytest.param(name, marks=() if name == "milvus" else pytest.mark.any_server)  # Milvus has another server there
        for name in sorted(ADAPTERS)
    ]
)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return ADAPTERS[request.param](request)


@pytest.fixture
def alias() -> str:
    return f"faces_{uuid.uuid4().hex}"


@pytest.fixture
async def vectors(adapter: Adapter, alias: str) -> AsyncIterator[VectorDBService]:
    service = service_for(adapter, "model-a", alias=alias)
    yield service
    await service.close()
    adapter.remove(alias)
    adapter.remove(f"{alias}_images")


async def stored(index: VectorIndex, *, limit: int = 10) -> dict[str, int]:
    """Everything that the pages hold, by vector id, each once."""
    seen: dict[str, int] = {}
    cursor = None
    while True:
        page = await index.page(cursor=cursor, limit=limit)
        assert len(page.vectors) <= limit
        for vector in page.vectors:
            assert vector.vector_id not in seen
            seen[vector.vector_id] = vector.stored_at_s
        cursor = page.next_cursor
        if cursor is None:
            return seen


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
    assert similarities == pytest.approx([similarity for similarity, _ in expected], abs=1e-4)


async def test_what_was_inserted_is_found_at_once(vectors: VectorDBService) -> None:
    vector_id = await vectors.insert_face_embedding("E1", unit(1), 0.5, vector_id="vec_mine")
    assert vector_id == "vec_mine"
    [[hit]] = await vectors.faces.search(unit(1)[None], top_k=3)
    assert (hit.vector_id, hit.employee_id) == ("vec_mine", "E1")


async def test_a_strong_search_sees_what_another_process_wrote(
    vectors: VectorDBService, adapter: Adapter, alias: str
) -> None:
    await vectors.open()
    other = service_for(adapter, "model-a", alias=alias)
    await other.insert_face_embedding("E1", unit(1), 0.5)
    [[hit]] = await vectors.faces.search(unit(1)[None], top_k=3, strong=True)
    assert hit.employee_id == "E1"
    await other.close()


async def test_several_probes_are_searched_in_one_call(vectors: VectorDBService) -> None:
    for seed in range(5):
        await vectors.insert_face_embedding(f"E{seed}", unit(seed), 0.5)
    found = await vectors.faces.search(np.stack([unit(3), unit(0)]), top_k=1)
    assert [hits[0].employee_id for hits in found] == ["E3", "E0"]


async def test_an_empty_collection_finds_nothing(vectors: VectorDBService) -> None:
    assert await vectors.search_face(unit(1), top_k=3) == []
    assert await vectors.search_similar_images(unit(1)) == []
    assert await stored(vectors.faces) == {}
    assert await vectors.faces.count() == 0


async def test_deleting_a_person_takes_all_their_vectors_and_no_others(vectors: VectorDBService) -> None:
    for seed, employee in enumerate(["E1", "E1", "E2"]):
        await vectors.insert_face_embedding(employee, unit(seed), 0.5)
    await vectors.delete_face_embeddings("E1")
    assert {employee for employee, _ in await vectors.search_face(unit(0), top_k=10)} == {"E2"}
    assert await vectors.faces.count() == 1


async def test_deleting_by_id_takes_just_that_one_and_forgives_unknown_ids(vectors: VectorDBService) -> None:
    kept = await vectors.insert_face_embedding("E1", unit(1), 0.5)
    gone = await vectors.insert_face_embedding("E1", unit(2), 0.5)
    await vectors.faces.delete([gone, "vec_unknown"])
    assert list(await stored(vectors.faces)) == [kept]


async def test_nothing_is_an_amount(vectors: VectorDBService) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5)
    await vectors.faces.insert([])
    await vectors.faces.delete([])
    assert await vectors.faces.count() == 1


async def test_many_templates_are_inserted_in_one_call_with_the_time_of_their_enrolment(
    vectors: VectorDBService,
) -> None:
    await vectors.faces.insert(
        [FaceVector(f"vec_{seed}", f"E{seed}", unit(seed), 0.5, enrolled_at_s=1000 + seed) for seed in range(30)]
    )
    assert await stored(vectors.faces) == {f"vec_{seed}": 1000 + seed for seed in range(30)}
    assert await vectors.faces.count() == 30


@pytest.mark.parametrize("text", ['a" or ""=="', "it's", "back\\slash", "Nguyễn", '"', "\\"])
async def test_no_text_breaks_out_of_an_expression(vectors: VectorDBService, text: str) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5, vector_id=text)
    await vectors.insert_face_embedding("E2", unit(2), 0.5, vector_id="other")
    await vectors.faces.delete([text])
    assert list(await stored(vectors.faces)) == ["other"]


@pytest.mark.parametrize("text", ['E" or ""=="', "it's", "\\"])
async def test_no_person_takes_others_with_them(vectors: VectorDBService, text: str) -> None:
    await vectors.insert_face_embedding(text, unit(1), 0.5)
    await vectors.insert_face_embedding("E2", unit(2), 0.5, vector_id="other")
    await vectors.delete_face_embeddings(text)
    assert list(await stored(vectors.faces)) == ["other"]


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


NOON = datetime(2025, 1, 17, 12, 0, 0, tzinfo=UTC)
NOON_S = int(NOON.timestamp())


def picture(name: str, seed: int, category: str, **known: object) -> ImageVector:
    fields = {"uploaded_at_s": NOON_S, **known}
    return ImageVector(f"vec_{name}", f"IMG_{name}", unit(seed), category, **fields)  # type: ignore[arg-type]  # by name


PICTURES = (
    picture("plain", 0, "room"),
    picture("bed", 1, "room", room_number="101", item_type="bed", tags=("clean", "deluxe"), status="active"),
    picture("later", 2, "room", room_number="102", tags=("clean",), status="active", uploaded_at_s=NOON_S + 60),
    picture("bag", 3, "lost_found", item_type="hand bag", location="lobby, floor 2", status="stored"),
    picture("key", 4, "lost_found", item_type="key", location="sảnh tầng 2", status="returned", tags=("not clean",)),
    picture("pool", 5, "amenity", location='pool "east" 100% \\ south', tags=('it"s', "50%"), uploaded_at_s=NOON_S - 1),
)


def holds(wanted: ImageFilter, one: ImageVector) -> bool:
    """What a filter means, spelled out."""
    equal = (
        (wanted.category, one.category),
        (wanted.room_number, one.room_number),
        (wanted.item_type, folded(one.item_type)),
        (wanted.status, one.status),
    )
    return (
        all(not value or value == own for value, own in equal)
        and set(wanted.tags) <= {folded(tag) for tag in one.tags}
        and (wanted.location or "") in folded(one.location)
        and (wanted.since is None or one.uploaded_at_s >= wanted.since.timestamp())
        and (wanted.before is None or one.uploaded_at_s < wanted.before.timestamp())
    )


def chosen_among(pictures: Sequence[ImageVector]) -> Chooser:
    """As PostgreSQL names pictures where a filter has words."""

    async def choose(wanted: ImageFilter) -> list[str]:
        return [one.vector_id for one in pictures if holds(wanted, one)]

    return choose


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (ImageFilter(), {"plain", "bed", "later", "bag", "key", "pool"}),
        (ImageFilter(category="room"), {"plain", "bed", "later"}),
        (ImageFilter(category="kitchen"), set()),
        (ImageFilter(room_number="101"), {"bed"}),
        (ImageFilter(item_type=" Hand  BAG"), {"bag"}),
        (ImageFilter(item_type="bag"), set()),
        (ImageFilter(status="active"), {"bed", "later"}),
        (ImageFilter(tags=("Clean",)), {"bed", "later"}),
        (ImageFilter(tags=("clean", "deluxe")), {"bed"}),
        (ImageFilter(tags=("clean", "missing")), set()),
        (ImageFilter(tags=('it"s', "50%")), {"pool"}),
        (ImageFilter(location="Floor 2"), {"bag"}),
        (ImageFilter(location="TẦNG"), {"key"}),
        (ImageFilter(location="sanh tang 2"), {"key"}),
        (ImageFilter(location="oo"), {"bag", "pool"}),
        (ImageFilter(location='"east" 100% \\'), {"pool"}),
        (ImageFilter(since=NOON), {"plain", "bed", "later", "bag", "key"}),
        (ImageFilter(before=NOON), {"pool"}),
        (ImageFilter(since=NOON, before=NOON), set()),
        (ImageFilter(since=NOON.replace(second=1)), {"later"}),
        (ImageFilter(category="room", tags=("clean",), since=NOON, before=NOON.replace(minute=1)), {"bed"}),
        (ImageFilter(category='room" or category != "'), set()),
    ],
    # Each process has an order of its own for sets, and parallel workers have to agree on the names of tests.
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
async def test_a_search_finds_exactly_what_the_filter_holds_for(
    filled: VectorDBService, wanted: ImageFilter, names: set[str]
) -> None:
    assert {one.image_id for one in PICTURES if holds(wanted, one)} == {f"IMG_{name}" for name in names}
    hits = await filled.images.search(unit(3), wanted=wanted, top_k=10)
    assert {hit.image_id for hit in hits} == {f"IMG_{name}" for name in names}
    assert {hit.vector_id for hit in hits} == {f"vec_{name}" for name in names}
    nearest = sorted(hits, key=lambda hit: -hit.similarity)
    assert hits == nearest


@pytest.fixture
async def filled(vectors: VectorDBService) -> VectorDBService:
    await vectors.images.insert(PICTURES)
    return vectors


async def test_a_limit_counts_what_the_filter_holds_for(vectors: VectorDBService) -> None:
    probe = unit(0)
    near = [picture(f"near{i}", 0, "room", room_number="1") for i in range(40)]
    far = [picture(f"far{seed}", seed, "room", room_number="2") for seed in range(1, 6)]
    await vectors.images.insert([*near, *far])
    hits = await vectors.images.search(probe, wanted=ImageFilter(room_number="2"), top_k=3)
    best = sorted(range(1, 6), key=lambda seed: -float(unit(seed) @ probe))[:3]
    assert [hit.image_id for hit in hits] == [f"IMG_far{seed}" for seed in best]


async def test_deleted_pictures_are_found_no_more(filled: VectorDBService) -> None:
    await filled.images.delete(["vec_bag", "vec_key", "vec_unknown"])
    hits = await filled.images.search(unit(3), wanted=ImageFilter(), top_k=10)
    assert {hit.image_id for hit in hits} == {"IMG_plain", "IMG_bed", "IMG_later", "IMG_pool"}
    assert await filled.images.count() == 4
    assert (await stored(filled.images))["vec_pool"] == NOON_S - 1


async def test_another_models_vectors_are_refused_with_the_command_that_migrates(
    vectors: VectorDBService, adapter: Adapter, alias: str
) -> None:
    await vectors.open()
    other = service_for(adapter, "model-b", alias=alias)
    with pytest.raises(ConfigurationError, match=r"cv reindex") as refused:
        await other.open()
    assert refused.value.code == "model_changed"
    await other.close()


async def test_a_collection_is_filled_beside_and_takes_the_name_in_one_step(
    vectors: VectorDBService, adapter: Adapter, alias: str
) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5)
    before = await vectors.faces.current_collection()
    other = service_for(adapter, "model-b", alias=alias)
    await other.faces.open_beside()
    await other.insert_face_embedding("E2", unit(2), 0.5)
    # The service of the model before sees nothing of it.
    assert [employee for employee, _ in await vectors.search_face(unit(2), top_k=5)] == ["E1"]
    assert await vectors.faces.current_collection() == before == vectors.faces.spec.collection

    await other.faces.switch()
    assert await vectors.faces.current_collection() == other.faces.spec.collection
    assert [employee for employee, _ in await other.search_face(unit(1), top_k=5)] == ["E2"]
    restarted = service_for(adapter, "model-a", alias=alias)
    with pytest.raises(ConfigurationError):
        await restarted.faces.open()

    await other.faces.switch()  # again is harmless
    await other.faces.drop(vectors.faces.spec.collection)
    await other.faces.drop(vectors.faces.spec.collection)  # and so is dropping what is gone
    assert [employee for employee, _ in await other.search_face(unit(1), top_k=5)] == ["E2"]
    await restarted.close()
    await other.close()


async def test_the_first_collection_may_take_the_name_by_a_switch(vectors: VectorDBService) -> None:
    assert await vectors.images.current_collection() is None
    await vectors.images.open_beside()
    assert await vectors.images.current_collection() is None
    await vectors.images.switch()
    assert await vectors.images.current_collection() == vectors.images.spec.collection


async def test_opening_twice_is_harmless(vectors: VectorDBService, adapter: Adapter, alias: str) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5)
    again = service_for(adapter, "model-a", alias=alias)
    await again.open()
    assert await again.search_face(unit(1)) != []
    await again.close()


async def test_calls_that_come_at_once_open_it_once(vectors: VectorDBService) -> None:
    found = await asyncio.gather(*(vectors.search_face(unit(1)) for _ in range(5)))
    assert found == [[]] * 5


async def test_pages_cover_every_row_once(vectors: VectorDBService) -> None:
    ids = [await vectors.insert_face_embedding("E1", unit(seed), 0.5) for seed in range(25)]
    assert sorted(await stored(vectors.faces, limit=10)) == sorted(ids)
    assert sorted(await stored(vectors.faces, limit=25)) == sorted(ids)


async def test_it_heals_after_a_restart_of_the_server(vectors: VectorDBService, adapter: Adapter) -> None:
    await vectors.insert_face_embedding("E1", unit(1), 0.5)
    with adapter.without():
        with pytest.raises(BackendUnavailable):
            await vectors.search_face(unit(1))
        with pytest.raises(BackendUnavailable):
            await vectors.ping()
    await recovers(vectors.ping)
    assert await vectors.search_face(unit(1)) == [("E1", pytest.approx(1.0, abs=1e-4))]


async def test_it_leaves_a_connection_that_leads_nowhere(adapter: Adapter, alias: str) -> None:
    async with TcpProxy(adapter.port) as proxy:
        vectors = VectorDBService(adapter.connect(*specs("model-a", alias=alias), port=proxy.port, timeout_s=2.0))
        await vectors.open()
        await vectors.ping()
        proxy.half_open()
        with pytest.raises(BackendUnavailable):
            await vectors.ping()
        proxy.restore()
        await recovers(vectors.ping)
        await vectors.close()
    adapter.remove(alias)
    adapter.remove(f"{alias}_images")


async def test_nothing_listens_there(adapter: Adapter) -> None:
    vectors = VectorDBService(adapter.connect(*specs("model-a", alias="faces_nowhere"), port=NOWHERE))
    with pytest.raises(BackendUnavailable):
        await vectors.search_face(unit(1))
    with pytest.raises(BackendUnavailable):
        await vectors.ping()
    await vectors.close()
