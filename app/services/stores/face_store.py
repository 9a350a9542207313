"""The SQL of faces: identities, templates, attendance marks. Every function runs on the caller's connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from app.services.database import Connection, Row
from app.services.stores import key_store
from app.services.stores.schema import OWNER_MARK
from app.services.vault import SealedUnreadable, SealPlace
from app.types import FloatArray

# One lock for all that adds templates, held for a few statements: it closes the race of two people being enrolled with
# one face at once, which a lock of each person would leave open.
_ENROLMENT_LOCK = 0x6376_6661

STORED_VECTOR = "t.vector_id, t.vector, t.key_version"
"""The columns of ``face_templates t`` that ``stored_vector`` reads."""


@dataclass(frozen=True, slots=True)
class Template:
    """A stored face template. ``vector`` is (d,) float32 of unit norm."""

    vector_id: str
    vector: FloatArray
    model_id: str
    quality_score: float
    angle: str
    crop_key: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """What may be shown of a template."""

    vector_id: str
    quality_score: float
    angle: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """The owner of an active template."""

    employee_id: str
    name: str | None


async def lock_person(connection: Connection, employee_id: str) -> None:
    """Wait until no other transaction changes this person's templates; held until this one ends. Taken before
    ``lock_enrolments``."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('person:' || $1, 0))", employee_id)


async def lock_enrolments(connection: Connection) -> None:
    """Wait until no other transaction adds templates; held until this one ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ENROLMENT_LOCK)


async def owns_employees(connection: Connection) -> bool:
    """Whether the ``employees`` table is ours, and not the hotel's."""
    mark = await connection.fetchval("SELECT obj_description(to_regclass('employees'), 'pg_class')")
    return bool(mark == OWNER_MARK)


async def find_employee(connection: Connection, employee_id: str) -> Identity | None:
    """Somebody who works here, enrolled or not."""
    row = await connection.fetchrow("SELECT id, name FROM employees WHERE id = $1", employee_id)
    return Identity(row["id"], row["name"]) if row else None


async def employee_exists(connection: Connection, employee_id: str) -> bool:
    return await connection.fetchval("SELECT 1 FROM employees WHERE id = $1", employee_id) is not None


async def save_employee(
    connection: Connection, employee_id: str, *, name: str | None, department: str | None, position: str | None
) -> None:
    """Insert the person into our own table, or fill in what is newly known."""
    await connection.execute(
        "INSERT INTO employees (id, name, department, position) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (id) DO UPDATE SET name = COALESCE($2, employees.name), "
        "department = COALESCE($3, employees.department), position = COALESCE($4, employees.position)",
        employee_id,
        name,
        department,
        position,
    )


async def remove_employee(connection: Connection, employee_id: str) -> None:
    """Forget a person in our own table."""
    await connection.execute("DELETE FROM employees WHERE id = $1", employee_id)


async def add_templates(
    connection: Connection, employee_id: str, templates: Sequence[Template], *, enrolled_by: str | None
) -> None:
    """Write the rows that make templates visible to recognition; inside a transaction."""
    version = await key_store.sealing_version(connection)
    await connection.executemany(
        "INSERT INTO employee_faces (employee_id, vector_id, quality_score, image_angle, enrolled_by) "
        "VALUES ($1, $2, $3, $4, $5)",
        [(employee_id, t.vector_id, t.quality_score, t.angle, enrolled_by) for t in templates],
    )
    await connection.executemany(
        "INSERT INTO face_templates (vector_id, employee_id, model_id, vector, crop_key, key_version) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (
                t.vector_id,
                employee_id,
                t.model_id,
                sealed_vector(connection, t.vector_id, t.vector, version=version),
                t.crop_key,
                version,
            )
            for t in templates
        ],
    )


async def active_templates(connection: Connection, employee_id: str) -> list[StoredTemplate]:
    """A person's templates that count in recognition, oldest first."""
    rows = await connection.fetch(
        "SELECT vector_id, quality_score, image_angle, enrolled_at FROM employee_faces "
        "WHERE employee_id = $1 AND is_active ORDER BY id",
        employee_id,
    )
    return [StoredTemplate(r["vector_id"], r["quality_score"], r["image_angle"], r["enrolled_at"]) for r in rows]


