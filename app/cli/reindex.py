"""``cv reindex``: moves to the settings' model pack what was stored with another."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import click

from app.cli.environment import patient
from app.cli.output import Report
from app.composition.backends import open_backends
from app.composition.decoders import picture_limits
from app.composition.models import open_loader
from app.config import Settings, load_settings
from app.core.inference import InferencePool
from app.ml_models.factories.face import build_face_engines
from app.ml_models.factories.image import build_image_embedder
from app.services.sealed_storage import SealedStorage
from app.utils.logging import setup_logging
from app.workflows.face_migration import FaceMigration, Move
from app.workflows.reindexing import ImageReindexer

IMAGES, FACES = "image_embeddings", "face_embeddings"


def _open_pool(stack: AsyncExitStack, settings: Settings) -> InferencePool:
    pool = InferencePool(
        threads=settings.MAX_WORKERS, queue_size=settings.INFERENCE_QUEUE_SIZE, deadline_s=settings.INFERENCE_DEADLINE_S
    )
    stack.callback(pool.close)
    return pool


async def move_faces(settings: Settings, output: Report) -> Move:
    """Let the settings' face model take over."""
    async with AsyncExitStack() as stack:
        pool = _open_pool(stack, settings)
        engines = build_face_engines(open_loader(settings, streams=pool.thread_count))
        backends = await open_backends(stack, patient(settings))
        faces = backends.vectors.faces
        previous = await faces.current_collection()
        move = await FaceMigration(
            pool=pool,
            engine=engines.recognition,
            covers=engines.covers,
            database=backends.database,
            vectors=faces,
            storage=SealedStorage(backends.storage, backends.database),
            cache=backends.cache,
            limits=picture_limits(settings),
        ).run()
        if previous is not None and previous != faces.spec.collection:
            await faces.drop(previous)
        output.line(
            f"{move.counting} templates count, {move.embedded} of them embedded again from kept crops; "
            f"{FACES} is {faces.spec.collection}."
        )
        return move


async def reindex(settings: Settings, output: Report, *, drop_old: bool) -> list[str]:
    """Ids of the pictures that could not be embedded again."""
    async with AsyncExitStack() as stack:
        pool = _open_pool(stack, settings)
        embedder = build_image_embedder(open_loader(settings, streams=pool.thread_count))
        backends = await open_backends(stack, patient(settings))
        reindexer = ImageReindexer(
            pool=pool,
            embedder=embedder,
            database=backends.database,
            vectors=backends.vectors.images,
            storage=backends.storage,
            limits=picture_limits(settings),
        )
        images = backends.vectors.images
        previous = await images.current_collection()
        await reindexer.open()
        lost = await _embed_all(reindexer, output)
        switched = await reindexer.switch()
        current = images.spec.collection
        output.line(f"{switched} pictures switched; {IMAGES} is {current}.")
        if previous is not None and previous != current:
            if drop_old:
                await images.drop(previous)
                output.line(f"{previous} dropped.")
            else:
                output.line(f"{previous} is kept; --drop-old removes it.")
        return lost


async def _embed_all(reindexer: ImageReindexer, output: Report) -> list[str]:
    with output.progress("embedding", total=await reindexer.count_waiting()) as advance:
        return await reindexer.embed_waiting(advance=advance)


@click.command("reindex")
@click.option("--collection", type=click.Choice([IMAGES, FACES]), default=IMAGES, help="What to move.")
@click.option("--drop-old", is_flag=True, help="Remove the old collection of pictures afterwards.")
@click.pass_obj
def command(output: Report, *, collection: str, drop_old: bool) -> int:
    """Move to the settings' model pack what was stored with another: pictures, or enrolled people.

    Needed after MODEL_PACK, or the model of a pack, has changed: vectors of two models can't be compared, so the
    service refuses to start until this has run. It may be interrupted and started again. The way back is the same
    command with the old MODEL_PACK.

    Pictures: the stored originals are embedded again, also beside a service of the old pack, which goes on finding
    everything until it is restarted with the new one. The old collection is kept until --drop-old.

    Faces: only crops of faces can be embedded again, where FACE_KEEP_CROPS kept them. Everybody else is listed, and has
    to be enrolled again (exit status 1). A service of the old pack that still runs recognises nobody from then on.
    PostgreSQL keeps the old templates for the way back, so the old collection goes at once.
    """
    setup_logging(level="WARNING")  # one line where a backend fails, and nothing between the lines of a progress bar
    settings = load_settings()
    if collection == FACES:
        people = asyncio.run(move_faces(settings, output)).to_enrol
        left = [f"enrol {person.employee_id} again ({person.name or 'no name'})" for person in people]
    else:
        lost = asyncio.run(reindex(settings, output, drop_old=drop_old))
        left = [f"the original of {image_id} is missing or damaged; index it again." for image_id in lost]
    for line in left:
        output.note(f"reindex: {line}")
    output.result({"collection": collection, "left": left})
    return 1 if left else 0
