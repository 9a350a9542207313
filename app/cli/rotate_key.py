"""``cv rotate-key``: brings everything that is encrypted at rest under the newest master key, and changes that key."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import click

from app.cli.environment import patient
from app.cli.output import Report
from app.composition.backends import open_backends
from app.composition.secrets import open_secret_box
from app.config import Settings, load_settings
from app.errors import ConfigurationError
from app.services.database import Database
from app.services.sealed_storage import SealedStorage
from app.services.stores import key_store
from app.services.vault import MasterKeys, new_key
from app.utils.logging import setup_logging
from app.workflows.key_rotation import KeyRotation

_VACUUM_TIMEOUT_S = 1800.0


def own_file(settings: Settings) -> Path:
    """The file of keys that we may change.

    Raises:
        ConfigurationError: the keys are elsewhere, or the file can't be written.
    """
    file = settings.CV_MASTER_KEY_FILE
    if file is None or not os.access(file, os.W_OK) or not os.access(file.parent, os.W_OK):
        raise ConfigurationError(
            "The keys are not in a CV_MASTER_KEY_FILE that can be written from here. Change them where they are: see "
            "cv rotate-key --help."
        )
    return file


def write_keys(file: Path, lines: list[str]) -> None:
    """Replace the file's lines in one step; nobody else can read it."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as opened:
        opened.write("".join(f"{line}\n" for line in lines))
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)


def add_key(settings: Settings, output: Report) -> None:
    """Write a key of the next version into the file."""
    file = own_file(settings)
    version = MasterKeys(file=file).newest + 1
    write_keys(file, [*file.read_text(encoding="ascii").split(), f"{version}:{new_key()}"])
    output.line(f"key {version} added to {file}; keep a copy of it away from the backups")


def remove_keys(settings: Settings, output: Report, before: int) -> None:
    """Take the keys of lower versions out of the file, where that is ours to do."""
    try:
        file = own_file(settings)
    except ConfigurationError:
        output.line(f"now remove the keys before version {before} from the secret, and every copy of them")
        return
    keys = MasterKeys(file=file)
    entries = file.read_text(encoding="ascii").split()
    kept = [entry for entry in entries if int(entry.partition(":")[0] if ":" in entry else 1) >= before]
    write_keys(file, kept)
    output.line(
        f"keys before version {before} removed from {file} ({len(keys.versions) - len(kept)}); destroy every copy"
    )


async def rotate(settings: Settings, output: Report, *, retire: bool) -> bool:
    """Whether nothing is left that can't be opened."""
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, patient(settings))
        rotation = KeyRotation(
            database=backends.database,
            faces=backends.turned_faces,
            objects=SealedStorage(backends.storage, backends.database),
            box=open_secret_box(settings, backends.database.vault),
        )
        if retire:
            await retire_old(rotation, settings, output, backends.database)
            return True
        done = await rotation.run(report=output.line)
        output.line(f"face index: {done.turned} vectors turned with key {done.version}")
        for lost in done.lost:
            output.note(f"{lost} can't be opened, and stays as it is")
    if done.sealed:
        await rewrite_tables(settings)
        output.line(
            "tables rewritten; the log of PostgreSQL, its replicas and its backups hold what was until they end"
        )
    return not done.lost


async def retire_old(rotation: KeyRotation, settings: Settings, output: Report, database: Database) -> None:
    """Say what dies with the old keys, and take them away."""
    retired = await rotation.retire_old()
    for key in retired:
        output.line(
            f"key {key.version} (fingerprint {key.fingerprint.hex()}) is retired: backups from before "
            f"{key.unneeded_since:%Y-%m-%d %H:%M:%S} UTC need it, and can't be restored without it"
        )
    if not retired:
        output.line("no older key is left")
    async with database.connection() as connection:
        remove_keys(settings, output, await key_store.sealing_version(connection))


async def rewrite_tables(settings: Settings) -> None:
    """With a time limit that suits large tables."""
    database = Database(settings.DATABASE_URL.get_secret_value(), max_size=1, timeout_s=_VACUUM_TIMEOUT_S)
    await database.open()
    try:
        async with database.connection() as connection:
            await key_store.rewrite_tables(connection)
    finally:
        await database.close()


@click.command("rotate-key")
@click.option("--add-key", "adds", is_flag=True, help="Write a new key into CV_MASTER_KEY_FILE first.")
@click.option("--retire-old", "retires", is_flag=True, help="Give up the keys that nothing living needs.")
@click.pass_obj
def command(output: Report, *, adds: bool, retires: bool) -> int:
    """Seal with the newest master key what is plain or sealed with an older one.

    --add-key first writes a new key into CV_MASTER_KEY_FILE. --retire-old, later, when older backups may die, gives the
    older keys up for good.

    Safe beside a running service, and safe to repeat: it goes on where it stopped. Where the keys are in a secret
    (compose, Kubernetes) that nobody can write from here, add a line VERSION:$(openssl rand -base64 32) to it with the
    next version, restart all replicas, then run this without --add-key.
    """
    if adds and retires:
        raise click.UsageError("--add-key and --retire-old exclude each other.")
    setup_logging(level="WARNING")
    settings = load_settings()
    if adds:
        add_key(settings, output)
    clean = asyncio.run(rotate(settings, output, retire=retires))
    output.result({"everything_opened": clean})
    return 0 if clean else 1
