"""The contract of the gallery, from memory and over the vector database; and how a matrix stays in step."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import asyncpg
import numpy as np
import pytest

from app.services.cache import PEOPLE_KEY, Cache
from app.services.database import Database
from app.services.live_matrix import LiveMatrix, keep_in_step
from app.services.stores import face_store, matrix_store
from app.services.stores.face_matrix import FACES, TemplateTable, owners_now
from app.services.stores.face_store import Template
from app.services.vault import MasterKeys, Vault, new_key
from app.services.vectors.base import FaceVector, VectorBackend, face_collection, image_collection
from app.types import FloatArray
from app.workflows.gallery import FaceGallery, IndexGallery, MemoryGallery, NearTemplate
from tests.backends import RunningBackends
from tests.integration.live import migrated_database
from tests.integration.vector_adapters import MilvusAdapter, choose_nothing
from tests.waiting import PATIENCE_S

DIMENSION = 16
MODEL = "model-a"
TIMEOUT_S = 5.0


def unit(seed: int) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


@dataclass(frozen=True)
class Hotel:
    """The record, and the vector database beside it."""

    database: Database
    vectors: VectorBackend
    url: str

    async def enrol(self, employee_id: str, *seeds: int, model_id: str = MODEL) -> list[str]:
        """As an enrolment does, by whichever replica."""
        templates = [Template(f"vec_{uuid.uuid4().hex}", unit(seed), model_id, 0.9, "frontal") for seed in seeds]
        await self.vectors.faces.insert([FaceVector(t.vector_id, employee_id, t.vector, 0.9) for t in templates])
        async with self.database.transaction() as connection:
            await face_store.save_employee(
                connection, employee_id, name=f"Name of {employee_id}", department=None, position=None
            )
            await face_store.add_templates(connection, employee_id, templates, enrolled_by=None)
        return [template.vector_id for template in templates]

    async def erase(self, employee_id: str) -> None:
        async with self.database.transaction() as connection:
            await face_store.erase_person(connection, employee_id)

    async def retire(self, employee_id: str) -> None:
        async with self.database.transaction() as connection:
            await face_store.retire_templates(connection, employee_id)

    def matrix(self, *, limit: int | None = None) -> LiveMatrix:
        return LiveMatrix(self.database, TemplateTable(MODEL), dimension=DIMENSION, columns=1, limit=limit)


VAULT = Vault(MasterKeys(new_key()))


@pytest.fixture(scope="module")
def migrated_url(backends: RunningBackends) -> str:
    return migrated_database(backends)


@pytest.fixture
async def hotel(backends: RunningBackends, migrated_url: str) -> AsyncIterator[Hotel]:
    database = Database(migrated_url, max_size=4, timeout_s=TIMEOUT_S, vault=VAULT)
    await database.open()
    await database.execute("TRUNCATE face_templates, employee_faces, employees, matrix_changes")
    alias, adapter = f"gallery_{uuid.uuid4().hex}", MilvusAdapter(backends)
    faces = replace(face_collection(MODEL, DIMENSION), public_name=alias)
    images = replace(image_collection(MODEL, DIMENSION), public_name=f"{alias}_images")
    vectors = adapter.connect(faces, images, choose=choose_nothing)
    yield Hotel(database, vectors, migrated_url)
    await vectors.close()
    await database.close()
    adapter.remove(alias)


@pytest.fixture(params=["memory", "index", "beyond the memory's size"])
async def gallery(
    request: pytest.FixtureRequest, hotel: Hotel, backends: RunningBackends
) -> AsyncIterator[FaceGallery]:
    cache = Cache(backends.settings["REDIS_URL"], ttl_s=60)
    await cache.forget(PEOPLE_KEY)
    index = IndexGallery(hotel.vectors.faces, hotel.database, cache)
    limit = None if request.param == "memory" else 0
    yield index if request.param == "index" else MemoryGallery(hotel.matrix(limit=limit), beyond=index)
    await cache.forget(PEOPLE_KEY)
    await cache.close()


async def recognise(hotel: Hotel, gallery: FaceGallery, seed: int) -> NearTemplate | None:
    """As the workflow looks: again, where the gallery had not seen everything."""
    found = await gallery.search(unit(seed)[None])
    async with hotel.database.connection() as connection:
        behind = found.snapshot is not None and await matrix_store.is_behind(connection, FACES, found.snapshot)
    if behind:
        await gallery.catch_up()
        found = await gallery.search(unit(seed)[None])
    return found.nearest[0]


async def test_the_nearest_template_is_found_with_its_own_similarity(hotel: Hotel, gallery: FaceGallery) -> None:
    for seed in range(12):
        [vector_id] = await hotel.enrol(f"E{seed}", seed)
        if seed == 7:
            wanted = vector_id
    near = await recognise(hotel, gallery, 7)
    assert near is not None
    assert (near.vector_id, near.employee_id) == (wanted, "E7")
    assert near.similarity == pytest.approx(1.0, abs=1e-5)
    other = await recognise(hotel, gallery, 100)
    assert other is not None
    assert other.similarity == pytest.approx(max(float(unit(100) @ unit(seed)) for seed in range(12)), abs=1e-5)


async def test_an_empty_gallery_knows_nobody(hotel: Hotel, gallery: FaceGallery) -> None:
    assert await recognise(hotel, gallery, 1) is None
    assert await gallery.others(unit(1)[None], employee_id="E1") == {}


async def test_who_was_enrolled_by_another_replica_is_found_at_once(hotel: Hotel, gallery: FaceGallery) -> None:
    assert await recognise(hotel, gallery, 1) is None
    await hotel.enrol("E1", 1)
    near = await recognise(hotel, gallery, 1)
    assert near is not None
    assert near.employee_id == "E1"


@pytest.mark.parametrize("ended", ["erased", "retired"])
async def test_templates_that_ended_match_nobody(hotel: Hotel, gallery: FaceGallery, ended: str) -> None:
    await hotel.enrol("E1", 1)
    await hotel.enrol("E2", 2)
    assert await recognise(hotel, gallery, 1) is not None
    await (hotel.erase("E1") if ended == "erased" else hotel.retire("E1"))
    near = await recognise(hotel, gallery, 1)
    assert near is not None
    assert near.employee_id == "E2"


async def test_templates_of_another_model_are_compared_with_nothing(hotel: Hotel, gallery: FaceGallery) -> None:
    await hotel.enrol("E1", 1)
    async with hotel.database.transaction() as connection:
        other = Template("vec_other", unit(2), "model-b", 0.9, "frontal")
        await face_store.add_templates(connection, "E1", [other], enrolled_by=None)
    near = await recognise(hotel, gallery, 2)
    assert near is not None
    assert near.vector_id != "vec_other"


async def test_a_forged_vector_under_a_known_id_makes_nobody_anyone(hotel: Hotel, gallery: FaceGallery) -> None:
    [manager] = await hotel.enrol("MANAGER", 1)
    intruder = 500
    await hotel.vectors.faces.insert([FaceVector(manager, "MANAGER", unit(intruder), 0.9) for _ in range(3)])
    await hotel.vectors.faces.insert([FaceVector("vec_unknown", "MANAGER", unit(intruder), 0.9)])
    near = await recognise(hotel, gallery, intruder)
    assert near is not None
    assert near.similarity == pytest.approx(float(unit(intruder) @ unit(1)), abs=1e-5)
    assert await gallery.others(unit(intruder)[None], employee_id="E2") == {
        manager: pytest.approx(float(unit(intruder) @ unit(1)), abs=1e-5)
    }


async def test_others_are_everybody_but_oneself(hotel: Hotel, gallery: FaceGallery) -> None:
    await hotel.enrol("E1", 1, 2)
    [second] = await hotel.enrol("E2", 3)
    probes = np.stack([unit(1), unit(3)])
    assert await gallery.others(probes, employee_id="E1") == {second: pytest.approx(1.0, abs=1e-5)}


async def test_people_are_counted_once(hotel: Hotel, gallery: FaceGallery) -> None:
    await hotel.enrol("E1", 1, 2, 3)
    await hotel.enrol("E2", 4)
    assert (await gallery.search(unit(1)[None])).people == 2


async def test_owners_are_those_of_active_templates(hotel: Hotel) -> None:
    [first] = await hotel.enrol("E1", 1)
    [second] = await hotel.enrol("E2", 2)
    await hotel.retire("E2")
    async with hotel.database.connection() as connection:
        owners, is_behind = await owners_now(connection, [first, second, "vec_unknown"], None)
        assert {key: (one.employee_id, one.name) for key, one in owners.items()} == {first: ("E1", "Name of E1")}
        assert not is_behind
        assert await owners_now(connection, [], None) == ({}, False)


# How a matrix stays in step.


async def held(matrix: LiveMatrix) -> set[str]:
    """Whose templates it has, without asking PostgreSQL for more."""
    state = await matrix.state()
    assert state is not None
    [found] = state.view.search(unit(0)[None], top_k=10_000)
    return {str(one.labels[0]) for one in found.nearest}


async def test_a_change_is_seen_whose_transaction_began_before_one_that_was_seen(hotel: Hotel) -> None:
    """Numbers that count up would hide it: the matrix has seen a later one already."""
    await hotel.enrol("E1", 1)
    matrix = hotel.matrix()
    async with hotel.database.connection() as first, first.transaction():
        template = Template("vec_early", unit(2), MODEL, 0.9, "frontal")
        await face_store.add_templates(first, "E1", [template], enrolled_by=None)
        await hotel.enrol("E3", 3)
        await matrix.catch_up()
        assert await held(matrix) == {"E1", "E3"}
        state = await matrix.state()
    assert state is not None
    async with hotel.database.connection() as connection:
        assert await matrix_store.is_behind(connection, FACES, state.snapshot)
    await matrix.catch_up()
    state = await matrix.state()
    assert state is not None
    assert state.view.count == 3


@asynccontextmanager
async def followed(hotel: Hotel, matrix: LiveMatrix) -> AsyncIterator[None]:
    task = asyncio.create_task(keep_in_step(hotel.database, [matrix]))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def becomes(matrix: LiveMatrix, employee_ids: Sequence[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await held(matrix) != set(employee_ids):  # noqa: ASYNC110  # nothing signals it
            await asyncio.sleep(0.02)


async def test_notifications_bring_changes_without_a_question(hotel: Hotel) -> None:
    matrix = hotel.matrix()
    async with followed(hotel, matrix):
        await hotel.enrol("E1", 1)
        await becomes(matrix, ["E1"])
        await hotel.enrol("E2", 2)
        await hotel.erase("E1")
        await becomes(matrix, ["E2"])


async def test_a_lost_listener_comes_back_and_has_missed_nothing(hotel: Hotel) -> None:
    matrix = hotel.matrix()
    async with followed(hotel, matrix):
        await hotel.enrol("E1", 1)
        await becomes(matrix, ["E1"])
        await hotel.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'cv-service-listener' AND datname = current_database()"
        )
        await hotel.enrol("E2", 2)
        await becomes(matrix, ["E1", "E2"])
        await hotel.enrol("E3", 3)
        await becomes(matrix, ["E1", "E2", "E3"])


async def test_emptied_tables_empty_the_matrix(hotel: Hotel) -> None:
    await hotel.enrol("E1", 1)
    matrix = hotel.matrix()
    assert await held(matrix) == {"E1"}
    await hotel.database.execute("TRUNCATE face_templates, employee_faces")
    await matrix.catch_up()
    assert await held(matrix) == set()


async def test_more_than_a_page_is_read_and_more_changes_than_are_worth_following(hotel: Hotel) -> None:
    matrix = hotel.matrix()
    assert await held(matrix) == set()
    connection = await asyncpg.connect(hotel.url)
    await connection.execute("INSERT INTO employees (id) VALUES ('E1')")
    await connection.execute(
        "INSERT INTO employee_faces (employee_id, vector_id) SELECT 'E1', 'vec_' || n FROM generate_series(1, 2500) n"
    )
    await connection.execute(
        "INSERT INTO face_templates (vector_id, employee_id, model_id, vector) "
        "SELECT 'vec_' || n, 'E1', $1, $2 FROM generate_series(1, 2500) n",
        MODEL,
        unit(1).tobytes(),
    )
    await connection.close()
    await matrix.catch_up()
    state = await matrix.state()
    assert state is not None
    assert state.view.count == 2500


async def test_a_damaged_row_keeps_nobody_else_out(hotel: Hotel) -> None:
    await hotel.enrol("E1", 1)
    async with hotel.database.transaction() as connection:
        damaged = Template("vec_short", unit(2)[:3], MODEL, 0.9, "frontal")
        await face_store.add_templates(connection, "E1", [damaged], enrolled_by=None)
    await hotel.enrol("E2", 2)
    assert await held(hotel.matrix()) == {"E1", "E2"}


async def test_a_table_that_outgrows_the_limit_is_given_up_and_held_again_when_it_shrinks(hotel: Hotel) -> None:
    matrix = hotel.matrix(limit=2)
    await hotel.enrol("E1", 1)
    assert await held(matrix) == {"E1"}
    await hotel.enrol("E2", 2, 3)
    await matrix.catch_up()
    assert await matrix.state() is None
    await hotel.erase("E2")
    await matrix.load()
    assert await held(matrix) == {"E1"}


async def test_many_who_ask_at_once_share_the_work(hotel: Hotel) -> None:
    matrix = hotel.matrix()
    await matrix.catch_up()
    await hotel.enrol("E1", 1)
    await asyncio.gather(*(matrix.catch_up() for _ in range(50)))
    assert await held(matrix) == {"E1"}


async def test_old_notes_are_forgotten(hotel: Hotel) -> None:
    await hotel.enrol("E1", 1)
    await hotel.database.execute("UPDATE matrix_changes SET changed_at = NOW() - INTERVAL '2 days'")
    await hotel.enrol("E2", 2)
    async with hotel.database.connection() as connection:
        await matrix_store.forget_old_notes(connection)
    left = await hotel.database.fetch("SELECT DISTINCT key FROM matrix_changes")
    assert len(left) == 1
