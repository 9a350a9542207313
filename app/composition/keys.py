"""The master keys at the start."""

from __future__ import annotations

from app.errors import BackendUnavailable, SchemaMissing
from app.services.database import Database
from app.services.stores import key_store
from app.utils.logging import logger


async def require_keys(database: Database) -> None:
    """Refuse to start with keys that are not those of the data. While PostgreSQL is away nobody can tell; then each
    statement that seals asks again, and what is sealed with another key does not open.

    Raises:
        ConfigurationError: a key that the data need is missing or another one, or there is none at all.
    """
    _ = database.vault.keys.newest  # raises where there is none
    try:
        async with database.connection() as connection:
            await key_store.require_keys(connection)
            plain = await key_store.count_plain(connection)
    except (BackendUnavailable, SchemaMissing):
        logger.warning("keys_not_checked", reason="database")
        return
    if plain:
        logger.warning("plain_rows_left", count=plain, command="cv rotate-key")