async def template_vectors(connection: Connection, employee_id: str, *, model_id: str) -> FloatArray:
    """A person's active vectors of one model, (n, d) float32; n may be 0."""
    rows = await connection.fetch(
        f"SELECT {STORED_VECTOR} FROM face_templates t JOIN employee_faces f USING (employee_id, vector_id) "  # noqa: S608  # constants only
        "WHERE t.employee_id = $1 AND t.model_id = $2 AND f.is_active",
        employee_id,
        model_id,
    )
    return stored_vectors(connection, rows)


def stored_vector(connection: Connection, row: Row) -> FloatArray:
    """The template of a row of ``face_templates``, (d,) float32. A row without a key version is plain: it
    was written before there were keys, and ``cv rotate-key`` has not come to it.

    Args:
        row: with all columns of ``STORED_VECTOR``.

    Raises:
        SealedUnreadable: its key is not here, or it is damaged.
    """
    stored = row["vector"]
    if row["key_version"] is not None:
        stored = connection.vault.open(stored, _place(row["vector_id"]))
    return np.frombuffer(stored, "<f4")


def sealed_vector(connection: Connection, vector_id: str, vector: FloatArray, *, version: int) -> bytes:
    """The template as its row keeps it, beside the key version."""
    return connection.vault.seal(vector.astype("<f4").tobytes(), _place(vector_id), version=version)


def _place(vector_id: str) -> SealPlace:
    return SealPlace("face_templates", "vector", vector_id)


def stored_vectors(connection: Connection, rows: Sequence[Row]) -> FloatArray:
    """The templates of such rows, (n, d) float32; (0, 0) where there are none."""
    if not rows:
        return np.empty((0, 0), np.float32)
    return np.stack([stored_vector(connection, row) for row in rows])


async def seal_again(
    connection: Connection, version: int, *, after_id: str, limit: int
) -> tuple[int, list[str], str | None]:
    """Seal the next templates that are plain, or sealed with another key, with that of ``version``. Inside a
    transaction.

    Returns:
        How many were sealed, those that can't be opened, and the id to go on after; None at the end.
    """
    rows = await connection.fetch(
        f"SELECT {STORED_VECTOR} FROM face_templates t WHERE key_version IS DISTINCT FROM $1 AND vector_id > $2 "  # noqa: S608
        "ORDER BY vector_id LIMIT $3 FOR UPDATE",
        version,
        after_id,
        limit,
    )
    lost, again = [], []
    for row in rows:
        try:
            vector = stored_vector(connection, row)
        except SealedUnreadable:
            lost.append(f"template {row['vector_id']}")
            continue
        sealed = sealed_vector(connection, row["vector_id"], vector, version=version)
        again.append((row["vector_id"], sealed, version))
    await connection.executemany("UPDATE face_templates SET vector = $2, key_version = $3 WHERE vector_id = $1", again)
    return len(again), lost, rows[-1]["vector_id"] if rows else None


async def last_number(connection: Connection) -> int:
    """The number of the newest template; 0 where there is none. Later ones have greater numbers."""
    return int(await connection.fetchval("SELECT COALESCE(max(number), 0) FROM face_templates"))


async def vectors_after(
    connection: Connection, number: int, *, model_id: str, except_of: str
) -> tuple[list[str], FloatArray]:
    """The active templates of other people that were added later than a number: their ids, and (n, d) float32."""
    rows = await connection.fetch(
        f"SELECT {STORED_VECTOR} FROM face_templates t JOIN employee_faces f USING (employee_id, vector_id) "  # noqa: S608  # constants only
        "WHERE t.number > $1 AND t.model_id = $2 AND t.employee_id <> $3 AND f.is_active",
        number,
        model_id,
        except_of,
    )
    return [row["vector_id"] for row in rows], stored_vectors(connection, rows)


async def retire_templates(connection: Connection, employee_id: str) -> tuple[list[str], list[str]]:
    """End a person's active templates: their rows stay for audit as inactive, their vectors go.

    Returns:
        The vector ids and the keys of kept crops, to be removed from their backends.
    """
    ended = await connection.fetch(
        "UPDATE employee_faces SET is_active = FALSE WHERE employee_id = $1 AND is_active RETURNING vector_id",
        employee_id,
    )
    gone = await connection.fetch("DELETE FROM face_templates WHERE employee_id = $1 RETURNING crop_key", employee_id)
    return [row["vector_id"] for row in ended], [row["crop_key"] for row in gone if row["crop_key"]]


