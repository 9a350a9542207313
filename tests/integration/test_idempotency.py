"""Idempotency keys over PostgreSQL: on a small application whose effects are counted, and on the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Response

from app.api import problems
from app.api.idempotency import IDEMPOTENT
from app.api.routes import MarkedRoute
from app.config import Settings
from app.errors import Conflict, InvalidInput, RequestInFlight, Unavailable
from app.models.bodies import ImageData, body_of
from app.models.common import Request
from app.services.database import Database
from app.services.stores.audit import add_audit_entry
from app.workflows.idempotency import Claim, IdempotencyBook, IdempotencyRetention, KeptAnswer, KeyedRequest
from tests.integration.records import Records
from tests.integration.test_api_face import enroll
from tests.photos import astronaut, base64_jpeg, jpeg

pytestmark = pytest.mark.any_server

DAY = timedelta(days=1)
REQUEST = KeyedRequest(owner="7", secret="cvk_secret", target="POST /x?", key="key-1", body_sha256=b"\x01" * 32)
ANSWER = KeptAnswer(200, {"content-type": "application/json"}, b'{"full_name": "NGUYEN VAN A"}')


class Note(Request):
    """A body with a file."""

    text: str = "x"
    image: ImageData = b""


@dataclass
class Counting:
    """An application that counts what takes effect; ``failures`` are raised by the next requests, in order."""

    client: httpx.AsyncClient
    failures: list[Exception] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, key: str, text: str = "x", path: str = "/notes") -> httpx.Response:
        return await self.client.post(path, json={"text": text}, headers={"Idempotency-Key": key})


@pytest.fixture
async def database(settings: Settings, records: Records) -> AsyncIterator[Database]:
    assert records is not None  # emptied
    opened = Database(settings.DATABASE_URL.get_secret_value(), max_size=5, timeout_s=3)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def counting(database: Database) -> AsyncIterator[Counting]:
    app, router = FastAPI(), APIRouter(route_class=MarkedRoute)
    problems.install(app)

    @router.post("/notes", dependencies=[IDEMPOTENT], status_code=201)
    async def add_note(note: Annotated[Note, Depends(body_of(Note))], response: Response) -> dict[str, int]:
        found.entered.set()
        await found.gate.wait()
        if found.failures:
            raise found.failures.pop(0)
        async with database.transaction() as connection:
            await add_audit_entry(connection, "note.add", subject=note.text, actor=None)
        found.effects.append(note.text)
        response.headers["Location"] = "/notes/1"
        return {"count": len(found.effects), "bytes": len(note.image)}

    app.include_router(router)
    app.state.resources = SimpleNamespace(idempotency=IdempotencyBook(database, lifetime=DAY), keys=None, limiter=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        found = Counting(client)
        found.gate.set()
        yield found


async def test_a_repetition_is_answered_and_not_carried_out(counting: Counting) -> None:
    first, second = await counting.post("k1"), await counting.post('"k1"')
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert second.headers["location"] == "/notes/1"
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert counting.effects == ["x"]


async def test_without_a_key_every_request_counts(counting: Counting) -> None:
    for _ in range(2):
        assert (await counting.client.post("/notes", json={})).status_code == 201
    assert len(counting.effects) == 2


async def test_another_request_with_the_key_is_refused(counting: Counting) -> None:
    await counting.post("k1")
    refused = await counting.post("k1", "another")
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_key_reused")
    assert (await counting.post("k1", "another", "/notes?side=other")).status_code == 201


async def test_a_form_is_known_again_by_its_content(counting: Counting) -> None:
    async def send(content: bytes) -> httpx.Response:
        files = {"image": ("a.jpg", content)}  # with a boundary of its own each time
        return await counting.client.post("/notes", data={"text": "f"}, files=files, headers={"Idempotency-Key": "f"})

    large = bytes(3 * 2**20)
    first, second, other = await send(large), await send(large), await send(large + b"1")
    assert first.json() == second.json() == {"count": 1, "bytes": len(large)}
    assert other.json()["code"] == "idempotency_key_reused"


async def test_while_it_is_carried_out_a_repetition_is_asked_to_wait(counting: Counting) -> None:
    counting.gate.clear()
    first = asyncio.ensure_future(counting.post("k1"))
    await counting.entered.wait()
    early = await counting.post("k1")
    assert early.status_code == 409
    assert early.json()["code"] == "idempotency_in_flight"
    assert int(early.headers["retry-after"]) >= 1
    counting.gate.set()
    assert (await first).status_code == 201
    assert counting.effects == ["x"]


@pytest.mark.parametrize(
    ("failure", "status", "is_final"),
    [
        (Unavailable("down"), 503, False),
        (RuntimeError("a bug"), 500, False),
        (InvalidInput("no face", code="no_usable_image"), 422, True),
    ],
)
async def test_a_refusal_is_kept_and_a_failure_is_not(
    counting: Counting, failure: Exception, status: int, is_final: bool
) -> None:
    counting.failures = [failure]
    if status == 500:
        with pytest.raises(RuntimeError):
            await counting.post("k1")
    else:
        assert (await counting.post("k1")).status_code == status
    assert (await counting.post("k1")).status_code == (status if is_final else 201)


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", '""'])
async def test_a_wrong_key_is_refused(counting: Counting, key: str) -> None:
    refused = await counting.post(key)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_idempotency_key")


async def write(database: Database) -> None:
    async with database.transaction() as connection:
        await add_audit_entry(connection, "note.add", subject="1", actor=None)


async def test_whoever_lost_the_key_commits_nothing(database: Database, records: Records) -> None:
    book = IdempotencyBook(database, lifetime=DAY, lease_s=-1.0)  # as that of a replica that stood still
    frozen = await book.claim(REQUEST)
    assert isinstance(frozen, Claim)
    heir = await IdempotencyBook(database, lifetime=DAY).claim(REQUEST)
    assert isinstance(heir, Claim)
    with pytest.raises(Conflict, match="begun again"):
        async with book.held(frozen):
            await write(database)
    async with book.held(heir):
        await write(database)
    assert records.count("audit_log") == 1


async def test_a_replica_that_dies_after_its_commit_leaves_word_of_it(database: Database, records: Records) -> None:
    book = IdempotencyBook(database, lifetime=DAY, lease_s=-1.0)
    claim = await book.claim(REQUEST)
    assert isinstance(claim, Claim)
    async with book.held(claim):
        await write(database)
    with pytest.raises(Conflict) as refused:
        await book.claim(REQUEST)
    assert refused.value.code == "idempotency_answer_lost"
    assert records.count("audit_log") == 1


async def test_a_failure_after_the_commit_is_not_carried_out_again(database: Database) -> None:
    book = IdempotencyBook(database, lifetime=DAY)
    claim = await book.claim(REQUEST)
    assert isinstance(claim, Claim)
    async with book.held(claim):
        await write(database)
    await book.give_back(claim)
    with pytest.raises(Conflict) as refused:
        await book.claim(REQUEST)
    assert refused.value.code == "idempotency_answer_lost"


async def test_only_one_of_many_gets_the_key(database: Database) -> None:
    book = IdempotencyBook(database, lifetime=DAY)
    got = await asyncio.gather(*(book.claim(REQUEST) for _ in range(12)), return_exceptions=True)
    assert sum(isinstance(one, Claim) for one in got) == 1
    assert sum(isinstance(one, RequestInFlight) for one in got) == 11


async def test_what_is_stored_opens_to_the_sender_alone(database: Database, records: Records) -> None:
    book = IdempotencyBook(database, lifetime=DAY)
    claim = await book.claim(REQUEST)
    assert isinstance(claim, Claim)
    await book.keep(claim, ANSWER)
    [row] = records.rows("SELECT * FROM idempotency_keys")
    stored = b"".join(value for value in row.values() if isinstance(value, bytes))
    for known in (b"NGUYEN", b"key-1", b"cvk_secret", REQUEST.body_sha256):
        assert known not in stored
    assert await book.claim(REQUEST) == ANSWER


async def test_a_key_is_free_again_after_its_time(database: Database, records: Records) -> None:
    book = IdempotencyBook(database, lifetime=DAY)
    claim = await book.claim(REQUEST)
    assert isinstance(claim, Claim)
    await book.keep(claim, ANSWER)
    records.rows("UPDATE idempotency_keys SET created_at = created_at - INTERVAL '25 hours'")
    assert isinstance(await book.claim(REQUEST), Claim)


async def test_an_answer_that_is_too_large_is_known_to_have_been(database: Database) -> None:
    book = IdempotencyBook(database, lifetime=DAY, max_answer_bytes=10)
    claim = await book.claim(REQUEST)
    assert isinstance(claim, Claim)
    await book.keep(claim, ANSWER)
    with pytest.raises(Conflict) as refused:
        await book.claim(REQUEST)
    assert refused.value.code == "idempotency_answer_lost"


async def test_the_oldest_answers_go_where_there_are_too_many(database: Database, records: Records) -> None:
    book = IdempotencyBook(database, lifetime=DAY)
    for number in range(5):
        claim = await book.claim(KeyedRequest("7", "", "POST /x?", str(number), bytes(32)))
        assert isinstance(claim, Claim)
        await book.keep(claim, ANSWER)
    await IdempotencyRetention(database, lifetime=DAY, max_bytes=3 * 400).step()
    assert 2 <= records.count("idempotency_keys") <= 4
    with pytest.raises(Conflict):  # the newest is there
        await book.claim(KeyedRequest("7", "", "POST /x?", "4", bytes(range(32))))
    records.rows("UPDATE idempotency_keys SET created_at = created_at - INTERVAL '25 hours'")
    await IdempotencyRetention(database, lifetime=DAY, max_bytes=10**9).step()
    assert records.count("idempotency_keys") == 0


def test_an_enrolment_sent_twice_makes_one_set_of_templates(client: httpx.Client, records: Records) -> None:
    image = base64_jpeg(astronaut())
    client.headers["Idempotency-Key"] = "enrol-1"
    try:
        first, second = enroll(client, "EMP001", image), enroll(client, "EMP001", image)
    finally:
        del client.headers["Idempotency-Key"]
    assert first.status_code == 200, first.text
    assert first.json() == second.json()
    assert records.count("face_templates") == 1
    assert len(records.events("face.enrolled")) == 1


def test_an_enrolment_by_form_sent_ten_times_at_once_makes_one_set(client: httpx.Client, records: Records) -> None:
    photo = jpeg(astronaut())

    def send() -> int:
        return client.post(
            "/api/v1/cv/face/enroll",
            data={"employee_id": "EMP002"},
            files={"images": ("a.jpg", photo)},
            headers={"Idempotency-Key": "enrol-2"},
        ).status_code

    statuses = records.at_once(10, send)
    assert set(statuses) <= {200, 409}
    assert statuses.count(200) >= 1
    assert records.count("face_templates") == 1
