"""Backups: one archive of what PostgreSQL and the object store hold, and of what the hotel taught the service.

The rows are those of one moment. The objects are read after it: an object is stored before the row that names it, so
none of them is missing but what was removed meanwhile. The master keys are not in it.

A tar file: ``manifest.json``, ``tables/…``, ``taught/…``, ``objects/…``, and ``end``, the SHA-256 of all before it, so
that an archive that was cut off or changed is known before anything is restored.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from app.errors import ConfigurationError, NotFound
from app.services.database import Connection, Database
from app.services.storage import ObjectStorage
from app.services.stores import dump, key_store
from app.services.stores.dump import Table
from app.services.stores.key_store import KeyVersion

FORMAT = 1
MANIFEST, TABLES, TAUGHT, OBJECTS, END = "manifest.json", "tables/", "taught/", "objects/", "end"
_CONTENT_TYPE = "CV.content_type"
_AT_ONCE = 8
_CHUNK = 1 << 20
_MAX_MANIFEST = 1 << 24


class BackupUnreadable(ConfigurationError):
    """An archive that can't be restored; nothing was changed."""

    code = "backup_unreadable"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself. ``keys`` are the master keys that its rows and objects need."""

    service_version: str
    revision: str
    created_at: datetime
    keys: list[KeyVersion]
    tables: list[Table]
    rows: dict[str, int]
    sequences: dict[str, int]
    objects: int

    def as_json(self) -> bytes:
        return orjson.dumps({"format": FORMAT, **asdict(self)}, default=bytes.hex)

    @classmethod
    def of_json(cls, data: bytes) -> Manifest:
        """Raises BackupUnreadable of another format."""
        try:
            found = orjson.loads(data)
            if found.pop("format") != FORMAT:
                raise BackupUnreadable("That backup is of another version's format; restore it with that version.")
            keys = [KeyVersion(key["version"], bytes.fromhex(key["fingerprint"])) for key in found.pop("keys")]
            tables = [Table(table["name"], tuple(table["columns"])) for table in found.pop("tables")]
            created_at = datetime.fromisoformat(found.pop("created_at"))
            return cls(keys=keys, tables=tables, created_at=created_at, **found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupUnreadable("The manifest of that backup can't be understood.") from error


@dataclass(slots=True)
class _Digest:
    """The SHA-256 of members with their names and sizes."""

    _sum: hashlib._Hash = field(default_factory=hashlib.sha256)

    def begin(self, name: str, size: int) -> None:
        self._sum.update(f"{len(name)}:{name}:{size}:".encode())

    def update(self, data: bytes) -> None:
        self._sum.update(data)

    @property
    def value(self) -> bytes:
        return self._sum.hexdigest().encode()


class _Hashed(io.RawIOBase):
    """Passes a file on, and what is read of it to a digest."""

    def __init__(self, file: BinaryIO, digest: _Digest) -> None:
        self._file = file
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data


class _Writer:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._digest = _Digest()

    def add(self, name: str, file: BinaryIO, size: int, *, content_type: str = "") -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o600
        member.pax_headers = {_CONTENT_TYPE: content_type} if content_type else {}
        self._digest.begin(name, size)
        self._archive.addfile(member, cast("BinaryIO", _Hashed(file, self._digest)))

    def add_bytes(self, name: str, data: bytes, *, content_type: str = "") -> None:
        self.add(name, io.BytesIO(data), len(data), content_type=content_type)

    def add_file(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            self.add(name, file, path.stat().st_size)

    def end(self) -> None:
        self.add_bytes(END, self._digest.value)


async def write_backup(
    archive: Path,
    *,
    database: Database,
    storage: ObjectStorage,
    taught: Sequence[tuple[str, Path]],
    service_version: str,
    advance: Callable[[int], None],
) -> Manifest:
    """Write the archive, whole or not at all; nobody else can read it.

    Args:
        taught: files of the hotel's own, with the names that they get.
        advance: is told how many more objects are done.

    Raises:
        ConfigurationError: the file is there already, or the database has no tables of ours.
        BackendUnavailable: PostgreSQL or the object store does not answer.
    """
    with _new_archive(archive) as writer, tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        rows = Path(folder)
        async with database.transaction() as connection:
            await dump.begin_snapshot(connection)
            manifest = await _write_rows(connection, rows, service_version=service_version)
        keys = await storage.list_keys("")
        manifest = replace(manifest, objects=len(keys))
        writer.add_bytes(MANIFEST, manifest.as_json())
        for table in manifest.tables:
            writer.add_file(TABLES + table.name, rows / table.name)
        for name, path in taught:
            writer.add_file(TAUGHT + name, path)
        for start in range(0, len(keys), _AT_ONCE):
            await _add_objects(writer, storage, keys[start : start + _AT_ONCE])
            advance(len(keys[start : start + _AT_ONCE]))
        writer.end()
    return manifest


async def _write_rows(connection: Connection, folder: Path, *, service_version: str) -> Manifest:
    revision = await dump.revision(connection)
    if revision is None:
        raise ConfigurationError("The database has no tables of this service; is DATABASE_URL right?")
    tables = await dump.own_tables(connection)
    return Manifest(
        service_version=service_version,
        revision=revision,
        created_at=await key_store.now(connection),
        keys=await key_store.needed_keys(connection),
        tables=tables,
        rows={table.name: await dump.write_table(connection, table, folder / table.name) for table in tables},
        sequences=await dump.sequences(connection),
        objects=0,
    )


@contextmanager
def _new_archive(path: Path) -> Iterator[_Writer]:
    """Appears under its name when it is whole. Raises ConfigurationError where something has that name."""
    if path.exists():
        raise ConfigurationError(f"{path} is there already; name another file.")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as opened:
                yield _Writer(opened)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


async def _add_objects(writer: _Writer, storage: ObjectStorage, keys: Sequence[str]) -> None:
    found = await asyncio.gather(*(storage.fetch(key) for key in keys), return_exceptions=True)
    for key, one in zip(keys, found, strict=True):
        if isinstance(one, NotFound):  # removed since the bucket was listed
            continue
        if isinstance(one, BaseException):
            raise one
        writer.add_bytes(OBJECTS + key, one.data, content_type=one.content_type)


def read_manifest(archive: Path) -> Manifest:
    """Read the whole archive once, and what it says of itself.

    Raises:
        BackupUnreadable: it is no backup, cut off, or changed.
    """
    digest = _Digest()
    manifest: Manifest | None = None
    last = b""
    with opened(archive) as members:
        for member, file in members:
            if member.name == END:
                last = file.read(member.size)
                break
            digest.begin(member.name, member.size)
            if manifest is None:
                if member.name != MANIFEST or member.size > _MAX_MANIFEST:
                    raise BackupUnreadable(f"{archive} is no backup of this service.")
                data = file.read()
                digest.update(data)
                manifest = Manifest.of_json(data)
                continue
            while data := file.read(_CHUNK):
                digest.update(data)
    if manifest is None or last != digest.value:
        raise BackupUnreadable(f"{archive} is cut off or was changed; nothing of it is restored.")
    return manifest


@contextmanager
def opened(archive: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, BinaryIO]]]:
    """The members in their order, each with its content, which is read before the next one.

    Raises:
        BackupUnreadable: it is no such file.
    """
    try:
        with tarfile.open(archive, mode="r:") as found:
            yield _members(found)
    except (tarfile.TarError, OSError) as error:
        raise BackupUnreadable(f"{archive} can't be read as a backup: {error}") from error


def _members(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, BinaryIO]]:
    while (member := archive.next()) is not None:
        file = archive.extractfile(member)
        if file is not None:
            yield member, cast("BinaryIO", file)
        archive.members = []  # type: ignore[attr-defined]  # as the documentation says of long archives


def content_type_of(member: tarfile.TarInfo) -> str:
    """The media type that an object had."""
    return member.pax_headers.get(_CONTENT_TYPE, "application/octet-stream")
