"""``cv backup`` and ``cv restore``: one archive of everything but the master keys, and the way back."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path

import click

from app.cli.environment import patient
from app.cli.migrate import create_collections, run_migrations
from app.cli.output import Report
from app.cli.reconcile import reconcile
from app.composition.backends import open_database, open_storage, open_vault
from app.config import Settings, load_settings
from app.errors import ConfigurationError
from app.ml_models.prototype_file import FILE_NAME
from app.services.stores.schema import newest_revision
from app.utils.logging import setup_logging
from app.workflows.backup import Manifest, read_manifest, write_backup
from app.workflows.restoring import (
    refuse_unless_free,
    refuse_unless_it_opens,
    restore_objects,
    restore_rows,
    restore_taught,
)

_TIMEOUT_S = 3600.0  # of one large table, or one object over a slow line


def taught_files(settings: Settings) -> list[tuple[str, Path]]:
    """What the hotel taught the service, with the names that it has in an archive."""
    files = sorted(path for path in settings.own_heads_dir.glob("*") if path.suffix in (".json", ".md"))
    heads = [(f"heads/{path.name}", path) for path in files]
    prototypes = settings.CV_DATA_DIR / FILE_NAME
    return [*heads, *([(FILE_NAME, prototypes)] if prototypes.is_file() else [])]


def write_keys(settings: Settings, file: Path, manifest: Manifest) -> None:
    """The master keys that an archive needs, in a file that nobody else can read."""
    text = settings.CV_MASTER_KEY.get_secret_value().replace(",", "\n")
    if settings.CV_MASTER_KEY_FILE is not None:
        text = settings.CV_MASTER_KEY_FILE.read_text(encoding="ascii")
    needed = ", ".join(str(key.version) for key in manifest.keys) or "none"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigurationError(f"{file} is there already; name another file.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(
            f"# Master keys; a backup of {manifest.created_at:%Y-%m-%d} needs version {needed}.\n{text.strip()}\n"
        )


async def back_up(settings: Settings, archive: Path, output: Report) -> Manifest:
    """Write the archive."""
    settings = patient(settings, timeout_s=_TIMEOUT_S)
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings)
        storage = open_storage(settings)
        stack.push_async_callback(storage.close)
        with output.progress("objects", total=None) as advance:
            return await write_backup(
                archive,
                database=database,
                storage=storage,
                taught=taught_files(settings),
                service_version=settings.VERSION,
                advance=advance,
            )


async def refuse_early(settings: Settings, manifest: Manifest, *, replaces: bool) -> str | None:
    """Whatever keeps the archive from being restored, before anything changes; the revision that is there."""
    refuse_unless_it_opens(manifest, open_vault(settings).keys, newest=newest_revision())
    async with AsyncExitStack() as stack:
        storage = open_storage(settings)
        stack.push_async_callback(storage.close)
        await storage.probe()
        return await refuse_unless_free(await open_database(stack, settings), replaces=replaces)


async def fill(settings: Settings, archive: Path, manifest: Manifest, output: Report) -> int:
    """Rows and objects; how many of these."""
    settings = patient(settings, timeout_s=_TIMEOUT_S)
    async with AsyncExitStack() as stack:
        await restore_rows(archive, manifest, await open_database(stack, settings))
        output.line(f"rows: {sum(manifest.rows.values())} in {len(manifest.rows)} tables")
        storage = open_storage(settings)
        stack.push_async_callback(storage.close)
        with output.progress("objects", total=manifest.objects) as advance:
            return await restore_objects(archive, storage, advance=advance)


def restore_all(settings: Settings, archive: Path, output: Report, *, replaces: bool) -> dict[str, object]:
    """The whole way, in its order."""
    manifest = read_manifest(archive)
    there = asyncio.run(refuse_early(settings, manifest, replaces=replaces))
    if there != manifest.revision:
        if there is not None:
            run_migrations(settings, output, "downgrade", "base")
        run_migrations(settings, output, "upgrade", manifest.revision)
    objects = asyncio.run(fill(settings, archive, manifest, output))
    output.line(f"objects: {objects}")
    run_migrations(settings, output, "upgrade", "head")
    taught = restore_taught(archive, settings.CV_DATA_DIR, settings.own_heads_dir)
    output.line(f"taught: {', '.join(taught) or 'nothing'}")
    asyncio.run(create_collections(settings, output))
    allowed = 2**31 if replaces else 0  # vectors of what was replaced
    look = asyncio.run(reconcile(settings, output, repairs=True, allowed=allowed))
    moment = f"{manifest.created_at:%Y-%m-%d %H:%M} UTC"
    output.note(f"Whoever was erased after {moment} is back: erase them again (docs/security.md).")
    return {"rows": manifest.rows, "objects": objects, "taught": taught, **look.outcome()}


@click.command("backup")
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--keys-to", type=click.Path(dir_okay=False, path_type=Path), help="Write the master keys to this file.")
@click.pass_obj
def backup(output: Report, archive: Path, keys_to: Path | None) -> None:
    """Write ARCHIVE (a tar file): all rows of the service's tables as of one moment, the objects, and what the hotel
    taught the service. Beside a running service.

    The master keys are not in it; --keys-to writes them to a file of their own, to be kept elsewhere. Names, and
    pictures of rooms and of finds, stand in the archive as they are: nobody else can read the file, and it should be
    encrypted where it goes.
    """
    setup_logging(level="WARNING")
    settings = load_settings()
    manifest = asyncio.run(back_up(settings, archive, output))
    if keys_to is not None:
        write_keys(settings, keys_to, manifest)
    size = archive.stat().st_size
    needed = ", ".join(str(key.version) for key in manifest.keys) or "no"
    output.line(f"{archive}: {sum(manifest.rows.values())} rows, {manifest.objects} objects, {size // 1000:,} kB")
    output.line(
        f"it needs {needed} master key" + (f", written to {keys_to}" if keys_to else "; keep them apart from it")
    )
    output.result(
        {
            "archive": str(archive),
            "bytes": size,
            "rows": manifest.rows,
            "objects": manifest.objects,
            "needed": [key.version for key in manifest.keys],
        }
    )


@click.command("restore")
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", "replaces", is_flag=True, help="In the place of what the database holds, which is lost.")
@click.pass_obj
def restore(output: Report, archive: Path, *, replaces: bool) -> int:
    """Bring back what cv backup wrote: tables, rows, objects, what the hotel taught, and the vector index out of them.

    Refused before anything changes: an archive that is cut off or was changed, of a later version, or whose master key
    is not given; a database that a service uses, or that holds something (unless --replace). An archive of an earlier
    version is brought to this one. Interrupted: the same command with --replace.

    Exit status 1: something does not fit afterwards, such as objects that were lost before the backup.
    """
    setup_logging(level="WARNING")
    outcome = restore_all(load_settings(), archive, output, replaces=replaces)
    output.result(outcome)
    return 0 if outcome["fits"] else 1
