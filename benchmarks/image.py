"""How fast pictures are indexed and found among many, and whether a filter ever costs one.

The many are synthetic: vectors around those of a few real pictures, so that a search has near neighbours to tell
apart, with rooms, tags and days spread over them. They go straight into PostgreSQL and Milvus; searching and indexing
are whole HTTP requests.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import cv2
import httpx
import numpy as np

from app.composition.backends import open_backends
from app.config import Settings
from app.core.image_embedding import ImageEmbedder
from app.services.stores.image_store import Fingerprint, ImageDetails, StoredImage, add_image
from app.types import FloatArray, Image
from app.utils.image_processing import encode_jpeg
from app.workflows.image_records import vector_row
from benchmarks.harness import Bench, percentile

IMAGES = "/api/v1/cv/image"
SEARCH, INDEX = f"{IMAGES}/search", f"{IMAGES}/index"
_NOISE = 0.8  # length of the noise against that of a real vector
_BATCH = 2000
_FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)
_TOP_K = 10
PLACES = {
    "memory": "in the memory of the API process (`IMAGE_SEARCH=memory`)",
    "index": "in Milvus Lite (`IMAGE_SEARCH=index`, `MILVUS_INDEX=EXACT`)",
}
"""Where pictures are searched, by the setting's value."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What fills the collection; ``vectors`` is (n, d), details and days stand beside them."""

    vectors: FloatArray
    details: Sequence[ImageDetails]
    days: FloatArray

    def image_id(self, position: int) -> str:
        return f"IMG_BENCH_{position:07d}"


def make_crowd(real: FloatArray, count: int) -> Crowd:
    """``count`` vectors around the real ones, (m, d); the same every time."""
    generator = np.random.default_rng(2025)
    noise = generator.normal(size=(count, real.shape[1])).astype(np.float32)
    noise *= _NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors = real[generator.integers(len(real), size=count)] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    categories = generator.choice(["room", "lost_found", "amenity"], size=count, p=[0.6, 0.3, 0.1])
    rooms, tags = generator.integers(300, size=count), generator.integers(50, size=count)
    details = [
        ImageDetails(category=str(category), room_number=str(100 + room), tags=(f"tag{tag}", "bench"))
        for category, room, tag in zip(categories, rooms, tags, strict=True)
    ]
    return Crowd(vectors, details, generator.integers(365, size=count).astype(np.float32))


async def fill(settings: Settings, crowd: Crowd, model_id: str) -> None:
    """Write the crowd into PostgreSQL and Milvus."""
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        for start in range(0, len(crowd.vectors), _BATCH):
            rows = [
                (_stored(crowd, position, model_id), crowd.vectors[position])
                for position in range(start, min(start + _BATCH, len(crowd.vectors)))
            ]
            await backends.vectors.images.insert([vector_row(image, vector) for image, vector in rows])
            async with backends.database.transaction() as connection:
                for image, vector in rows:
                    fingerprint = Fingerprint(vector, image.image_id.encode().ljust(32))
                    await add_image(
                        connection, image, fingerprint, storage_url="s3://bench", thumbnail_url="s3://bench"
                    )