async def erase_person(connection: Connection, employee_id: str) -> tuple[int, list[str], list[str]]:
    """Remove all that we know of a person's face, and of their coming and going.

    Returns:
        How many templates counted until now, all their vector ids, and the keys of kept crops.
    """
    crops = await connection.fetch("DELETE FROM face_templates WHERE employee_id = $1 RETURNING crop_key", employee_id)
    rows = await connection.fetch(
        "DELETE FROM employee_faces WHERE employee_id = $1 RETURNING vector_id, is_active", employee_id
    )
    await connection.execute("DELETE FROM attendance_marks WHERE employee_id = $1", employee_id)
    await connection.execute("DELETE FROM attendance_exits WHERE employee_id = $1", employee_id)
    await connection.execute("DELETE FROM attendance_log WHERE employee_id = $1", employee_id)
    active = sum(1 for row in rows if row["is_active"])
    return active, [row["vector_id"] for row in rows], [row["crop_key"] for row in crops if row["crop_key"]]


async def identities(connection: Connection, vector_ids: Sequence[str]) -> dict[str, Identity]:
    """The owners of those templates that are active; unknown and ended ones are absent."""
    rows = await connection.fetch(
        "SELECT f.vector_id, f.employee_id, e.name FROM employee_faces f JOIN employees e ON e.id = f.employee_id "
        "WHERE f.vector_id = ANY($1) AND f.is_active",
        list(vector_ids),
    )
    return {row["vector_id"]: Identity(row["employee_id"], row["name"]) for row in rows}


@dataclass(frozen=True, slots=True)
class KnownTemplate:
    """What reconciling has to know of an active template. ``settled``: its row is older than a minute."""

    vector_id: str
    model_id: str
    crop_key: str | None
    settled: bool


async def known_templates(connection: Connection) -> list[KnownTemplate]:
    """All active templates."""
    rows = await connection.fetch(
        "SELECT t.vector_id, t.model_id, t.crop_key, t.created_at < NOW() - INTERVAL '1 minute' AS settled "
        "FROM face_templates t JOIN employee_faces f USING (employee_id, vector_id) WHERE f.is_active"
    )
    return [KnownTemplate(**row) for row in rows]


async def templates_until(connection: Connection, moment: datetime | None, *, model_id: str) -> set[str]:
    """The ids of the model's active templates that were there at a moment, or now."""
    rows = await connection.fetch(
        "SELECT vector_id FROM face_templates t JOIN employee_faces f USING (employee_id, vector_id) "
        "WHERE f.is_active AND t.model_id = $1 AND ($2::timestamptz IS NULL OR t.created_at <= $2)",
        model_id,
        moment,
    )
    return {row["vector_id"] for row in rows}


async def half_enrolled(connection: Connection) -> list[str]:
    """The vector ids of active rows without a stored template."""
    rows = await connection.fetch(
        "SELECT f.vector_id FROM employee_faces f LEFT JOIN face_templates t USING (employee_id, vector_id) "
        "WHERE f.is_active AND t.vector_id IS NULL ORDER BY f.vector_id"
    )
    return [row["vector_id"] for row in rows]


@dataclass(frozen=True, slots=True)
class OwnedVector:
    """What the vector index holds of a template; ``vector`` is (d,) float32 of unit norm."""

    vector_id: str
    employee_id: str
    vector: FloatArray
    quality_score: float


async def owned_vectors(connection: Connection, vector_ids: Sequence[str]) -> list[OwnedVector]:
    """Those of the ids whose template is active."""
    rows = await connection.fetch(
        f"SELECT {STORED_VECTOR}, t.employee_id, f.quality_score FROM face_templates t "  # noqa: S608  # constants only
        "JOIN employee_faces f USING (employee_id, vector_id) WHERE t.vector_id = ANY($1) AND f.is_active",
        list(vector_ids),
    )
    return [
        OwnedVector(r["vector_id"], r["employee_id"], stored_vector(connection, r), r["quality_score"]) for r in rows
    ]


async def count_people(connection: Connection) -> int:
    """How many people have an active template."""
    return int(await connection.fetchval("SELECT count(DISTINCT employee_id) FROM employee_faces WHERE is_active"))
