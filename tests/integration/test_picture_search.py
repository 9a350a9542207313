"""The contract of a search for pictures, from memory and over the vector database: filters, pages, totals, changes."""

from __future__ import annotations

import math
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from app.services.database import Database
from app.services.image_filters import ImageFilter
from app.services.live_matrix import LiveMatrix
from app.services.stores import image_store, matrix_store
from app.services.stores.image_matrix import COLUMNS, IMAGES, ImageTable
from app.services.stores.image_store import Fingerprint, ImageDetails, StoredImage
from app.services.vectors.base import ImageIndex, ImageVector, face_collection, image_collection
from app.workflows.picture_search import IndexPictures, MemoryPictures, PicturePage, PictureQuery, PictureSearch
from tests.backends import RunningBackends
from tests.integration.live import migrated_database
from tests.integration.test_vector_db import DIMENSION, NOON, PICTURES, chosen_among, holds, picture, unit
from tests.integration.vector_adapters import MilvusAdapter

MODEL = "model-a"
FILTERS = (
    ImageFilter(),
    ImageFilter(category="room"),
    ImageFilter(category="kitchen"),
    ImageFilter(room_number="101"),
    ImageFilter(item_type=" Hand  BAG"),
    ImageFilter(status="active"),
    ImageFilter(tags=("Clean",)),
    ImageFilter(tags=("clean", "deluxe")),
    ImageFilter(tags=('it"s', "50%")),
    ImageFilter(location="Floor 2"),
    ImageFilter(location="TẦNG"),
    ImageFilter(location='"east" 100% \\'),
    ImageFilter(since=NOON),
    ImageFilter(before=NOON),
    ImageFilter(since=NOON, before=NOON),
    ImageFilter(category="room", tags=("clean",), since=NOON, before=NOON.replace(minute=1)),
)


@dataclass(frozen=True)
class Shelf:
    """The record of pictures, and the vector database beside it."""

    database: Database
    index: ImageIndex

    async def add(self, *pictures: ImageVector, model_id: str = MODEL) -> None:
        await self.index.insert(pictures)
        async with self.database.transaction() as connection:
            for one in pictures:
                details = ImageDetails(
                    one.category,
                    room_number=one.room_number or None,
                    item_type=one.item_type or None,
                    tags=one.tags,
                    location=one.location.title() or None,
                    status=one.status,
                )
                image = StoredImage(
                    image_id=one.image_id,
                    vector_id=one.vector_id,
                    details=details,
                    uploaded_at=datetime.fromtimestamp(one.uploaded_at_s, UTC),
                    uploaded_by=None,
                    object_key=one.image_id,
                    thumbnail_key=f"thumb_{one.image_id}",
                    width=1,
                    height=1,
                    model_id=model_id,
                )
                print_of = Fingerprint(one.vector, one.image_id.encode())
                await image_store.add_image(connection, image, print_of, storage_url="", thumbnail_url="")

    async def remove(self, image_id: str) -> None:
        async with self.database.transaction() as connection:
            await image_store.remove_image(connection, image_id)


@pytest.fixture(scope="module")
def migrated_url(backends: RunningBackends) -> str:
    return migrated_database(backends)


@pytest.fixture
async def shelf(backends: RunningBackends, migrated_url: str) -> AsyncIterator[Shelf]:
    database = Database(migrated_url, max_size=4, timeout_s=5.0)
    await database.open()
    await database.execute("TRUNCATE image_metadata, image_assets")
    alias, adapter = f"pictures_{uuid.uuid4().hex}", MilvusAdapter(backends)
    faces = replace(face_collection(MODEL, DIMENSION), public_name=alias)
    images = replace(image_collection(MODEL, DIMENSION), public_name=f"{alias}_images")
    vectors = adapter.connect(faces, images, choose=chosen_among(PICTURES))
    yield Shelf(database, vectors.images)
    await vectors.close()
    await database.close()
    adapter.remove(f"{alias}_images")


@pytest.fixture(params=["memory", "index", "beyond the memory's size"])
def pictures(request: pytest.FixtureRequest, shelf: Shelf) -> PictureSearch:
    index = IndexPictures(shelf.index, shelf.database)
    if request.param == "index":
        return index
    limit = None if request.param == "memory" else 0
    matrix = LiveMatrix(shelf.database, ImageTable(MODEL), dimension=DIMENSION, columns=len(COLUMNS), limit=limit)
    return MemoryPictures(matrix, beyond=index)


