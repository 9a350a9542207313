"""The SQL of a change of the face model. Every function runs on the caller's connection.

``face_templates`` may hold rows of several models for a person; those of one model count at a time, which
``employee_faces.is_active`` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.database import Connection, Row
from app.services.stores import key_store
from app.services.stores.face_store import STORED_VECTOR, Identity, sealed_vector, stored_vector
from app.types import FloatArray

_MOVABLE = (
    f"SELECT {STORED_VECTOR}, f.employee_id, f.quality_score, f.image_angle, f.enrolled_by, t.crop_key "  # noqa: S608  # constants only
    "FROM employee_faces f JOIN face_templates t USING (employee_id, vector_id)"
)


@dataclass(frozen=True, slots=True)
class MovableTemplate:
    """A template of whatever model; ``crop_key`` is None where no crop was kept."""

    vector_id: str
    employee_id: str
    quality_score: float
    angle: str | None
    enrolled_by: str | None
    crop_key: str | None


@dataclass(frozen=True, slots=True)
class MovedTemplate:
    """``of`` as the new model sees it; ``vector`` is (d,) float32 of unit norm."""

    of: MovableTemplate
    vector_id: str
    vector: FloatArray


async def lock_templates(connection: Connection) -> None:
    """Wait until nobody else adds, ends or erases templates, whosever they are; held until the transaction ends."""
    await connection.execute("LOCK TABLE employee_faces, face_templates IN SHARE ROW EXCLUSIVE MODE")


async def templates_to_move(connection: Connection, model_id: str) -> list[MovableTemplate]:
    """The templates that count now, of people who have none of this model."""
    rows = await connection.fetch(
        _MOVABLE + " WHERE f.is_active AND NOT EXISTS (SELECT 1 FROM face_templates o "  # noqa: S608  # constants only
        "WHERE o.employee_id = f.employee_id AND o.model_id = $1) ORDER BY f.id",
        model_id,
    )
    return [_movable(row) for row in rows]


async def add_moved(connection: Connection, templates: Sequence[MovedTemplate], *, model_id: str) -> None:
    """Write the new model's templates of those who are still enrolled; they keep the crops of the old ones, and do not
    count yet."""
    version = await key_store.sealing_version(connection)
    for template in templates:
        of = template.of
        # The person may have been erased, or enrolled again, since the crop was read.
        kept = "EXISTS (SELECT 1 FROM face_templates WHERE crop_key = $5)"
        await connection.execute(
            "INSERT INTO employee_faces (employee_id, vector_id, quality_score, image_angle, enrolled_by, is_active) "
            f"SELECT $1, $2, $3, $4, $6, FALSE WHERE {kept}",
            of.employee_id,
            template.vector_id,
            of.quality_score,
            of.angle,
            of.crop_key,
            of.enrolled_by,
        )
        await connection.execute(
            "INSERT INTO face_templates (vector_id, employee_id, model_id, vector, crop_key, key_version) "
            f"SELECT $1, $2, $3, $4, $5, $6 WHERE {kept}",
            template.vector_id,
            of.employee_id,
            model_id,
            sealed_vector(connection, template.vector_id, template.vector, version=version),
            of.crop_key,
            version,
        )


async def moved_templates(connection: Connection, model_id: str) -> list[MovedTemplate]:
    """All templates of the model, whether they count or not."""
    rows = await connection.fetch(f"{_MOVABLE} WHERE t.model_id = $1 ORDER BY f.id", model_id)
    return [MovedTemplate(_movable(row), row["vector_id"], stored_vector(connection, row)) for row in rows]


async def let_count(connection: Connection, model_id: str) -> set[str]:
    """Let the templates of this model count, and no others. Returns their vector ids."""
    await connection.execute(
        "UPDATE employee_faces f SET is_active = (t.model_id = $1) FROM face_templates t "
        "WHERE t.vector_id = f.vector_id AND f.is_active <> (t.model_id = $1)",
        model_id,
    )
    rows = await connection.fetch("SELECT vector_id FROM face_templates WHERE model_id = $1", model_id)
    return {row["vector_id"] for row in rows}


async def people_without(connection: Connection, model_id: str) -> list[Identity]:
    """Whoever has templates, but none of this model."""
    rows = await connection.fetch(
        "SELECT DISTINCT t.employee_id, e.name FROM face_templates t LEFT JOIN employees e ON e.id = t.employee_id "
        "WHERE NOT EXISTS (SELECT 1 FROM face_templates o WHERE o.employee_id = t.employee_id AND o.model_id = $1) "
        "ORDER BY t.employee_id",
        model_id,
    )
    return [Identity(row["employee_id"], row["name"]) for row in rows]


def _movable(row: Row) -> MovableTemplate:
    return MovableTemplate(
        row["vector_id"],
        row["employee_id"],
        row["quality_score"],
        row["image_angle"],
        row["enrolled_by"],
        row["crop_key"],
    )
