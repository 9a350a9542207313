"""What is searched from memory, by the settings."""

from __future__ import annotations

from dataclasses import dataclass

from app.composition.backends import Backends
from app.config import SearchIn, Settings
from app.errors import VisionError
from app.services.live_matrix import LiveMatrix
from app.services.stores.face_matrix import TemplateTable
from app.utils.logging import logger

_AUTO_LIMIT = 100_000
"""How many vectors ``auto`` holds in memory at most; beyond, the vector database searches."""


@dataclass(frozen=True, slots=True)
class Matrices:
    """The matrices of a process; None where the vector database searches instead."""

    faces: LiveMatrix | None

    @property
    def held(self) -> tuple[LiveMatrix, ...]:
        """Those that there are."""
        return tuple(one for one in (self.faces,) if one is not None)

    async def load(self) -> None:
        """Read all of them; one that cannot be read yet is read by the first search."""
        for matrix in self.held:
            try:
                await matrix.load()
            except VisionError:
                logger.warning("starting_without_matrix", matrix=matrix.matrix)


def compose_matrices(settings: Settings, backends: Backends) -> Matrices:
    """Empty matrices; nothing is read yet."""
    faces = backends.vectors.faces.spec
    return Matrices(
        faces=None
        if settings.FACE_SEARCH == "index"
        else LiveMatrix(
            backends.database,
            TemplateTable(faces.model_id),
            dimension=faces.dimension,
            columns=1,
            limit=_limit(settings.FACE_SEARCH),
        )
    )


def _limit(choice: SearchIn) -> int | None:
    return _AUTO_LIMIT if choice == "auto" else None
