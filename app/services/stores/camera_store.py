"""The SQL of cameras. Every function runs on the caller's connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeAlias

from app.services.database import Connection, Row, affected

_COLUMNS = (
    "id, name, kind, url, secret, tasks, frames_per_second, rules, enabled, group_name, tls_verify, tls_fingerprint, "
    "revision, lease_epoch, armed, muted_until, created_at, updated_at"
)


Version: TypeAlias = tuple[datetime, int]
"""When a camera was made, and its revision: one that was removed and made again counts its revisions from one again."""


@dataclass(frozen=True, slots=True)
class CameraColumns:
    """What may change about a camera. ``secret`` is sealed; ``rules`` is what ``workflows.cameras.rules`` writes."""

    name: str | None
    kind: str
    url: str
    secret: bytes | None
    tasks: tuple[str, ...]
    frames_per_second: float
    rules: Mapping[str, Any]  # JSON
    enabled: bool
    group_name: str | None = None
    tls_verify: bool = True
    tls_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Whether intruders at a camera raise alarms, and until when nothing there does."""

    armed: bool = True
    muted_until: datetime | None = None

    def is_muted(self, moment: datetime) -> bool:
        return self.muted_until is not None and moment < self.muted_until


@dataclass(frozen=True, slots=True)
class CameraRecord:
    """A camera as stored."""

    id: str
    columns: CameraColumns
    alarms: AlarmState
    revision: int
    lease_epoch: int
    created_at: datetime
    updated_at: datetime


