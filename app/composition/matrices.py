"""What is searched from memory, by the settings."""

from __future__ import annotations

from dataclasses import dataclass

from app.composition.backends import Backends
from app.config import SearchIn, Settings
from app.errors import VisionError
from app.services.live_matrix import LiveMatrix
from app.services.stores.face_matrix import TemplateTable
from app.services.stores.image_matrix import COLUMNS, ImageTable
from app.services.stores.matrix_store import MatrixTable
from app.utils.logging import logger

_AUTO_LIMIT = 100_000
"""How many vectors ``auto`` holds in memory at most; beyond, the vector database searches."""


@dataclass(frozen=True, slots=True)
class Matrices:
    """The matrices of a process; None where the vector database searches instead."""

    faces: LiveMatrix | None
    images: LiveMatrix | None

    @property
    def held(self) -> tuple[LiveMatrix, ...]:
        """Those that there are."""
        return tuple(one for one in (self.faces, self.images) if one is not None)

    async def load(self) -> None:
        """Read all of them; one that cannot be read yet is read by the first search."""
        for matrix in self.held:
            try:
                await matrix.load()
            except VisionError:
                logger.warning("starting_without_matrix", matrix=matrix.matrix)


def compose_matrices(settings: Settings, backends: Backends) -> Matrices:
    """Empty matrices; nothing is read yet."""
    faces, images = backends.vectors.faces.spec, backends.vectors.images.spec
    return Matrices(
        faces=_matrix(settings.FACE_SEARCH, backends, TemplateTable(faces.model_id), faces.dimension, columns=1),
        images=_matrix(
            settings.IMAGE_SEARCH, backends, ImageTable(images.model_id), images.dimension, columns=len(COLUMNS)
        ),
    )


def _matrix(
    choice: SearchIn, backends: Backends, table: MatrixTable, dimension: int, *, columns: int
) -> LiveMatrix | None:
    if choice == "index":
        return None
    limit = _AUTO_LIMIT if choice == "auto" else None
    return LiveMatrix(backends.database, table, dimension=dimension, columns=columns, limit=limit)
