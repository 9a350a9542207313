"""The SQL of carriers that go through the event stream by themselves: how far each has come."""

from __future__ import annotations

from collections.abc import Sequence

from app.services.database import Connection

MQTT = "mqtt"
_COURIER_LOCK = 0x6376_6D71


async def become_courier(connection: Connection) -> bool:
    """Take the lock that makes this connection's owner the only courier; held until the connection ends."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock($1)", _COURIER_LOCK))


async def position_of(connection: Connection, name: str) -> int:
    """The last event that was delivered; a new carrier begins with what happens from now on."""
    await connection.execute(
        "INSERT INTO delivery_positions (name, position) "
        "SELECT $1, COALESCE(max(position), 0) FROM event_outbox ON CONFLICT (name) DO NOTHING",
        name,
    )
    return int(await connection.fetchval("SELECT position FROM delivery_positions WHERE name = $1", name))


async def advance(connection: Connection, name: str, position: int) -> None:
    """Note that everything up to ``position`` was delivered."""
    await connection.execute("UPDATE delivery_positions SET position = $2 WHERE name = $1", name, position)


async def announced(connection: Connection, name: str) -> set[str]:
    """What the carrier's receivers were told of that has to be taken back when it goes."""
    return set(await connection.fetchval("SELECT announced FROM delivery_positions WHERE name = $1", name) or ())


async def note_announced(connection: Connection, name: str, things: Sequence[str]) -> None:
    """Keep what the receivers know now."""
    await connection.execute("UPDATE delivery_positions SET announced = $2 WHERE name = $1", name, list(things))
