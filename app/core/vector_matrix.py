"""Unit vectors in one block of memory, with labels beside them: exact search, and filters as masks.

A search is bound by the memory that it reads, so columns that are zero are not read: those behind the last that any
row uses are not even kept (a network of 128 numbers stored in 512 takes a quarter), and those at a query's ends are
left out (words know nothing of a picture's appearance).

One writer, any number of readers in any thread: rows are only ever added behind those that a reader has seen, and a
removed row is marked, not moved. Marked rows go when they are a quarter of all; readers of before keep the old block.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from app.types import FloatArray

BoolArray = npt.NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)
_FIRST_ROOM = 256
# Fewer eligible rows than this share are gathered first; gathering costs about as much as multiplying.
_GATHER_BELOW = 0.15


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A vector, (d,) float32 of unit norm, with its key, one label a column, and the moment it is filtered by."""

    key: str
    vector: FloatArray
    labels: tuple[Hashable, ...] = ()
    moment_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A row near a query; ``similarity`` is the cosine, -1 to 1."""

    key: str
    labels: tuple[Hashable, ...]
    similarity: float


@dataclass(frozen=True, slots=True)
class SearchFound:
    """The nearest rows, closest first, and how many there are at or above the threshold that was asked for."""

    nearest: tuple[Neighbour, ...]
    total: int


class _Column:
    """Labels of all rows: each different value once, and its number for each row."""

    __slots__ = ("_numbers", "codes", "values")

    def __init__(self) -> None:
        self.codes: npt.NDArray[np.int32] = np.zeros(_FIRST_ROOM, np.int32)
        self.values: list[Hashable] = []
        self._numbers: dict[Hashable, int] = {}

    def put(self, position: int, value: Hashable) -> None:
        number = self._numbers.get(value)
        if number is None:
            number = self._numbers[value] = len(self.values)
            self.values.append(value)
        self.codes[position] = number

    def grow(self, room: int) -> None:
        self.codes = _grown(self.codes, room)


class MatrixView:
    """The rows as they were when the view was taken. A row removed since may or may not be found."""

    def __init__(
        self,
        vectors: FloatArray,
        alive: BoolArray,
        moments: npt.NDArray[np.float64],
        keys: Sequence[str],
        columns: Sequence[_Column],
        *,
        count: int,
    ) -> None:
        self._vectors = vectors[:count]
        self._alive = alive[:count]
        self._moments = moments[:count]
        self._keys = keys
        self._columns = [(column.codes[:count], column.values) for column in columns]
        self.count = int(np.count_nonzero(self._alive))
        self._different: dict[int, int] = {}

    @property
    def bytes_scanned(self) -> int:
        """How much memory one search reads."""
        return int(self._vectors.nbytes)

    def different(self, column: int) -> int:
        """How many different labels the rows have in a column."""
        if column not in self._different:
            codes, _ = self._columns[column]
            self._different[column] = len(np.unique(codes[self._alive]))
        return self._different[column]

    def where(self, column: int, holds: Callable[[Hashable], bool]) -> BoolArray:
        """The rows for whose label the condition holds; it is asked once for each different label."""
        codes, values = self._columns[column]
        known = len(values)
        return np.fromiter(map(holds, values[:known]), bool, known)[codes]

    def between(self, since_s: float | None, before_s: float | None) -> BoolArray:
        """The rows of a span of time; None leaves a side open."""
        chosen = np.ones(len(self._moments), bool)
        if since_s is not None:
            chosen &= self._moments >= since_s
        if before_s is not None:
            chosen &= self._moments < before_s
        return chosen

    def search(
        self,
        queries: FloatArray,
        *,
        top_k: int,
        min_similarity: float = -np.inf,
        chosen: BoolArray | None = None,
    ) -> list[SearchFound]:
        """The nearest rows of each query, (m, d) float32 of unit norm; of equals the one that was added first.

        Args:
            min_similarity: the least cosine that counts.
            chosen: the rows to look among; None for all.
        """
        eligible = self._alive if chosen is None else self._alive & chosen
        positions = np.flatnonzero(eligible)
        used = _used_columns(queries[:, : self._vectors.shape[1]])
        vectors, wanted = self._vectors[:, used], queries[:, used].T
        if len(positions) < _GATHER_BELOW * len(eligible):
            cosines = vectors[positions] @ wanted
        elif len(positions) < len(eligible):
            cosines = (vectors @ wanted)[positions]
        else:
            cosines = vectors @ wanted
        return [self._best(positions, cosines[:, i], top_k, min_similarity) for i in range(len(queries))]

    def _best(
        self, positions: npt.NDArray[np.intp], cosines: FloatArray, top_k: int, min_similarity: float
    ) -> SearchFound:
        good = len(cosines) if min_similarity == -np.inf else int(np.count_nonzero(cosines >= min_similarity))
        wanted = min(top_k, good)
        if wanted <= 0:
            return SearchFound((), good)
        least = np.partition(cosines, len(cosines) - wanted)[len(cosines) - wanted]
        candidates = np.flatnonzero(cosines >= least)
        order = candidates[np.argsort(-cosines[candidates], kind="stable")][:wanted]
        return SearchFound(tuple(self._neighbour(int(positions[i]), float(cosines[i])) for i in order), good)

    def _neighbour(self, position: int, similarity: float) -> Neighbour:
        labels = tuple(values[codes[position]] for codes, values in self._columns)
        return Neighbour(self._keys[position], labels, similarity)


class VectorMatrix:
    """The rows, written by one owner.

    Args:
        dimension: of each vector.
        columns: how many labels a row has.
    """

    def __init__(self, dimension: int, *, columns: int) -> None:
        self._dimension = dimension
        self._column_count = columns
        self._clear()

    def _clear(self) -> None:
        self._vectors: FloatArray = np.zeros((_FIRST_ROOM, 0), np.float32)
        self._alive: BoolArray = np.zeros(_FIRST_ROOM, bool)
        self._moments: npt.NDArray[np.float64] = np.zeros(_FIRST_ROOM, np.float64)
        self._keys: list[str] = []
        self._columns = [_Column() for _ in range(self._column_count)]
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._positions)

    def reserve(self, count: int) -> None:
        """Make room for that many rows at once."""
        if count > len(self._vectors):
            self._grow(count)

    def put(self, rows: Iterable[MatrixRow]) -> None:
        """Add rows; one of a key that is there replaces it."""
        for row in rows:
            self.remove([row.key])
            position = len(self._keys)
            if position == len(self._vectors):
                self._grow(position * 3 // 2)
            used = _used_columns(row.vector[None]).stop
            if used > self._vectors.shape[1]:
                self._vectors = _widened(self._vectors, used)
            self._vectors[position] = row.vector[: self._vectors.shape[1]]
            self._moments[position] = row.moment_s
            for column, label in zip(self._columns, row.labels, strict=True):
                column.put(position, label)
            self._alive[position] = True
            self._keys.append(row.key)
            self._positions[row.key] = position

    def remove(self, keys: Iterable[str]) -> None:
        """Take rows away; unknown keys are no error."""
        for key in keys:
            if (position := self._positions.pop(key, None)) is not None:
                self._alive[position] = False

    def view(self) -> MatrixView:
        """What readers search from now on."""
        dead = len(self._keys) - len(self._positions)
        if dead > _FIRST_ROOM and dead > len(self._keys) // 4:
            self._compact()
        return MatrixView(self._vectors, self._alive, self._moments, self._keys, self._columns, count=len(self._keys))

    def _grow(self, room: int) -> None:
        self._vectors = _grown(self._vectors, room)
        self._alive = _grown(self._alive, room)
        self._moments = _grown(self._moments, room)
        for column in self._columns:
            column.grow(room)

    def _compact(self) -> None:
        rows = [
            MatrixRow(
                key,
                _widened(self._vectors[position : position + 1], self._dimension)[0],
                tuple(column.values[column.codes[position]] for column in self._columns),
                float(self._moments[position]),
            )
            for key, position in self._positions.items()
        ]
        self._clear()
        self.reserve(len(rows) * 5 // 4)
        self.put(rows)


def _used_columns(vectors: FloatArray) -> slice:
    """From the first column that is not zero everywhere to the last."""
    used = np.flatnonzero(vectors.any(axis=0))
    return slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 0)


def _widened(vectors: FloatArray, columns: int) -> FloatArray:
    """A copy with more columns; readers keep the old one."""
    widened = np.zeros((len(vectors), columns), np.float32)
    widened[:, : vectors.shape[1]] = vectors
    return widened


def _grown(array: npt.NDArray[Number], room: int) -> npt.NDArray[Number]:
    """A copy with room for more rows; readers keep the old one."""
    grown = np.zeros((room, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
