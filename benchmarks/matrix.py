"""What a search in memory costs by itself: no HTTP, no picture to embed, no database."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from app.core.vector_matrix import MatrixRow, MatrixView, VectorMatrix
from app.services.image_filters import ImageFilter
from app.services.stores.image_matrix import COLUMNS, rows_for_which
from app.types import FloatArray
from benchmarks.harness import percentile

FACE_DIMENSION, IMAGE_DIMENSION = 512, 768
FACE_NUMBERS = 128
"""What the compact pack's network gives; zeros fill a template up."""
_WORDS_FROM = 320
"""Before this column a picture's vector tells its appearance, of which words know nothing."""
_TIMES = 60
_TOP_K = 10


@dataclass(frozen=True, slots=True)
class Scan:
    """One kind of search; ``eligible`` rows were compared."""

    name: str
    eligible: int
    wall_ms: list[float]
    cpu_ms: list[float]


def unit_vectors(count: int, dimension: int, used: slice = slice(None)) -> FloatArray:
    """Random ones, (count, dimension) float32, the same every time; zero but in the columns ``used``."""
    vectors = np.zeros((count, dimension), np.float32)
    shape = (count, len(range(dimension)[used]))
    vectors[:, used] = np.random.default_rng(2025).standard_normal(shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def faces(count: int) -> Scan:
    """The nearest of ``count`` templates."""
    matrix = VectorMatrix(FACE_DIMENSION, columns=1)
    matrix.reserve(count)
    vectors = unit_vectors(count, FACE_DIMENSION, slice(FACE_NUMBERS))
    matrix.put(MatrixRow(f"t{i}", vector, (f"E{i // 3}",)) for i, vector in enumerate(vectors))
    view = matrix.view()
    queries = unit_vectors(_TIMES, FACE_DIMENSION, slice(FACE_NUMBERS))
    return _timed(f"gallery of {count}: nearest template", view, None, count, queries=queries, top_k=1)


def pictures(count: int) -> list[Scan]:
    """The ten nearest of ``count`` pictures under each kind of filter."""
    generator = np.random.default_rng(7)
    categories = generator.choice(["room", "lost_found", "amenity"], size=count, p=[0.6, 0.3, 0.1])
    rooms, tags, days = (generator.integers(size, size=count) for size in (300, 50, 365))
    matrix = VectorMatrix(IMAGE_DIMENSION, columns=len(COLUMNS))
    matrix.reserve(count)
    for i, vector in enumerate(unit_vectors(count, IMAGE_DIMENSION)):
        labels = (str(categories[i]), str(100 + rooms[i]), "", f"floor {rooms[i] % 9}", "active")
        matrix.put([MatrixRow(f"p{i}", vector, (*labels, frozenset((f"tag{tags[i]}", "bench"))), days[i] * 86_400.0)])
    view = matrix.view()
    kinds = {
        "no filter": ImageFilter(),
        "category lost_found": ImageFilter(category="lost_found"),
        "one room": ImageFilter(category="room", room_number="217"),
        "a tag": ImageFilter(tags=("tag3",)),
        "a part of a place": ImageFilter(location="floor 3"),
    }
    found = []
    for name, wanted in kinds.items():
        chosen = rows_for_which(view, wanted)
        eligible = count if chosen is None else int(np.count_nonzero(chosen))
        kind = f"{count} pictures: {name}"
        found.append(_timed(kind, view, wanted, eligible, queries=unit_vectors(_TIMES, IMAGE_DIMENSION), top_k=_TOP_K))
    words = unit_vectors(_TIMES, IMAGE_DIMENSION, slice(_WORDS_FROM, None))
    kind = f"{count} pictures: by words, no filter"
    return [*found, _timed(kind, view, ImageFilter(), count, queries=words, top_k=_TOP_K)]


def _timed(
    name: str, view: MatrixView, wanted: ImageFilter | None, eligible: int, *, queries: FloatArray, top_k: int
) -> Scan:
    wall_ms, cpu_ms = [], []
    for query in queries:
        began_s, cpu_s = time.perf_counter(), time.process_time()
        view.search(query[None], top_k=top_k, chosen=rows_for_which(view, wanted) if wanted else None)
        wall_ms.append((time.perf_counter() - began_s) * 1000)
        cpu_ms.append((time.process_time() - cpu_s) * 1000)
    return Scan(name, eligible, wall_ms, cpu_ms)


def report(scans: list[Scan]) -> str:
    """The section of docs/benchmarks.md."""
    rows = "\n".join(
        f"| {one.name} | {one.eligible} | {percentile(one.wall_ms, 0.5):.2f} ms "
        f"| {percentile(one.wall_ms, 0.95):.2f} ms | {percentile(one.cpu_ms, 0.5):.2f} ms | {len(one.wall_ms)} |"
        for one in scans
    )
    return f"""\
Searches in memory by themselves, exact, float32; random unit vectors, templates of 128 numbers in 512.

| search | rows compared | median | p95 | CPU, median | n |
|---|---|---|---|---|---|
{rows}
"""
