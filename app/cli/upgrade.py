"""``cv upgrade``: from the data of an earlier version to this one, step by step, each only where it is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from app.cli.backup import back_up
from app.cli.environment import patient
from app.cli.migrate import create_collections, migrate_tables
from app.cli.models import HERE, states_of
from app.cli.output import Report
from app.cli.reconcile import reconcile
from app.cli.reindex import move_faces, reindex
from app.cli.rotate_key import rotate
from app.composition.backends import Backends, open_backends, open_vault
from app.config import Settings, load_settings
from app.errors import ConfigurationError, Conflict, SchemaMissing
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.services.stores import dump, face_migration_store, image_store, key_store
from app.services.stores.schema import newest_revision, older_revisions
from app.utils.logging import setup_logging
from app.workflows.image_reconciliation import ImageReconciler
from app.workflows.reconciliation import FaceReconciler


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the way.

    Attributes:
        find: why it is needed; empty where it is not.
        take: does it; what is left for people to do.
        back: how the version before gets along with what it leaves.
    """

    name: str
    find: Callable[[Backends], Awaitable[str]]
    take: Callable[[], list[str]]
    back: str


def steps(settings: Settings, output: Report) -> tuple[Step, ...]:
    """In their order: each finds what the ones before it have left."""

    def tables() -> list[str]:
        migrate_tables(settings, output)
        return []

    def pictures() -> list[str]:
        lost = asyncio.run(reindex(settings, output, drop_old=False))
        return [f"index {image_id} again: its original is missing or damaged" for image_id in lost]

    def faces() -> list[str]:
        people = asyncio.run(move_faces(settings, output)).to_enrol
        return [f"enrol {person.employee_id} again ({person.name or 'no name'})" for person in people]

    def collections() -> list[str]:
        asyncio.run(create_collections(settings, output))
        return []

    def seal() -> list[str]:
        clean = asyncio.run(rotate(settings, output, retire=False))
        return [] if clean else ["something can't be opened with the keys that are given: the lines above name it"]

    def vectors() -> list[str]:
        look = asyncio.run(reconcile(settings, output, repairs=True, allowed=0))
        return [] if look.outcome()["fits"] else ["cv reconcile shows what does not fit"]

    return (
        Step("tables", _tables_behind, tables, "the version before goes on with them"),
        Step("pictures", _pictures_behind, pictures, "cv reindex with the old MODEL_PACK"),
        Step("people", _people_behind, faces, "cv reindex --collection face_embeddings with the old MODEL_PACK"),
        Step("collections", _collections_missing, collections, "the version before goes on with them"),
        Step("encryption", _not_sealed, seal, "a backup from before; no version without encryption reads it"),
        Step("vector index", _vectors_behind, vectors, "the version before goes on with it"),
    )


async def _tables_behind(backends: Backends) -> str:
    async with backends.database.connection() as connection:
        revision = await dump.revision(connection)
    if revision is None:
        return f"there are none; {newest_revision()} is needed"
    return f"they are of {revision}, {newest_revision()} is needed" if revision in older_revisions() else ""


async def _pictures_behind(backends: Backends) -> str:
    spec = backends.vectors.images.spec
    async with backends.database.connection() as connection:
        waiting = await image_store.count_waiting(connection, spec.model_id)
    return f"{waiting} are of another model than {spec.model_id}" if waiting else ""


async def _people_behind(backends: Backends) -> str:
    spec = backends.vectors.faces.spec
    async with backends.database.connection() as connection:
        left = await face_migration_store.templates_to_move(connection, spec.model_id)
    people = len({template.employee_id for template in left})
    return f"{people} have templates of another model than {spec.model_id} alone" if people else ""


async def _collections_missing(backends: Backends) -> str:
    missing = [index.spec.public_name for index in backends.vectors.indexes if not await index.current_collection()]
    return f"{', '.join(missing)} missing" if missing else ""


async def _not_sealed(backends: Backends) -> str:
    newest = backends.database.vault.keys.newest
    async with backends.database.connection() as connection:
        behind = await key_store.count_behind(connection, newest)
        finished = await key_store.all_sealed_since(connection, newest)
    found = [f"{count} {what}" for what, count in behind.items() if count]
    if found:
        return f"not sealed with the newest key: {', '.join(found)}"
    return "" if finished else "not gone through with the newest key"


async def _vectors_behind(backends: Backends) -> str:
    database, vectors, storage = backends.database, backends.vectors, backends.storage
    faces = await FaceReconciler(database, vectors.faces, storage).find()
    images = await ImageReconciler(database, vectors.images, storage).find()
    return "" if faces.consistent and images.consistent else "does not fit the rows"


async def look(settings: Settings, wanted: list[Step]) -> list[str]:
    """Why each step is needed; empty where it is not."""
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, patient(settings))
        found = []
        for step in wanted:
            try:
                found.append(await step.find(backends))
            except SchemaMissing:
                found.append("shown once the tables are there")
            except ConfigurationError as error:  # of a step before: vectors of another model, say
                found.append(error.message)
        return found


async def refuse_early(settings: Settings) -> None:
    """Whatever would stop the way in the middle.

    Raises:
        Conflict: a service uses the database, or models of the pack are not here.
        ConfigurationError: there are no master keys, or not those of the data.
    """
    _ = open_vault(settings).keys.newest  # raises where there is none
    loader = ModelLoader(load_pack(settings.MODEL_PACK), settings.MODEL_WEIGHTS_DIR)
    if missing := {role: state for role, state in states_of(loader).items() if state not in HERE}:
        raise Conflict(f"Models are missing: {'; '.join(missing.values())}", code="models_missing")
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, patient(settings))
        async with backends.database.connection() as connection:
            if sessions := await dump.other_sessions(connection):
                outcome = f"A service uses this database ({sessions} connections). Stop every replica first."
                raise Conflict(outcome, code="service_running")
            if await dump.revision(connection) not in {None, *older_revisions()}:
                await key_store.require_keys(connection)


@click.command("upgrade")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--backup", "archive", type=click.Path(dir_okay=False, path_type=Path), help="Write this archive first.")
@click.pass_obj
def command(output: Report, *, dry_run: bool, archive: Path | None) -> int:
    """Bring the data of an earlier version to this one: tables, the models of pictures and people, collections,
    encryption, the vector index. Each step says why it is needed, and is left out where it is not.

    Every replica is stopped meanwhile. Interrupted, the same command goes on: what is done is found done. --dry-run
    shows the way back of each step; behind encryption it is a backup from before (--backup writes one).

    Exit status 1: something is left for people to do, such as enrolling somebody again.
    """
    setup_logging(level="WARNING")
    settings = load_settings()
    asyncio.run(refuse_early(settings))
    way = steps(settings, output)
    if dry_run:
        needed = asyncio.run(look(settings, list(way)))
        for step, reason in zip(way, needed, strict=True):
            output.line(f"{step.name}: {reason or 'nothing to do'}")
            if reason:
                output.line(f"{'':4}way back: {step.back}")
        output.result({"steps": {step.name: reason for step, reason in zip(way, needed, strict=True)}})
        return 0
    if archive is not None:
        asyncio.run(back_up(settings, archive, output))
        output.line(f"backup: {archive}")
    left, taken = [], []
    for step in way:
        [reason] = asyncio.run(look(settings, [step]))
        output.line(f"{step.name}: {reason or 'nothing to do'}")
        if reason:
            left += step.take()
            taken.append(step.name)
    for line in left:
        output.note(f"upgrade: {line}")
    output.result({"taken": taken, "left": left})
    return 1 if left else 0
