"""Which master keys this database has used, and which one seals now. Every function runs on the caller's connection.

The keys themselves are not here: a row holds a version and its key's fingerprint, and so does every dump of the
database, which thereby names the keys that it needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.errors import ConfigurationError
from app.services.database import Connection, Row
from app.services.vault import SealedUnreadable, head_of, refuse_other_key


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """A master key that this database has used, by its version and fingerprint."""

    version: int
    fingerprint: bytes


async def needed_keys(connection: Connection) -> list[KeyVersion]:
    """Those that something living may be sealed with, oldest first; none in tables from before there were keys."""
    if await connection.fetchval("SELECT to_regclass('key_versions')") is None:
        return []
    rows = await connection.fetch(
        "SELECT version, fingerprint FROM key_versions WHERE retired_at IS NULL AND version >= "
        "COALESCE((SELECT max(version) FROM key_versions WHERE all_sealed_at IS NOT NULL), 0) ORDER BY version"
    )
    return [KeyVersion(**row) for row in rows]


async def sealing_version(connection: Connection) -> int:
    """The version that new rows are sealed with. Inside a transaction it stays so until that ends: a rotation waits,
    so that nothing sealed with the old key is committed behind it.

    The first call on an empty database makes it the newest key's.

    Raises:
        SealedUnreadable: the key of that version is not here, or is another one.
    """
    query = "SELECT version, fingerprint FROM key_versions WHERE seals ORDER BY version DESC LIMIT 1 FOR SHARE"
    row = await connection.fetchrow(query)
    if row is None:
        await let_seal(connection, connection.vault.keys.newest)
        row = await connection.fetchrow(query)
        if row is None:  # nothing but a hand in the database takes it away again
            raise SealedUnreadable("No key version seals; run: cv rotate-key")
    try:
        refuse_other_key(connection.vault.keys, row["version"], row["fingerprint"])
    except ConfigurationError as error:  # the start refuses that; a rotation that this process has no key for does not
        raise SealedUnreadable(error.message) from error
    version: int = row["version"]
    return version


async def let_seal(connection: Connection, version: int) -> None:
    """Make a version the one that seals. Several callers at once are no error."""
    await connection.execute(
        "INSERT INTO key_versions (version, fingerprint) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        version,
        connection.vault.fingerprint(version),
    )
    await connection.execute(
        "UPDATE key_versions SET seals = (version = $1) WHERE seals <> (version = $1)",
        version,
    )


async def require_keys(connection: Connection) -> None:
    """Hold the keys that are given against those that this database has used.

    Raises:
        ConfigurationError: one that is still needed is missing, or another.
    """
    for known in await needed_keys(connection):
        refuse_other_key(connection.vault.keys, known.version, known.fingerprint)


async def count_plain(connection: Connection) -> int:
    """How many rows were written before there were keys, and are not sealed yet."""
    return int(
        await connection.fetchval(
            "SELECT (SELECT count(*) FROM face_templates WHERE key_version IS NULL) + "
            "(SELECT count(*) FROM ocr_result_records WHERE key_version IS NULL)"
        )
    )


async def count_behind(connection: Connection, version: int) -> dict[str, int]:
    """How many rows of each kind are not sealed with the key of that version."""
    row = await connection.fetchrow(
        "SELECT (SELECT count(*) FROM face_templates WHERE key_version IS DISTINCT FROM $1) AS templates, "
        "(SELECT count(*) FROM ocr_result_records WHERE key_version IS DISTINCT FROM $1) AS documents, "
        "(SELECT count(*) FROM stays WHERE key_version <> $1) AS stays, "
        "(SELECT count(*) FROM lost_claims WHERE key_version <> $1) AS claims, "
        # A sealed secret begins with four bytes of its format and four of the version.
        "(SELECT count(*) FROM cameras WHERE substring(secret FROM 1 FOR 8) <> $2) + "
        "(SELECT count(*) FROM webhooks WHERE substring(secret FROM 1 FOR 8) <> $2) AS secrets",
        version,
        head_of(version),
    )
    return dict(row) if row else {}


async def retire_before(connection: Connection, version: int) -> list[KeyVersion]:
    """Note that no key before that version is needed any more; those of which it was not noted yet."""
    rows = await connection.fetch(
        "UPDATE key_versions SET retired_at = NOW() WHERE version < $1 AND retired_at IS NULL "
        "RETURNING version, fingerprint",
        version,
    )
    return sorted((KeyVersion(**row) for row in rows), key=lambda key: key.version)


async def note_all_sealed(connection: Connection, version: int) -> None:
    """Note that everything living is sealed with that version, from now on."""
    await connection.execute(
        "UPDATE key_versions SET all_sealed_at = NOW() WHERE version = $1 AND all_sealed_at IS NULL", version
    )


async def all_sealed_since(connection: Connection, version: int) -> datetime | None:
    """Since when everything living is sealed with that version; None where that was never reached."""
    moment: datetime | None = await connection.fetchval(
        "SELECT all_sealed_at FROM key_versions WHERE version = $1", version
    )
    return moment


async def seal_each(
    rows: Sequence[Row], seal: Callable[[Row], Awaitable[None]], *, name: Callable[[Row], str]
) -> tuple[int, list[str], int | None]:
    """Seal rows again.

    Returns:
        How many were sealed, the names of those that can't be opened, and the id to go on after; None at the end.
    """
    lost = []
    for row in rows:
        try:
            await seal(row)
        except SealedUnreadable:
            lost.append(name(row))
    return len(rows) - len(lost), lost, rows[-1]["id"] if rows else None


async def rewrite_tables(connection: Connection) -> None:
    """Write the tables of what is sealed once more, without dead rows, which PostgreSQL only marks as such. Each table
    is locked meanwhile, for seconds. Outside a transaction."""
    await connection.execute("SET lock_timeout = '10s'")  # whoever waits for us waits no longer than that
    for table in ("face_templates", "ocr_results", "ocr_result_records", "stays", "lost_claims", "cameras", "webhooks"):
        await connection.execute(f"VACUUM (FULL, ANALYZE) {table}")


async def now(connection: Connection) -> datetime:
    """PostgreSQL's clock."""
    moment: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return moment
