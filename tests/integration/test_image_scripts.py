"""import_images.py, reindex.py and reconcile.py on pictures, run as commands over real backends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import httpx
import pytest

from app.services.vectors.base import image_collection
from tests.integration.conftest import Start
from tests.integration.live import serving
from tests.integration.records import Records, free_port
from tests.integration.test_api_image import API, found, indexed, tinted
from tests.photos import astronaut, coffee, group


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three rooms with a picture each, a copy, and a file that is none."""
    for name, image in (("101/a.jpg", coffee()), ("102/b.png", group()), ("102/copy.png", group())):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), image)
    (tmp_path / "103").mkdir()
    (tmp_path / "103" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    return tmp_path


def run_import(records: Records, folder: Path) -> subprocess.CompletedProcess[str]:
    return records.run(
        "scripts/import_images.py", str(folder), "--category", "room", "--room-from-folder", "--tag", "new"
    )


def test_a_folder_is_imported_and_a_second_run_goes_on(client: httpx.Client, records: Records, folder: Path) -> None:
    first = run_import(records, folder)
    assert first.returncode == 1, first.stderr
    assert "2 indexed, 1 there before, 1 refused" in first.stdout
    assert "103/broken.jpg: The data is not a picture" in first.stderr
    rows = records.rows("SELECT room_number, tags, uploaded_by FROM image_metadata ORDER BY room_number")
    assert rows == [{"room_number": room, "tags": ["new"], "uploaded_by": "import"} for room in ("101", "102")]
    assert len(found(client, category="room", filters={"room_number": "101"})) == 1
    cv2.imwrite(str(folder / "103" / "broken.jpg"), astronaut())
    second = run_import(records, folder)
    assert "1 pictures to index, 3 done before" in second.stdout
    assert "1 indexed, 0 there before, 0 refused" in second.stdout
    assert second.returncode == 0
    assert records.count("image_metadata") == 3


def test_a_journal_that_was_cut_short_is_read_as_far_as_it_goes(records: Records, folder: Path) -> None:
    journal = folder / ".cv-import-room.jsonl"
    journal.write_text(json.dumps({"file": "101/a.jpg", "outcome": "indexed"}) + '\n{"file": "102/b.p')
    answer = run_import(records, folder)
    assert "3 pictures to index, 1 done before" in answer.stdout
    assert records.count("image_metadata") == 1


def test_an_import_that_was_killed_goes_on_and_stores_each_picture_once(
    client: httpx.Client, records: Records, tmp_path: Path
) -> None:
    hues = range(0, 160, 4)
    for hue in hues:
        cv2.imwrite(str(tmp_path / f"{hue:03}.png"), tinted(hue))
    journal = tmp_path / ".cv-import-amenity.jsonl"

    def finished() -> int:
        return len(journal.read_text(encoding="utf-8").splitlines()) if journal.exists() else 0

    arguments = ("scripts/import_images.py", str(tmp_path), "--category", "amenity")
    with records.slowed("image_metadata", after=5), records.running(*arguments) as process:
        Records.wait_until(lambda: finished() >= 5)
        process.kill()
    assert 5 <= records.count("image_metadata") < len(hues)
    done = finished()
    again = records.run(*arguments)
    assert again.returncode == 0, again.stderr
    assert f"{len(hues) - done} pictures to index, {done} done before" in again.stdout
    assert records.count("image_metadata") == len(hues)
    assert len(set(found(client, category="amenity", top_k=100))) == len(hues)


def test_another_model_is_refused_until_an_interrupted_reindex_was_finished(
    client: httpx.Client, records: Records
) -> None:
    ids = {indexed(client, tinted(hue)) for hue in range(0, 160, 4)}
    current = records.image_collection()
    records.rows("UPDATE image_assets SET model_id = 'of-yesterday'")
    records.serve_image_collection(records.make_collection(image_collection("of-yesterday", 768)))
    try:
        refused = records.run("-m", "uvicorn", "--factory", "app.main:create_app_from_env", "--port", str(free_port()))
        assert refused.returncode != 0
        assert "cv reindex" in refused.stdout + refused.stderr
        with records.slowed("image_reindex", after=16), records.running("scripts/reindex.py") as process:
            Records.wait_until(lambda: records.count("image_reindex") > 0)
            process.kill()
        staged = {row["vector_id"] for row in records.rows("SELECT vector_id FROM image_reindex")}
        assert 0 < len(staged) < len(ids)
        assert records.image_collection() != current  # searches have not been switched
        answer = records.run("scripts/reindex.py")
        assert answer.returncode == 0, answer.stderr
        assert f"{len(ids)} pictures switched" in answer.stdout
        assert records.image_collection() == current
    finally:
        records.serve_image_collection(current)
    assert staged < {row["vector_id"] for row in records.rows("SELECT vector_id FROM image_metadata")}
    assert set(found(client, top_k=100)) == ids


def test_pictures_of_another_model_are_embedded_again(client: httpx.Client, records: Records) -> None:
    ids = {indexed(client, image) for image in (coffee(), group())}
    before = set(records.image_vectors())
    records.rows("UPDATE image_assets SET model_id = 'of-yesterday'")
    answer = records.run("scripts/reindex.py")
    assert answer.returncode == 0, answer.stderr
    assert "2 pictures switched" in answer.stdout
    assert set(found(client, top_k=5)) == ids
    vectors = {row["vector_id"] for row in records.rows("SELECT vector_id FROM image_metadata")}
    assert vectors.isdisjoint(before)
    assert records.count("image_assets", "model_id = 'of-yesterday'") == 0
    assert records.count("image_reindex") == 0
    again = records.run("scripts/reindex.py")
    assert "0 pictures switched" in again.stdout


def test_vectors_that_could_not_be_staged_are_announced_for_removal(client: httpx.Client, records: Records) -> None:
    indexed(client, coffee())
    before = set(records.image_vectors())
    records.rows("UPDATE image_assets SET model_id = 'of-yesterday'")
    records.rows("ALTER TABLE image_reindex ADD CONSTRAINT nothing CHECK (FALSE)")
    try:
        assert records.run("scripts/reindex.py").returncode != 0
    finally:
        records.rows("ALTER TABLE image_reindex DROP CONSTRAINT nothing")
    [stored] = set(records.image_vectors()) - before
    assert [row["key"] for row in records.rows("SELECT key FROM pending_removals WHERE announced")] == [stored]


def test_a_missing_original_is_told(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee())
    records.rows("UPDATE image_assets SET model_id = 'of-yesterday', object_key = 'lost-found/gone.jpg'")
    answer = records.run("scripts/reindex.py")
    assert answer.returncode == 1
    assert f"the original of {cup} is missing" in answer.stderr


def test_reconcile_restores_a_vector_that_milvus_lost(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee(), tags=["white"])
    records.rows("UPDATE image_assets SET created_at = NOW() - INTERVAL '1 hour'")
    [vector_id] = records.image_vectors()
    records.delete_image_vector(vector_id)
    looked = records.reconcile()
    assert looked.returncode == 1
    assert f"missing vectors: 1: {vector_id}" in looked.stdout
    # The status also reports what earlier tests left in the bucket, part of which may just have turned a minute old.
    mended = records.reconcile("--mend").stdout.partition("looking again")[2]
    assert "missing vectors: 0" in mended
    records.wait_until(lambda: records.image_vectors() == [vector_id])  # another process inserted it
    assert found(client, filters={"tags": ["white"]}) == [cup]


def test_reconcile_leaves_what_is_being_indexed(client: httpx.Client, records: Records) -> None:
    cup = indexed(client, coffee())
    records.rows("DELETE FROM image_metadata")  # its vector and objects look like those of a picture under way
    looked = records.reconcile()
    assert "orphan vectors: 0" in looked.stdout
    assert cup not in looked.stdout  # the store may hold what earlier tests left, which is old enough to be told
    assert client.get(API).json()["images"] == []


def test_tagged_pictures_teach_a_new_name(start_service: Start) -> None:
    with start_service() as service:
        cups = {indexed(service.client, image, item_type="Zibbo") for image in (coffee(), tinted(60))}
        people = indexed(service.client, group())
        learnt = service.records.run("scripts/learn_prototypes.py")
        assert "1 names learnt: zibbo" in learnt.stdout, learnt.stderr
        with serving(service.settings) as again:
            assert set(found(again, query_text="zibbo", top_k=2)) == cups
            assert found(again, query_text="zibbo")[-1] == people
