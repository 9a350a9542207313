"""The SQL of what cameras always see. Every function runs on the caller's connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.services.database import Connection

_COLUMNS = "id, view, look, hours, samples, anomaly_type, incident_id, first_seen_at, last_seen_at"


@dataclass(frozen=True, slots=True)
class UsualPlaceRecord:
    """A view of a camera's frame that looks like a hazard and is none.

    Attributes:
        look: its features, packed.
        hours: a bit for each hour of the day in which it was seen.
        incident_id: the false alarm that it is known by; None of what the camera learnt.
        anomaly_type: of that incident.
    """

    id: int
    view: int
    look: bytes
    hours: int
    samples: int
    anomaly_type: str | None
    incident_id: int | None
    first_seen_at: datetime
    last_seen_at: datetime


async def places_of(connection: Connection, camera_id: str, *, views_id: str) -> list[UsualPlaceRecord]:
    """Every place of a camera as those views have it, the one seen last first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM usual_places WHERE camera_id = $1 AND views_id = $2 "  # noqa: S608
        "ORDER BY last_seen_at DESC, id",
        camera_id,
        views_id,
    )
    return [UsualPlaceRecord(**row) for row in rows]


async def lock_places(connection: Connection, camera_id: str) -> bool:
    """Keep others from changing a camera's places until the transaction ends; False where it is not registered."""
    return (await connection.fetchval("SELECT 1 FROM cameras WHERE id = $1 FOR NO KEY UPDATE", camera_id)) is not None


async def note_seen(connection: Connection, place_ids: Sequence[int], *, hour: int, seen_at: datetime) -> None:
    """These were seen again."""
    await connection.execute(
        "UPDATE usual_places SET samples = samples + 1, hours = hours | (1 << $2::int), "
        "last_seen_at = GREATEST(last_seen_at, $3) WHERE id = ANY($1::bigint[])",
        list(place_ids),
        hour,
        seen_at,
    )


async def insert_places(
    connection: Connection,
    camera_id: str,
    looks: Sequence[tuple[int, bytes]],
    *,
    views_id: str,
    hours: int,
    seen_at: datetime,
    anomaly_type: str | None = None,
    incident_id: int | None = None,
) -> None:
    """Add places, each a view and its look; ``hours`` has a bit for each hour in which it counts."""
    await connection.execute(
        "INSERT INTO usual_places (camera_id, views_id, view, look, hours, anomaly_type, incident_id, first_seen_at, "
        "last_seen_at) SELECT $1, $2, view, look, $5, $6, $7, $8, $8 "
        "FROM unnest($3::smallint[], $4::bytea[]) AS seen (view, look)",
        camera_id,
        views_id,
        [view for view, _ in looks],
        [look for _, look in looks],
        hours,
        anomaly_type,
        incident_id,
        seen_at,
    )


async def drop_surplus(connection: Connection, camera_id: str, *, views_id: str, keep: int) -> None:
    """Forget all but the ``keep`` learnt places that were seen last, and those of other views."""
    await connection.execute(
        "DELETE FROM usual_places WHERE camera_id = $1 AND incident_id IS NULL AND id NOT IN (SELECT id "
        "FROM usual_places WHERE camera_id = $1 AND incident_id IS NULL AND views_id = $2 "
        "ORDER BY last_seen_at DESC, id LIMIT $3)",
        camera_id,
        views_id,
        keep,
    )


async def drop_learnt(connection: Connection, camera_id: str) -> int:
    """Forget what a camera learnt by itself; how much that was."""
    rows = await connection.fetch(
        "DELETE FROM usual_places WHERE camera_id = $1 AND incident_id IS NULL RETURNING id", camera_id
    )
    return len(rows)
