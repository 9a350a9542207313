"""The release before and this one beside each other, while replicas are replaced: both answer, nothing is lost."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from app.services.stores.schema import newest_revision
from app.types import Image
from tests.backends import RunningBackends
from tests.integration.live import migrate
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.integration.test_api_image import found, indexed, tinted
from tests.integration.test_replicas import KEY, Replica, replica
from tests.photos import astronaut, base64_jpeg, coffee, portrait
from tests.release import files_of_release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

API = "/api/v1/cv"


@pytest.fixture(scope="module")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the release before."""
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(fileobj=io.BytesIO(files_of_release("app", "alembic", "alembic.ini", "scripts"))) as code:
        code.extractall(folder, filter="data")
    return folder


@dataclass(frozen=True)
class Neighbours:
    """The older release with data of its own, and this one, started beside it after the migrations."""

    old: Replica
    new: Replica
    records: Records
    picture: str


@contextmanager
def _neighbours(settings: Settings, release_before: Path, logs: Path) -> Iterator[Neighbours]:
    database_url = settings.DATABASE_URL.get_secret_value()
    migrate(database_url, source=release_before)
    records = Records(settings)
    with replica(settings, logs / "old.log", source=release_before) as old:
        records.wait_until(lambda: records.count("api_keys") > 0)
        assert enroll(old.client, "EMP001", base64_jpeg(astronaut())).status_code == 200
        picture = indexed(old.client, coffee())
        migrate(database_url)
        assert records.rows("SELECT version_num FROM cv_alembic_version")[0]["version_num"] == newest_revision()
        with replica(settings, logs / "new.log") as new:
            yield Neighbours(old, new, records, picture)


@pytest.fixture(scope="module")
def neighbours(
    backends: RunningBackends, settings: Settings, release_before: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neighbours]:
    own = settings.model_copy(
        update={
            "DATABASE_URL": SecretStr(backends.new_database()),
            "AUTH_REQUIRED": True,
            "ADMIN_API_KEY": SecretStr(KEY),
            "ATTENDANCE_DEBOUNCE_S": 0.0,
            "MAX_WORKERS": 1,
        }
    )
    with _neighbours(own, release_before, tmp_path_factory.mktemp("neighbours")) as both:
        yield both


def seen_as(client: httpx.Client, photo: Image) -> str | None:
    answer = recognize(client, base64_jpeg(photo))
    assert answer.status_code == 200, answer.text
    name: str | None = answer.json().get("employee_id")
    return name


def see(client: httpx.Client, expected: Sequence[tuple[Image, str | None]]) -> bool:
    return all(seen_as(client, photo) == name for photo, name in expected)


def find(client: httpx.Client, expected: set[str]) -> bool:
    return set(found(client, top_k=50)) == expected


def test_both_know_whom_either_enrolled_and_forget_whom_either_erased(neighbours: Neighbours) -> None:
    old, new = neighbours.old.client, neighbours.new.client
    assert enroll(old, "EMP002", base64_jpeg(portrait(0))).status_code == 200
    assert enroll(new, "EMP003", base64_jpeg(portrait(1))).status_code == 200
    people = [(astronaut(), "EMP001"), (portrait(0), "EMP002"), (portrait(1), "EMP003")]
    for client in (old, new):
        Records.wait_until(partial(see, client, people))
    assert old.delete(f"{API}/face/EMP003").status_code == 200
    assert new.delete(f"{API}/face/EMP002").status_code == 200
    left = [(astronaut(), "EMP001"), (portrait(0), None), (portrait(1), None)]
    for client in (old, new):
        Records.wait_until(partial(see, client, left))


def test_both_find_change_and_remove_what_either_stored(neighbours: Neighbours) -> None:
    old, new = neighbours.old.client, neighbours.new.client
    of_old = indexed(old, tinted(40), room_number="101")
    of_new = indexed(new, tinted(120), room_number="102")
    for client in (old, new):
        Records.wait_until(partial(find, client, {neighbours.picture, of_old, of_new}))
    assert old.patch(f"{API}/image/{of_new}", json={"room_number": "201"}).status_code == 200
    assert new.get(f"{API}/image/{of_new}").json()["metadata"]["room_number"] == "201"
    assert old.delete(f"{API}/image/{of_new}").status_code == 200
    assert new.delete(f"{API}/image/{of_old}").status_code == 200
    for client in (old, new):
        Records.wait_until(partial(find, client, {neighbours.picture}))


def test_each_event_is_written_once_and_both_streams_have_all(neighbours: Neighbours) -> None:
    before = neighbours.records.count("event_outbox")
    for client in (neighbours.old.client, neighbours.new.client):
        assert seen_as(client, astronaut()) == "EMP001"
    assert neighbours.records.count("event_outbox") == before + 2


def is_well(client: httpx.Client) -> bool:
    return bool(client.get(f"{API}/health").json()["status"] == "healthy")


def test_the_older_one_is_well_on_the_newer_tables(neighbours: Neighbours) -> None:
    for client in (neighbours.old.client, neighbours.new.client):
        Records.wait_until(partial(is_well, client))
        refused = [
            path
            for path in ("face/people", "image", "room/status", "anomaly/incidents", "cameras", "webhooks", "jobs")
            if client.get(f"{API}/{path}").status_code != 200
        ]
        assert refused == []
