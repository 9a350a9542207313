"""Restores an archive of ``app/workflows/backup.py`` into an empty database, or in the place of what is there."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path

from app.errors import ConfigurationError, Conflict
from app.services.database import Database
from app.services.storage import ObjectStorage, StoredObject
from app.services.stores import dump
from app.services.stores.schema import older_revisions
from app.services.vault import MasterKeys, refuse_other_key
from app.workflows.backup import OBJECTS, TABLES, TAUGHT, BackupUnreadable, Manifest, content_type_of, opened

_AT_ONCE = 8
_TAUGHT_NAME = re.compile(r"(heads/)?[A-Za-z0-9_\-]+\.(json|md|npz)")


def refuse_unless_it_opens(manifest: Manifest, keys: MasterKeys, *, newest: str) -> None:
    """Hold an archive against this version and its keys.

    Args:
        newest: the revision of this version's tables.

    Raises:
        ConfigurationError: a key is missing or another one, or a later version made the archive.
    """
    for known in manifest.keys:
        refuse_other_key(keys, known.version, known.fingerprint)
    if manifest.revision not in {*older_revisions(), newest}:
        raise ConfigurationError(
            f"That backup is of a later version ({manifest.service_version}, tables {manifest.revision}); restore it "
            "with that version."
        )


async def refuse_unless_free(database: Database, *, replaces: bool) -> str | None:
    """Hold the database against what is to come; the revision of its tables.

    Raises:
        Conflict: a service uses it, or there is something in it and ``replaces`` is False.
    """
    async with database.connection() as connection:
        revision = await dump.revision(connection)
        if sessions := await dump.other_sessions(connection):
            raise Conflict(
                f"A service uses this database ({sessions} connections). Stop every replica first.",
                code="service_running",
            )
        if revision is not None and not replaces:
            rows = await dump.count_content(connection, await dump.own_tables(connection))
            if rows:
                raise Conflict(
                    f"The database holds {rows} rows. Restore into an empty one, or with --replace in their place.",
                    code="not_empty",
                )
    return revision


async def restore_rows(archive: Path, manifest: Manifest, database: Database) -> None:
    """Put the archive's rows in the place of all others, in one transaction. The tables are those of its revision."""
    known = {table.name: table for table in manifest.tables}
    async with database.transaction() as connection:
        await dump.empty(connection, await dump.own_tables(connection))
        with opened(archive) as members:
            for member, file in members:
                if not member.name.startswith(TABLES):
                    continue
                name = member.name.removeprefix(TABLES)
                if await dump.read_table(connection, known[name], file) != manifest.rows[name]:
                    raise BackupUnreadable(f"{name} has not as many rows as the backup says.")
        await dump.set_sequences(connection, manifest.sequences)


async def restore_objects(archive: Path, storage: ObjectStorage, *, advance: Callable[[int], None]) -> int:
    """Write the archive's objects; others stay. How many there were."""
    waiting: list[tuple[str, StoredObject]] = []
    count = 0

    async def write() -> None:
        nonlocal count
        await asyncio.gather(*(storage.put(key, one.data, content_type=one.content_type) for key, one in waiting))
        advance(len(waiting))
        count += len(waiting)
        waiting.clear()

    with opened(archive) as members:
        for member, file in members:
            if member.name.startswith(OBJECTS):
                one = StoredObject(file.read(), content_type_of(member))
                waiting.append((member.name.removeprefix(OBJECTS), one))
                if len(waiting) == _AT_ONCE:
                    await write()
    await write()
    return count


def restore_taught(archive: Path, data_dir: Path, heads_dir: Path) -> list[str]:
    """Write what the hotel taught the service, over files of the same names; the names."""
    written = []
    with opened(archive) as members:
        for member, file in members:
            name = member.name.removeprefix(TAUGHT)
            if not member.name.startswith(TAUGHT):
                continue
            if not _TAUGHT_NAME.fullmatch(name):
                raise BackupUnreadable(f"{member.name} is no name that a backup gives.")
            target = heads_dir / name.removeprefix("heads/") if name.startswith("heads/") else data_dir / name
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.{os.getpid()}")
            draft.write_bytes(file.read())
            draft.replace(target)
            written.append(name)
    return written
