"""Jobs over PostgreSQL and the object store: with works of the test's own, and the real ones over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.composition.backends import open_storage
from app.config import Settings
from app.errors import InvalidInput, NotFound, Overloaded, Unavailable
from app.services.database import Database
from app.services.storage import ObjectStorage
from app.services.stores.audit import add_audit_entry
from app.types import Scope
from app.utils.bulk_files import BulkLimits
from app.workflows.access import LOCAL, Caller
from app.workflows.bulk import BulkIntake, BulkKind, BulkWork
from app.workflows.job_runner import JobRetention, JobRunner
from app.workflows.jobs import Job, JobBook, JobState, open_input
from tests.backends import RunningBackends
from tests.event_schemas import problems
from tests.integration.live import migrate
from tests.integration.records import Records
from tests.photos import astronaut, base64_jpeg, coffee, jpeg, portrait

pytestmark = pytest.mark.any_server

API = "/api/v1/cv"
KIND = BulkKind("image.index", Scope.IMAGE_WRITE)
LIMITS = BulkLimits(max_items=10, max_file_bytes=2**20)
SOMEBODY = Caller("desk", frozenset({Scope.IMAGE_WRITE}), key_id=7)


@dataclass
class Notes:
    """Adds notes; ``trouble`` is called with each before it takes effect."""

    database: Database
    trouble: Callable[[str], None] = lambda _text: None
    after: Callable[[str], None] = lambda _text: None
    seen: list[str] = field(default_factory=list)

    async def add(self, fields: Mapping[str, object], actor: str | None) -> Mapping[str, object]:
        text = str(fields["text"])
        self.trouble(text)
        async with self.database.transaction() as connection:
            await add_audit_entry(connection, "note.add", subject=text, actor=actor)
        self.seen.append(text)
        self.after(text)
        return {"note": text}


@dataclass
class Desk:
    """A book of jobs and what works on them."""

    database: Database
    storage: ObjectStorage
    book: JobBook
    notes: Notes

    def runner(self, *, lease_s: float = 20.0, at_once: int = 1) -> JobRunner:
        works = {KIND.name: BulkWork(self.notes.add, LIMITS, at_once=at_once)}
        return JobRunner(self.database, self.storage, works, taken_in=asyncio.Event(), lease_s=lease_s, poll_s=0.05)

    async def take_in(self, *texts: str, caller: Caller = SOMEBODY) -> Job:
        data = b"\n".join(json.dumps({"text": text}).encode() for text in texts)
        return await BulkIntake(self.book, LIMITS).take_in(KIND, data, is_zip=False, caller=caller)


@pytest.fixture(scope="module")
def own_settings(backends: RunningBackends, settings: Settings) -> Settings:
    """A database without a service, which would take the jobs of these tests."""
    url = backends.new_database()
    migrate(url)
    return settings.model_copy(update={"DATABASE_URL": SecretStr(url)})


@pytest.fixture
def records_of_jobs(own_settings: Settings) -> Records:
    emptied = Records(own_settings)
    emptied.clear()
    return emptied


@pytest.fixture
async def desk(own_settings: Settings, records_of_jobs: Records) -> AsyncIterator[Desk]:
    assert records_of_jobs is not None  # emptied
    settings = own_settings
    database = Database(settings.DATABASE_URL.get_secret_value(), max_size=5, timeout_s=3)
    storage = open_storage(settings)
    await database.open()
    book = JobBook(database, storage, scopes={KIND.name: KIND.scope}, max_open=3)
    yield Desk(database, storage, book, Notes(database))
    await storage.close()
    await database.close()


async def outcomes(desk: Desk, job: Job) -> list[Mapping[str, object]]:
    page = await desk.book.items(job.id, SOMEBODY, cursor=None, limit=100)
    return [item.outcome for item in page.items]


async def test_each_item_has_an_outcome_and_the_end_is_told(desk: Desk, records_of_jobs: Records) -> None:
    def refuse(text: str) -> None:
        if text == "bad":
            raise InvalidInput("No.", code="no_good")

    desk.notes.trouble = refuse
    job = await desk.take_in("a", "bad", "c")
    assert (job.state, job.total) == (JobState.QUEUED, 3)
    assert await desk.runner().step()
    ended = await desk.book.get(job.id, SOMEBODY)
    assert (ended.state, ended.done, ended.outcome) == (JobState.SUCCEEDED, 3, {"succeeded": 2, "failed": 1})
    assert await outcomes(desk, job) == [{"note": "a"}, {"error": "no_good", "message": "No."}, {"note": "c"}]
    [event] = records_of_jobs.events("job.finished")
    assert problems(event) == []
    assert (event["job_id"], event["state"], event["done"]) == (job.id, "succeeded", 3)
    rows = records_of_jobs.rows("SELECT key_id, actor FROM audit_log WHERE action = 'note.add'")
    assert rows == [{"key_id": 7, "actor": "desk"}] * 2


async def test_the_file_is_stored_unreadable_and_goes_at_the_end(desk: Desk, records_of_jobs: Records) -> None:
    job = await desk.take_in("a-secret-note")
    sealed = await desk.storage.get(f"jobs/{job.id}")
    assert b"secret" not in sealed
    assert b"secret" in open_input(job, sealed)
    await desk.runner().step()
    assert (await desk.book.get(job.id, SOMEBODY)).input_seal is None
    assert records_of_jobs.count("pending_removals", f"key = 'jobs/{job.id}' AND NOT announced") == 1


async def test_another_replica_goes_on_where_one_died(desk: Desk, records_of_jobs: Records) -> None:
    dying = asyncio.Event()

    def die(text: str) -> None:
        if text == "b" and not dying.is_set():
            dying.set()
            raise asyncio.CancelledError  # after its commit, before it could say so

    desk.notes.after = die
    job = await desk.take_in("a", "b", "c")
    first = asyncio.ensure_future(desk.runner(lease_s=-1.0).step())
    await dying.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    records_of_jobs.rows("UPDATE jobs SET state = 'running', token = 'x', leased_until = NOW() - INTERVAL '1 second'")
    assert await desk.runner().step()
    assert desk.notes.seen == ["a", "b", "c"]
    assert await outcomes(desk, job) == [{"note": "a"}, {"id": "b"}, {"note": "c"}]
    assert (await desk.book.get(job.id, SOMEBODY)).outcome == {"succeeded": 3, "failed": 0}


async def test_whoever_lost_the_lease_writes_nothing(desk: Desk, records_of_jobs: Records) -> None:
    def lose(text: str) -> None:
        if text == "b":
            records_of_jobs.rows("UPDATE jobs SET token = 'somebody else'")

    desk.notes.trouble = lose
    await desk.take_in("a", "b", "c")
    await desk.runner().step()
    assert desk.notes.seen == ["a"]
    assert records_of_jobs.count("audit_log", "action = 'note.add'") == 1


async def test_several_items_are_under_way_at_once_and_each_takes_effect_once(desk: Desk) -> None:
    together, add = asyncio.Barrier(3), desk.notes.add

    async def meet(fields: Mapping[str, object], actor: str | None) -> Mapping[str, object]:
        await together.wait()  # for two others, which one after another would never come
        return await add(fields, actor)

    desk.notes.add = meet  # type: ignore[method-assign]  # one that waits for company
    job = await desk.take_in(*"abcdef")
    await asyncio.wait_for(desk.runner(at_once=3).step(), 30)
    assert sorted(desk.notes.seen) == list("abcdef")
    assert await outcomes(desk, job) == [{"note": letter} for letter in "abcdef"]
    ended = await desk.book.get(job.id, SOMEBODY)
    assert (ended.state, ended.done, ended.outcome) == (JobState.SUCCEEDED, 6, {"succeeded": 6, "failed": 0})


async def test_what_is_under_way_beside_an_item_that_lost_the_job_stops(desk: Desk, records_of_jobs: Records) -> None:
    cancelled: list[str] = []
    add = desk.notes.add

    async def hang(fields: Mapping[str, object], actor: str | None) -> Mapping[str, object]:
        if fields["text"] == "a":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append("a")
                raise
        records_of_jobs.rows("UPDATE jobs SET token = 'somebody else'")
        return await add(fields, actor)

    desk.notes.add = hang  # type: ignore[method-assign]  # the first never ends
    await desk.take_in("a", "b", "c")
    await asyncio.wait_for(desk.runner(at_once=2).step(), 30)
    assert (cancelled, desk.notes.seen) == (["a"], [])
    assert records_of_jobs.count("audit_log", "action = 'note.add'") == 0


async def test_what_is_down_delays_a_job_and_does_not_fail_it(
    desk: Desk, records_of_jobs: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_text: str) -> None:
        raise Unavailable("down")

    async def no_pause(_seconds: float) -> None:
        return

    desk.notes.trouble = down
    job = await desk.take_in("a")
    monkeypatch.setattr("app.workflows.patience.asyncio.sleep", no_pause)
    await desk.runner().step()
    monkeypatch.undo()
    assert (await desk.book.get(job.id, SOMEBODY)).state is JobState.QUEUED
    assert not await desk.runner().step()  # not at once
    records_of_jobs.rows("UPDATE jobs SET leased_until = NULL")
    desk.notes.trouble = lambda _text: None
    await desk.runner().step()
    assert (await desk.book.get(job.id, SOMEBODY)).state is JobState.SUCCEEDED


async def test_a_bug_fails_the_job_and_not_the_runner(desk: Desk) -> None:
    def crash(_text: str) -> None:
        raise ZeroDivisionError

    desk.notes.trouble = crash
    job = await desk.take_in("a")
    assert await desk.runner().step()
    ended = await desk.book.get(job.id, SOMEBODY)
    assert ended.state is JobState.FAILED
    assert ended.problem is not None
    assert ended.problem["code"] == "internal_error"


async def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_soon(desk: Desk) -> None:
    waiting = await desk.take_in("a")
    assert (await desk.book.cancel(waiting.id, SOMEBODY)).state is JobState.CANCELLED
    assert (await desk.book.cancel(waiting.id, SOMEBODY)).state is JobState.CANCELLED
    held = asyncio.Event()
    original = desk.notes.add

    async def hold(fields: Mapping[str, object], actor: str | None) -> Mapping[str, object]:
        if fields["text"] == "b":
            held.set()
            await asyncio.sleep(30)
        return await original(fields, actor)

    desk.notes.add = hold  # type: ignore[method-assign]  # one that takes its time
    running = await desk.take_in("a", "b")
    step = asyncio.ensure_future(desk.runner().step())
    await held.wait()
    assert (await desk.book.cancel(running.id, SOMEBODY)).cancel_requested
    await asyncio.wait_for(step, 10)
    ended = await desk.book.get(running.id, SOMEBODY)
    assert (ended.state, ended.done) == (JobState.CANCELLED, 1)
    assert await outcomes(desk, running) == [{"note": "a"}]


async def test_a_job_is_its_keys_own(desk: Desk) -> None:
    job = await desk.take_in("a")
    other = Caller("other", frozenset({Scope.IMAGE_WRITE}), key_id=8)
    without = Caller("desk", frozenset({Scope.ROOM}), key_id=7)
    for stranger in (other, without):
        with pytest.raises(NotFound):
            await desk.book.get(job.id, stranger)
        assert (await desk.book.list_jobs(stranger, state=None, cursor=None, limit=10)).items == ()
    assert (await desk.book.get(job.id, LOCAL)).id == job.id


async def test_a_key_may_have_a_few_open_jobs_and_jobs_are_listed_in_pages(desk: Desk) -> None:
    jobs = [await desk.take_in("a") for _ in range(3)]
    with pytest.raises(Overloaded):
        await desk.take_in("a")
    first = await desk.book.list_jobs(SOMEBODY, state=None, cursor=None, limit=2)
    second = await desk.book.list_jobs(SOMEBODY, state=None, cursor=first.next_cursor, limit=2)
    assert [job.id for job in (*first.items, *second.items)] == [job.id for job in reversed(jobs)]
    assert second.next_cursor is None


async def test_jobs_are_forgotten_in_time(desk: Desk, records_of_jobs: Records) -> None:
    await desk.take_in("a")
    await desk.runner().step()
    records_of_jobs.rows("UPDATE jobs SET finished_at = NOW() - INTERVAL '8 days'")
    await JobRetention(desk.database, days=7).step()
    assert records_of_jobs.count("jobs") == records_of_jobs.count("job_items") == 0


# The real ones


def ended(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """The job of an answer, when it has ended."""
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{API}/jobs/{answer.json()['job_id']}"

    def job() -> dict[str, Any]:
        found: dict[str, Any] = client.get(answer.headers["location"]).json()
        return found

    Records.wait_until(lambda: job()["finished_at"] is not None)
    return job()


def test_pictures_are_indexed_in_bulk(client: httpx.Client) -> None:
    lines = [
        {"image": base64_jpeg(coffee()), "metadata": {"category": "lost_found"}},
        {"image": base64_jpeg(coffee()), "metadata": {"category": "nonsense"}},
        {"image": "AAAA", "metadata": {"category": "lost_found"}},
    ]
    body = "\n".join(json.dumps(line) for line in lines).encode()
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "bulk-1"}
    answer = client.post(f"{API}/image/index/bulk", content=body, headers=headers)
    again = client.post(f"{API}/image/index/bulk", content=body, headers=headers)
    assert again.json()["job_id"] == answer.json()["job_id"]
    job = ended(client, answer)
    assert (job["state"], job["result"], job["done"]) == ("succeeded", {"succeeded": 1, "failed": 2}, 3)
    first = client.get(f"{API}/jobs/{job['job_id']}/items", params={"limit": 2})
    rest = client.get(first.headers["link"].partition("<")[2].partition(">")[0])
    items = first.json()["items"] + rest.json()["items"]
    assert [item["error"] for item in items] == [None, "validation_error", "unsupported_image"]
    assert client.get(f"{API}/image/{items[0]['result']['image_id']}").status_code == 200
    assert rest.json()["next_cursor"] is None


def test_people_are_enrolled_from_a_zip(client: httpx.Client, records: Records) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.jpg", jpeg(astronaut()))
        archive.writestr("b.jpg", jpeg(portrait(0)))
        items = [
            {"employee_id": "EMP001", "images": ["a/1.jpg"], "metadata": {"name": "A"}},
            {"employee_id": "EMP002", "images": ["b.jpg"]},
            {"employee_id": "EMP003", "images": ["missing.jpg"]},
        ]
        archive.writestr("items.ndjson", "\n".join(map(json.dumps, items)))
    headers = {"Content-Type": "application/zip"}
    job = ended(client, client.post(f"{API}/face/enroll/bulk", content=file.getvalue(), headers=headers))
    assert job["result"] == {"succeeded": 2, "failed": 1}
    found = client.get(f"{API}/jobs/{job['job_id']}/items").json()["items"]
    assert [item["error"] for item in found] == [None, None, "file_not_in_zip"]
    assert records.count("face_templates") == 2


@pytest.mark.parametrize("body", [b"", b"\n\n", b"PK\x05\x06" + bytes(18), b"x" * 100])
def test_a_wrong_zip_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post(f"{API}/face/enroll/bulk", content=body, headers={"Content-Type": "application/zip"})
    assert answer.status_code == 422, answer.text


def test_jobs_that_are_not_there(client: httpx.Client) -> None:
    missing = "0d9f7a3e-2f7b-4c62-9d5e-8f0f4f1f7f10"
    for path in (missing, f"{missing}/items"):
        assert client.get(f"{API}/jobs/{path}").json()["code"] == "job_not_found"
    assert client.post(f"{API}/jobs/{missing}/cancel").status_code == 404
    assert client.get(f"{API}/jobs", params={"cursor": "x"}).json()["code"] == "invalid_cursor"
