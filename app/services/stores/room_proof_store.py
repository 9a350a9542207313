"""The SQL of what photos of a room proved, under the lock of the room; its times are PostgreSQL's alone."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.database import Connection


async def find_proofs(connection: Connection, room_number: str, *, window_min: int) -> dict[str, float]:
    """What was proven of a room in the last minutes, with its confidence."""
    rows = await connection.fetch(
        "SELECT proof, confidence FROM room_proofs "
        "WHERE room_number = $1 AND seen_at > NOW() - $2 * INTERVAL '1 minute'",
        room_number,
        window_min,
    )
    return {row["proof"]: row["confidence"] for row in rows}


async def save_proofs(connection: Connection, room_number: str, proofs: Mapping[str, float]) -> None:
    """Write down what was proven just now."""
    await connection.execute(
        "INSERT INTO room_proofs (room_number, proof, confidence) "
        "SELECT $1, t.proof, t.confidence FROM unnest($2::text[], $3::float[]) AS t (proof, confidence) "
        "ON CONFLICT (room_number, proof) DO UPDATE SET confidence = EXCLUDED.confidence, seen_at = NOW()",
        room_number,
        list(proofs),
        list(proofs.values()),
    )


async def void_proofs(connection: Connection, room_number: str) -> None:
    """Nothing that was proven of this room counts any more."""
    await connection.execute("DELETE FROM room_proofs WHERE room_number = $1", room_number)
