"""Exact search in memory, against a plain comparison with every row."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from app.core.vector_matrix import MatrixRow, MatrixView, VectorMatrix
from app.types import FloatArray

DIMENSION = 16


def unit(seed: int) -> FloatArray:
    vector = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return vector / np.linalg.norm(vector)


def row(seed: int, label: str = "", moment_s: float = 0.0) -> MatrixRow:
    return MatrixRow(f"k{seed}", unit(seed), (label,), moment_s)


def filled(count: int) -> VectorMatrix:
    matrix = VectorMatrix(DIMENSION, columns=1)
    matrix.put(row(seed, label=f"room {seed % 7}", moment_s=seed) for seed in range(count))
    return matrix


def nearest(view: MatrixView, seed: int, top_k: int = 1, **options: object) -> list[str]:
    [found] = view.search(unit(seed)[None], top_k=top_k, **options)  # type: ignore[arg-type]  # by name
    return [one.key for one in found.nearest]


@pytest.mark.parametrize("count", [1, 5, 255, 256, 257, 3000])
def test_the_nearest_rows_come_first_and_all_are_counted(count: int) -> None:
    view = filled(count).view()
    query = unit(10_000)
    [found] = view.search(query[None], top_k=10)
    cosines = np.array([unit(seed) @ query for seed in range(count)])
    assert [one.key for one in found.nearest] == [f"k{i}" for i in np.argsort(-cosines)[:10]]
    assert [one.similarity for one in found.nearest] == pytest.approx(sorted(cosines, reverse=True)[:10], abs=1e-6)
    assert found.total == count


def test_only_what_is_near_enough_counts() -> None:
    view = filled(500).view()
    cosines = np.array([unit(seed) @ unit(3) for seed in range(500)])
    [found] = view.search(unit(3)[None], top_k=2, min_similarity=0.3)
    assert (found.total, len(found.nearest)) == (int(np.count_nonzero(cosines >= 0.3)), 2)
    [none] = view.search(unit(3)[None], top_k=5, min_similarity=1.1)
    assert (none.total, none.nearest) == (0, ())


@pytest.mark.parametrize("rooms", [{"room 1"}, {"room 1", "room 2", "room 3", "room 4", "room 5"}, set()])
def test_a_filter_costs_no_result(rooms: set[str]) -> None:
    view = filled(700).view()
    [found] = view.search(unit(0)[None], top_k=20, chosen=view.where(0, lambda label: label in rooms))
    eligible = [seed for seed in range(700) if f"room {seed % 7}" in rooms]
    assert [one.key for one in found.nearest] == [
        f"k{seed}" for seed in sorted(eligible, key=lambda seed: -float(unit(seed) @ unit(0)))[:20]
    ]
    assert found.total == len(eligible)
    assert {str(one.labels[0]) for one in found.nearest} <= rooms


def test_a_span_of_time_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    view = filled(20).view()
    [found] = view.search(unit(0)[None], top_k=20, chosen=view.between(5.0, 8.0))
    assert sorted(one.key for one in found.nearest) == ["k5", "k6", "k7"]
    assert view.search(unit(0)[None], top_k=20, chosen=view.between(None, None))[0].total == 20


def test_several_queries_are_answered_each() -> None:
    found = filled(50).view().search(np.stack([unit(3), unit(40)]), top_k=1)
    assert [one.nearest[0].key for one in found] == ["k3", "k40"]


def test_equals_come_in_the_order_of_their_arrival() -> None:
    matrix = VectorMatrix(DIMENSION, columns=1)
    matrix.put(MatrixRow(f"k{i}", unit(1), ("",)) for i in range(300))
    [found] = matrix.view().search(unit(1)[None], top_k=3)
    assert [one.key for one in found.nearest] == ["k0", "k1", "k2"]


def test_a_removed_row_is_found_no_more_and_a_replaced_one_by_its_new_vector() -> None:
    matrix = filled(300)
    matrix.remove(["k7", "unknown"])
    matrix.put([MatrixRow("k8", unit(9000), ("new",))])
    view = matrix.view()
    assert "k7" not in nearest(view, 7, top_k=300)
    assert nearest(view, 9000) == ["k8"]
    assert (len(matrix), view.count) == (299, 299)


def test_what_was_removed_takes_no_room_for_ever() -> None:
    matrix = filled(2000)
    matrix.remove(f"k{seed}" for seed in range(1500))
    view = matrix.view()
    assert view.bytes_scanned == 500 * DIMENSION * 4
    assert nearest(view, 1999) == ["k1999"]
    assert view.different(0) == 7


def padded(seed: int, used: slice) -> FloatArray:
    """A unit vector that is zero elsewhere."""
    vector = np.zeros(DIMENSION, np.float32)
    vector[used] = unit(seed)[used]
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("used", [slice(4), slice(4, None), slice(2, 9), slice(None)])
@pytest.mark.parametrize("asked", [slice(4), slice(6, None), slice(3, 12), slice(None)])
def test_columns_that_are_zero_change_no_cosine(used: slice, asked: slice) -> None:
    matrix = VectorMatrix(DIMENSION, columns=1)
    vectors = [padded(seed, used) for seed in range(400)]
    matrix.put(MatrixRow(f"k{seed}", vector, ("",)) for seed, vector in enumerate(vectors))
    query = padded(10_000, asked)
    [found] = matrix.view().search(query[None], top_k=5)
    cosines = np.stack(vectors) @ query
    assert [one.similarity for one in found.nearest] == pytest.approx(sorted(cosines, reverse=True)[:5], abs=1e-6)
    assert found.total == 400


def test_columns_behind_the_last_that_is_used_are_not_kept() -> None:
    matrix = VectorMatrix(DIMENSION, columns=1)
    matrix.put(MatrixRow(f"k{seed}", padded(seed, slice(4)), ("",)) for seed in range(300))
    before = matrix.view()
    assert before.bytes_scanned == 300 * 4 * 4
    matrix.put([MatrixRow("wide", padded(7, slice(5, 11)), ("",))])
    matrix.remove(f"k{seed}" for seed in range(290))
    after = matrix.view()
    assert nearest(before, 7, top_k=300) != nearest(after, 7, top_k=300)
    assert after.bytes_scanned == 11 * 11 * 4
    assert [one.key for one in after.search(padded(7, slice(5, 11))[None], top_k=1)[0].nearest] == ["wide"]
    assert [one.key for one in after.search(padded(295, slice(4))[None], top_k=1)[0].nearest] == ["k295"]


def test_an_empty_matrix_finds_nothing() -> None:
    [found] = VectorMatrix(DIMENSION, columns=1).view().search(unit(1)[None], top_k=3)
    assert (found.nearest, found.total) == ((), 0)


def test_a_reader_is_not_disturbed_by_the_writer() -> None:
    matrix = filled(100)
    shown = [matrix.view()]
    stop, wrong = threading.Event(), list[list[str]]()

    def read() -> None:
        while not stop.is_set():
            if (keys := nearest(shown[-1], 50)) != ["k50"]:
                wrong.append(keys)

    reader = threading.Thread(target=read)
    reader.start()
    for seed in range(100, 3000):
        matrix.put([row(seed)])
        matrix.remove([f"k{seed - 40}"] if seed > 140 else [])
        shown[:] = [matrix.view()]
    stop.set()
    reader.join()
    assert not wrong