def _record(row: Row) -> CameraRecord:
    columns = {column.name: row[column.name] for column in fields(CameraColumns)}
    return CameraRecord(
        id=row["id"],
        columns=CameraColumns(**{**columns, "tasks": tuple(row["tasks"])}),
        alarms=AlarmState(row["armed"], row["muted_until"]),
        revision=row["revision"],
        lease_epoch=row["lease_epoch"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _values(columns: CameraColumns) -> list[object]:
    return [
        columns.name,
        columns.kind,
        columns.url,
        columns.secret,
        list(columns.tasks),
        columns.frames_per_second,
        dict(columns.rules),
        columns.enabled,
        columns.group_name,
        columns.tls_verify,
        columns.tls_fingerprint,
    ]


async def insert_camera(connection: Connection, camera_id: str, columns: CameraColumns) -> CameraRecord | None:
    """Add a camera; None if the id is taken."""
    row = await connection.fetchrow(
        "INSERT INTO cameras (id, name, kind, url, secret, tasks, frames_per_second, rules, enabled, "  # noqa: S608
        "group_name, tls_verify, tls_fingerprint) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
        "ON CONFLICT (id) DO NOTHING "
        f"RETURNING {_COLUMNS}",
        camera_id,
        *_values(columns),
    )
    return _record(row) if row else None


async def update_camera(connection: Connection, camera_id: str, columns: CameraColumns) -> CameraRecord | None:
    """Replace everything but the id; the new revision makes the worker begin again. None if there is no such camera."""
    row = await connection.fetchrow(
        "UPDATE cameras SET name = $2, kind = $3, url = $4, secret = $5, tasks = $6, "  # noqa: S608
        "frames_per_second = $7, rules = $8, enabled = $9, group_name = $10, tls_verify = $11, "
        "tls_fingerprint = $12, revision = revision + 1, updated_at = NOW() "
        f"WHERE id = $1 RETURNING {_COLUMNS}",
        camera_id,
        *_values(columns),
    )
    return _record(row) if row else None


async def find_camera(connection: Connection, camera_id: str) -> CameraRecord | None:
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM cameras WHERE id = $1", camera_id)  # noqa: S608
    return _record(row) if row else None


async def lock_camera(connection: Connection, camera_id: str) -> CameraRecord | None:
    """``find_camera``, against other writers until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM cameras WHERE id = $1 FOR UPDATE",  # noqa: S608
        camera_id,
    )
    return _record(row) if row else None


async def lock_secrets(connection: Connection) -> list[tuple[str, bytes]]:
    """The sealed secrets of all cameras that have one, by id, locked until the transaction ends."""
    rows = await connection.fetch("SELECT id, secret FROM cameras WHERE secret IS NOT NULL ORDER BY id FOR UPDATE")
    return [(row["id"], row["secret"]) for row in rows]


async def seal_otherwise(connection: Connection, camera_id: str, sealed: bytes) -> None:
    """The same secret, sealed with another key: whoever reads the camera goes on."""
    await connection.execute("UPDATE cameras SET secret = $2 WHERE id = $1", camera_id, sealed)


async def delete_camera(connection: Connection, camera_id: str) -> bool:
    return affected(await connection.execute("DELETE FROM cameras WHERE id = $1", camera_id)) == 1


async def list_cameras(connection: Connection, *, after: str, limit: int) -> list[CameraRecord]:
    """Cameras in the order of their ids, from the first one behind ``after`` on."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM cameras WHERE id > $1 ORDER BY id LIMIT $2",  # noqa: S608
        after,
        limit,
    )
    return [_record(row) for row in rows]


async def count_cameras(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM cameras"))


async def enabled_versions(connection: Connection) -> dict[str, Version]:
    """The version of every enabled camera, by id in order."""
    rows = await connection.fetch("SELECT id, created_at, revision FROM cameras WHERE enabled ORDER BY id")
    return {row["id"]: (row["created_at"], row["revision"]) for row in rows}


async def begin_epoch(connection: Connection, camera_id: str) -> CameraRecord | None:
    """Note that another holder took the camera: whatever an earlier one still writes is refused from now on."""
    row = await connection.fetchrow(
        "UPDATE cameras SET lease_epoch = lease_epoch + 1 "  # noqa: S608
        f"WHERE id = $1 AND enabled RETURNING {_COLUMNS}",
        camera_id,
    )
    return _record(row) if row else None


@dataclass(frozen=True, slots=True)
class HealthChange:
    """``before`` is None of a camera whose health was never noted."""

    name: str | None
    before: str | None


async def note_health(connection: Connection, camera_id: str, health: str, *, epoch: int) -> HealthChange | None:
    """Keep the health. None where it was the same, or ``epoch`` is no longer the latest."""
    row = await connection.fetchrow(
        "WITH old AS (SELECT id, name, health FROM cameras WHERE id = $1 AND lease_epoch = $3 FOR UPDATE) "
        "UPDATE cameras SET health = $2 FROM old WHERE cameras.id = old.id AND old.health IS DISTINCT FROM $2 "
        "RETURNING old.name, old.health",
        camera_id,
        health,
        epoch,
    )
    return HealthChange(row["name"], row["health"]) if row else None


@dataclass(frozen=True, slots=True)
class AnnouncedCamera:
    """What others are told of a camera. ``health``: as its last event said; None before the first."""

    id: str
    name: str | None
    kind: str
    health: str | None


async def cameras_to_announce(connection: Connection, *, limit: int) -> list[AnnouncedCamera]:
    """Cameras that are read, by id."""
    rows = await connection.fetch(
        "SELECT id, name, kind, health FROM cameras WHERE enabled ORDER BY id LIMIT $1", limit
    )
    return [AnnouncedCamera(**row) for row in rows]


async def holds_epoch(connection: Connection, camera_id: str, epoch: int) -> bool:
    """Whether ``epoch`` is the latest; if so it stays so until the transaction ends."""
    found = await connection.fetchval(
        "SELECT 1 FROM cameras WHERE id = $1 AND lease_epoch = $2 AND enabled FOR SHARE", camera_id, epoch
    )
    return found is not None


async def alarm_state(connection: Connection, camera_id: str) -> AlarmState:
    """Whether alarms are on; they are at a camera that nobody registered."""
    row = await connection.fetchrow("SELECT armed, muted_until FROM cameras WHERE id = $1", camera_id)
    return AlarmState(row["armed"], row["muted_until"]) if row else AlarmState()


async def set_alarms(
    connection: Connection,
    *,
    camera_ids: Sequence[str] | None,
    group: str | None,
    armed: bool | None,
    mute_minutes: int | None,
) -> list[CameraRecord]:
    """Arm, disarm or mute cameras, without a new revision: their workers go on.

    Args:
        camera_ids: which; None with ``group`` None stands for all.
        group: all of that group.
        armed: None leaves it.
        mute_minutes: from now on; 0 ends it, None leaves it.

    Returns:
        The cameras that were meant, by id.
    """
    rows = await connection.fetch(
        "UPDATE cameras SET armed = COALESCE($3, armed), "  # noqa: S608
        "muted_until = CASE WHEN $4::int IS NULL THEN muted_until WHEN $4 = 0 THEN NULL "
        "ELSE NOW() + $4 * INTERVAL '1 minute' END "
        "WHERE ($1::text[] IS NULL OR id = ANY($1)) AND ($2::text IS NULL OR group_name = $2) "
        f"RETURNING {_COLUMNS}",
        None if camera_ids is None else list(camera_ids),
        group,
        armed,
        mute_minutes,
    )
    return sorted((_record(row) for row in rows), key=lambda record: record.id)
