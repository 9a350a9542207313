"""Templates of invented people, as many as a gallery is to hold, written as an enrolment writes them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack

from app.composition.backends import open_backends
from app.config import Settings
from app.ml_models.manifest import load_pack
from app.services.stores.face_store import Template, add_templates, save_employee
from benchmarks.harness import Bench
from benchmarks.matrix import FACE_DIMENSION, FACE_NUMBERS, unit_vectors

_BATCH = 2000


def fill(bench: Bench, count: int) -> None:
    """``count`` templates, random unit vectors of as many numbers as the network gives, of a person for each batch."""
    # Thousands of rows a call take longer than a request may.
    given = {**bench.environment, "_env_file": None, "BACKEND_TIMEOUT_S": "120"}
    settings = Settings(**given)  # type: ignore[arg-type]  # pydantic parses text
    model_id = load_pack(settings.MODEL_PACK).spec("face_embedding").model_id
    vectors = unit_vectors(count, FACE_DIMENSION, slice(FACE_NUMBERS))
    templates = [Template(f"vec_{uuid.uuid4().hex}", vector, model_id, 0.9, "frontal") for vector in vectors]
    asyncio.run(_write(settings, templates))


async def _write(settings: Settings, templates: Sequence[Template]) -> None:
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        for start in range(0, len(templates), _BATCH):
            person = f"CROWD_{start}"
            async with backends.database.transaction() as connection:
                await save_employee(connection, person, name=None, department=None, position=None)
                await add_templates(connection, person, templates[start : start + _BATCH], enrolled_by=None)