async def page(
    shelf: Shelf,
    pictures: PictureSearch,
    *,
    seed: int = 3,
    wanted: ImageFilter | None = None,
    min_cosine: float = -math.inf,
    offset: int = 0,
    top_k: int = 10,
) -> PicturePage:
    """As the workflow looks: again, where the search had not seen everything."""
    query = PictureQuery(unit(seed), wanted or ImageFilter(), min_cosine, offset, top_k)
    found = await pictures.page(query)
    async with shelf.database.connection() as connection:
        behind = found.snapshot is not None and await matrix_store.is_behind(connection, IMAGES, found.snapshot)
    if behind:
        await pictures.catch_up()
        found = await pictures.page(query)
    return found


async def test_a_search_finds_exactly_what_the_filter_holds_for(shelf: Shelf, pictures: PictureSearch) -> None:
    await shelf.add(*PICTURES)
    for wanted in FILTERS:
        found = await page(shelf, pictures, wanted=wanted)
        right = sorted((one for one in PICTURES if holds(wanted, one)), key=lambda one: -float(one.vector @ unit(3)))
        assert list(found.cosines) == [one.image_id for one in right], wanted
        assert (found.total, found.is_exact) == (len(right), True), wanted
        assert list(found.cosines.values()) == pytest.approx(
            [float(one.vector @ unit(3)) for one in right], abs=1e-4
        ), wanted


async def test_pages_follow_one_another_and_tell_the_exact_total(shelf: Shelf, pictures: PictureSearch) -> None:
    many = [picture(f"p{seed}", seed, "room") for seed in range(70)]
    await shelf.add(*many)
    right = [one.image_id for one in sorted(many, key=lambda one: -float(one.vector @ unit(3)))]
    assert list((await page(shelf, pictures, top_k=7)).cosines) == right[:7]
    third = await page(shelf, pictures, offset=20, top_k=10)
    assert list(third.cosines) == right[20:30]
    assert (third.total, third.is_exact) == (70, True)
    assert (await page(shelf, pictures, offset=90)).cosines == {}


async def test_a_threshold_counts_all_that_reach_it(shelf: Shelf, pictures: PictureSearch) -> None:
    many = [picture(f"p{seed}", seed, "room") for seed in range(60)]
    await shelf.add(*many)
    near = [one for one in many if float(one.vector @ unit(3)) >= 0.2]
    found = await page(shelf, pictures, min_cosine=0.2, top_k=2)
    assert (len(found.cosines), found.total, found.is_exact) == (2, len(near), True)


async def test_what_is_added_changed_or_removed_elsewhere_counts_at_once(shelf: Shelf, pictures: PictureSearch) -> None:
    assert (await page(shelf, pictures)).cosines == {}
    await shelf.add(*PICTURES)
    assert "IMG_bag" in (await page(shelf, pictures)).cosines
    await shelf.remove("IMG_bag")
    found = await page(shelf, pictures)
    assert "IMG_bag" not in found.cosines
    assert found.total == len(PICTURES) - 1


async def test_pictures_of_another_model_are_not_compared(shelf: Shelf) -> None:
    await shelf.add(picture("old", 1, "room"), model_id="model-b")
    matrix = LiveMatrix(shelf.database, ImageTable(MODEL), dimension=DIMENSION, columns=len(COLUMNS), limit=None)
    state = await matrix.state()
    assert state is not None
    assert state.view.count == 0


async def test_the_picture_of_a_stale_page_is_noticed(shelf: Shelf) -> None:
    await shelf.add(*PICTURES)
    async with shelf.database.connection() as connection:
        snapshot = await matrix_store.take_snapshot(connection)
        images, is_behind = await image_store.images_now(connection, ["IMG_bag", "IMG_none"], snapshot)
        assert (list(images), is_behind) == (["IMG_bag"], False)
    await shelf.remove("IMG_bag")
    async with shelf.database.connection() as connection:
        assert await image_store.images_now(connection, ["IMG_bag"], snapshot) == ({}, True)
        assert await image_store.images_now(connection, ["IMG_bag"], None) == ({}, False)
