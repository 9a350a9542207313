"""What the service asks of a vector database: two indexes, each with the life of the collections behind its name.

PostgreSQL is the record. An index is a copy of it that can be searched, so it may be lost and made again, and a hit
counts only where PostgreSQL knows its vector. Vectors of two models must never meet: behind the public name of an index
is one collection a model, and the name moves from one to the next in one step.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from app.errors import ConfigurationError
from app.services.image_filters import ImageFilter
from app.types import FloatArray

_ROUNDING = 1e-3
_TURN = "__turn_"

BACKEND = "vector_db"
"""The name of every vector database in /health and in metrics."""

Chooser = Callable[[ImageFilter], Awaitable[Sequence[str]]]
"""Names the vectors for which a filter with words holds: an index knows nothing of marks, and each server finds parts
of texts in a way of its own. More than ``MAX_CHOSEN`` where there are as many."""

MAX_CHOSEN = 10_000
"""Of more than these an index looks among all: a filter that holds for so many leaves enough of the nearest ones."""


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """A collection: its public name, the model whose vectors of ``dimension`` numbers it holds, and the fingerprint of
    the key that turned them; empty where they are plain."""

    public_name: str
    model_id: str
    dimension: int
    turn: str = ""

    @property
    def collection(self) -> str:
        """The name behind the public one: letters, digits and underscores."""
        return f"{self._of_model}{_TURN}{self.turn}" if self.turn else self._of_model

    @property
    def _of_model(self) -> str:
        return f"{self.public_name}__{re.sub(r'[^A-Za-z0-9]', '_', self.model_id)}"

    def refuse_other(self, current: str | None) -> None:
        """Hold what the public name is now against this model; the turn may be another.

        Raises:
            ConfigurationError: it is another model's collection.
        """
        if current is not None and current.partition(_TURN)[0] != self._of_model:
            raise ConfigurationError(
                f"{self.public_name} holds vectors of another model ({current}), the loaded one is {self.model_id}. "
                f"Migrate with: cv reindex --collection {self.public_name}",
                code="model_changed",
            )


def face_collection(model_id: str, dimension: int) -> CollectionSpec:
    """The spec's ``face_embeddings``."""
    return CollectionSpec("face_embeddings", model_id, dimension)


def image_collection(model_id: str, dimension: int) -> CollectionSpec:
    """The spec's ``image_embeddings``."""
    return CollectionSpec("image_embeddings", model_id, dimension)


def new_vector_id() -> str:
    """A fresh key for a vector."""
    return f"vec_{uuid.uuid4().hex}"


def _now_s() -> int:
    return int(time.time())


@dataclass(frozen=True, slots=True)
class FaceVector:
    """A template: its vector, (d,) float32 of unit norm, and whose it is. Times are Unix time."""

    vector_id: str
    employee_id: str
    vector: FloatArray
    quality_score: float
    enrolled_at_s: int = field(default_factory=_now_s)


@dataclass(frozen=True, slots=True)
class ImageVector:
    """A picture: its vector, (d,) float32 of unit norm, and what searches are narrowed by.

    Words and tags are normalised as those of ``ImageFilter`` are; empty where unknown. ``uploaded_at_s`` is Unix time.
    """

    vector_id: str
    image_id: str
    vector: FloatArray
    category: str
    uploaded_at_s: int
    room_number: str = ""
    item_type: str = ""
    location: str = ""
    status: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaceHit:
    """A stored template near the probe; ``similarity`` is the cosine, -1 to 1."""

    vector_id: str
    employee_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ImageHit:
    """A stored picture near the query; ``similarity`` is the cosine, -1 to 1."""

    vector_id: str
    image_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector that the index holds, (d,) float32; ``stored_at_s`` is the Unix time of its enrolment or upload."""

    vector_id: str
    stored_at_s: int
    vector: FloatArray

    def differs_from(self, record: FloatArray) -> bool:
        """Whether it is another one than the record's, (d,) float32 of unit norm, beyond what rounding may do."""
        return self.vector.shape != record.shape or float(np.abs(self.vector - record).max()) > _ROUNDING


@dataclass(frozen=True, slots=True)
class VectorPage:
    """Some of an index's vectors, and where the next ones begin; None at the end."""

    vectors: tuple[StoredVector, ...]
    next_cursor: str | None


class VectorIndex(Protocol):
    """What both indexes have in common.

    Every method but ``spec`` raises BackendUnavailable where the vector database does not answer in time.
    """

    @property
    def spec(self) -> CollectionSpec:
        """The collection of the configured model."""

    async def open(self) -> None:
        """Create the collection and give it the public name, where that is missing.

        Raises:
            ConfigurationError: the public name belongs to another model's collection.
        """

    async def open_beside(self) -> None:
        """Create this model's collection while the public name stays with another's, to fill it."""

    async def switch(self) -> None:
        """Give the public name to this model's collection, in one step."""

    async def current_collection(self) -> str | None:
        """The collection that has the public name now; None before the first start."""

    async def drop(self, collection: str) -> None:
        """Remove a collection that does not have the public name any more."""

    async def delete(self, vector_ids: Sequence[str]) -> None:
        """Remove vectors; unknown ids are no error. On return no search finds them any more."""

    async def count(self) -> int:
        """How many vectors the collection holds."""

    async def page(self, *, cursor: str | None, limit: int) -> VectorPage:
        """Some of the collection's vectors; all pages together hold each that was there all the time once.

        Args:
            cursor: of the page before; None for the first.
        """


class FaceIndex(VectorIndex, Protocol):
    """The templates of people."""

    async def insert(self, faces: Sequence[FaceVector]) -> None:
        """Add templates. A caller that gets an error must remove them by their ids: some may be there."""

    async def search(self, probes: FloatArray, *, top_k: int, strong: bool = False) -> list[list[FaceHit]]:
        """The nearest templates of each probe, closest first.

        Args:
            probes: (n, d) float32 of unit norm.
            strong: also see what other processes wrote until now; slower on a cluster.
        """

    async def delete_person(self, employee_id: str) -> None:
        """Remove every template of a person, those that PostgreSQL does not know included."""


class ImageIndex(VectorIndex, Protocol):
    """The pictures of rooms, lost things and amenities."""

    async def insert(self, images: Sequence[ImageVector]) -> None:
        """Add pictures. A caller that gets an error must remove them by their ids: some may be there."""

    async def search(self, query: FloatArray, *, wanted: ImageFilter, top_k: int) -> list[ImageHit]:
        """The nearest pictures for which the filter holds, closest first; ``top_k`` counts such pictures only.

        Args:
            query: (d,) float32 of unit norm.
        """


class VectorBackend(Protocol):
    """One vector database with both indexes. It connects at the first call."""

    @property
    def faces(self) -> FaceIndex:
        """The index of the model's plain vectors."""

    def face_index(self, spec: CollectionSpec) -> FaceIndex:
        """The index of a collection; the same one whenever it is asked for."""

    @property
    def images(self) -> ImageIndex: ...

    async def ping(self) -> None:
        """Raises BackendUnavailable unless the vector database answers and the indexes that were asked for are open."""

    async def close(self) -> None: ...