def _stored(crowd: Crowd, position: int, model_id: str) -> StoredImage:
    image_id = crowd.image_id(position)
    return StoredImage(
        image_id=image_id,
        vector_id=f"vec_{image_id}",
        details=crowd.details[position],
        uploaded_at=_FIRST_DAY + timedelta(days=float(crowd.days[position]), hours=12),
        uploaded_by="bench",
        object_key=f"bench/{image_id}.jpg",
        thumbnail_key=f"bench/thumb_{image_id}.jpg",
        width=1,
        height=1,
        model_id=model_id,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """Latencies of one kind of search, and the mean share of the true ten nearest that it returned."""

    name: str
    eligible: int
    latencies_ms: list[float]
    recall: float


def measure_searches(
    bench: Bench, crowd: Crowd, embedder: ImageEmbedder, photos: Sequence[Image], *, rounds: int
) -> list[Found]:
    """Every filter with every photo, against a comparison with each eligible vector."""
    categories = np.array([details.category for details in crowd.details])
    rooms = np.array([details.room_number for details in crowd.details])
    tagged = np.array(["tag3" in details.tags for details in crowd.details])
    days = {"date_range": {"start": "2025-03-01", "end": "2025-03-07"}}
    week = (crowd.days >= 59) & (crowd.days <= 65)
    kinds: list[tuple[str, dict[str, object], np.ndarray[tuple[int], np.dtype[np.bool_]]]] = [
        ("no filter", {}, np.ones(len(categories), bool)),
        ("category lost_found", {"category": "lost_found"}, categories == "lost_found"),
        (
            "one room",
            {"category": "room", "filters": {"room_number": "117"}},
            (categories == "room") & (rooms == "117"),
        ),
        ("one week", {"filters": days}, week),
        ("a tag", {"filters": {"tags": ["tag3"]}}, tagged),
    ]
    return [_search(bench, crowd, embedder, photos, *kind, rounds=rounds) for kind in kinds]


def _search(
    bench: Bench,
    crowd: Crowd,
    embedder: ImageEmbedder,
    photos: Sequence[Image],
    name: str,
    body: dict[str, object],
    eligible: np.ndarray[tuple[int], np.dtype[np.bool_]],
    *,
    rounds: int,
) -> Found:
    positions = np.flatnonzero(eligible)
    latencies: list[float] = []
    recalls: list[float] = []
    for photo in [photo for _ in range(rounds) for photo in photos]:
        picture = encode_jpeg(photo)
        # What the service sees is the decoded JPEG, and so must we.
        seen = np.asarray(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        cosines = crowd.vectors[positions] @ embedder.embed_images([seen])[0].vector
        true = {crowd.image_id(int(positions[i])) for i in np.argsort(-cosines)[:_TOP_K]}
        request = {"query_image": base64.b64encode(picture).decode(), "threshold": 0.0, "top_k": _TOP_K, **body}
        started_at = time.perf_counter()
        answer = bench.client.post(SEARCH, json=request)
        latencies.append((time.perf_counter() - started_at) * 1000)
        answer.raise_for_status()
        found = {result["image_id"] for result in answer.json()["results"]}
        recalls.append(len(found & true) / len(true))
    return Found(name, len(positions), latencies, float(np.mean(recalls)))


@dataclass(frozen=True, slots=True)
class Indexing:
    """Pictures indexed a second, and the CPU time that each process spent on one."""

    clients: int
    count: int
    per_second: float
    cpu_ms: dict[str, float]


def measure_indexing(bench: Bench, photo: Image, *, clients: int, count: int) -> Indexing:
    """Index pictures of 640 x 480, ``clients`` at a time; each is one of its own, and removed at the end."""
    frame = cv2.resize(photo, (640, 480), interpolation=cv2.INTER_AREA)

    def send(number: int) -> str:
        different = frame.copy()
        different[:64, :64] = np.random.default_rng(number).integers(256, size=(64, 64, 3))
        body = {
            "image": base64.b64encode(encode_jpeg(different.astype(np.uint8))).decode(),
            "metadata": {"category": "amenity"},
        }
        answer = client.post(INDEX, json=body)
        answer.raise_for_status()
        return str(answer.json()["image_id"])

    with httpx.Client(base_url=bench.client.base_url, timeout=60) as client, ThreadPoolExecutor(clients) as threads:
        warm = list(threads.map(send, range(clients)))
        before, started_at = bench.cpu_s(), time.perf_counter()
        timed = list(threads.map(send, range(clients, clients + count)))
        after, seconds = bench.cpu_s(), time.perf_counter() - started_at
        for image_id in [*warm, *timed]:  # or they would be nearer to the queries than the crowd
            client.delete(f"{IMAGES}/{image_id}").raise_for_status()
    return Indexing(
        clients, count, count / seconds, {name: (after[name] - before[name]) * 1000 / count for name in after}
    )


def fill_blocking(bench: Bench, crowd: Crowd, model_id: str) -> float:
    """``fill`` with the bench's backends; returns its seconds."""
    started_at = time.perf_counter()
    # Thousands of rows a call take longer than a request may.
    settings = Settings(**{**bench.environment, "_env_file": None, "BACKEND_TIMEOUT_S": "120"})  # type: ignore[arg-type]  # pydantic parses text
    asyncio.run(fill(settings, crowd, model_id))
    return time.perf_counter() - started_at


def report(*, count: int, search_in: str, found: Sequence[Found], indexing: Indexing, resident_mb: float) -> str:
    """The section of docs/benchmarks.md; ``search_in`` is a key of PLACES."""
    rows = "\n".join(
        f"| {one.name} | {one.eligible} | {percentile(one.latencies_ms, 0.5):.0f} ms "
        f"| {percentile(one.latencies_ms, 0.95):.0f} ms | {one.recall:.3f} | {len(one.latencies_ms)} |"
        for one in found
    )
    cpu = ", ".join(f"{name} {ms:.0f} ms" for name, ms in sorted(indexing.cpu_ms.items(), key=lambda item: -item[1]))
    return f"""\
{count} pictures, searched {PLACES[search_in]}; whole HTTP searches by picture, one after another,
threshold 0, top_k {_TOP_K}. Recall is against a comparison with every eligible vector.

| filter | eligible | median | p95 | recall@{_TOP_K} | n |
|---|---|---|---|---|---|
{rows}

Indexing 640x480 photos over HTTP, {indexing.clients} clients: {indexing.per_second:.1f} pictures/s
(n = {indexing.count}), with original, thumbnail, vector and rows. CPU time of one:
{cpu}. Resident memory of the API process: {resident_mb:.0f} MB.
"""
