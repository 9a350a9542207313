"""Move to the settings' model pack what was stored with another: the indexed pictures, or the enrolled people.

python scripts/reindex.py
python scripts/reindex.py --collection face_embeddings

Needed after MODEL_PACK, or the model of a pack, has changed: vectors of two models can't be compared, so the service
refuses to start until this has run. Both may be interrupted and started again. The way back is the same command with
the old MODEL_PACK.

Pictures: the stored originals are embedded again, also beside a service of the old pack, which goes on finding
everything until it is restarted with the new one. The old collection is kept until --drop-old.

Faces: only crops of faces can be embedded again, where FACE_KEEP_CROPS kept them. Everybody else is listed, and has to
be enrolled again. A service of the old pack that still runs recognises nobody from then on. PostgreSQL keeps the old
templates for the way back, so the old collection goes at once.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.composition.backends import open_backends
from app.composition.decoders import picture_limits
from app.composition.models import open_loader
from app.config import Settings, load_settings
from app.core.inference import InferencePool
from app.errors import VisionError
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


async def move_faces(settings: Settings, console: Console) -> Move:
    """Let the settings' face model take over."""
    async with AsyncExitStack() as stack:
        pool = _open_pool(stack, settings)
        engines = build_face_engines(open_loader(settings, streams=pool.thread_count))
        backends = await open_backends(stack, settings)
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
        console.print(
            f"{move.counting} templates count, {move.embedded} of them embedded again from kept crops; "
            f"{FACES} is {faces.spec.collection}."
        )
        return move


async def reindex(settings: Settings, console: Console, *, drop_old: bool) -> list[str]:
    """Ids of the pictures that could not be embedded again."""
    async with AsyncExitStack() as stack:
        pool = _open_pool(stack, settings)
        embedder = build_image_embedder(open_loader(settings, streams=pool.thread_count))
        backends = await open_backends(stack, settings)
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
        lost = await _embed_all(reindexer, console)
        switched = await reindexer.switch()
        current = images.spec.collection
        console.print(f"{switched} pictures switched; {IMAGES} is {current}.")
        if previous is not None and previous != current:
            if drop_old:
                await images.drop(previous)
                console.print(f"{previous} dropped.")
            else:
                console.print(f"{previous} is kept; --drop-old removes it.")
        return lost


async def _embed_all(reindexer: ImageReindexer, console: Console) -> list[str]:
    columns = (TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=await reindexer.count_waiting())
        return await reindexer.embed_waiting(advance=lambda count: progress.advance(bar, count))


def main() -> int:
    """Exit status 1 where pictures or people are left, 2 where nothing could be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", default=IMAGES, choices=[IMAGES, FACES], help="what to move")
    parser.add_argument("--drop-old", action="store_true", help="remove the old collection of pictures afterwards")
    options = parser.parse_args()
    setup_logging(level="WARNING")  # one line where a backend fails, and nothing between the lines of a progress bar
    console = Console(soft_wrap=True)
    try:
        left = _move(options, console)
    except VisionError as error:
        print(f"reindex: {error.message}", file=sys.stderr)
        return 2
    for line in left:
        print(f"reindex: {line}", file=sys.stderr)
    return 1 if left else 0


def _move(options: argparse.Namespace, console: Console) -> list[str]:
    """What could not be moved, a line each."""
    settings = load_settings()
    if options.collection == FACES:
        people = asyncio.run(move_faces(settings, console)).to_enrol
        return [f"enrol {person.employee_id} again ({person.name or 'no name'})" for person in people]
    lost = asyncio.run(reindex(settings, console, drop_old=options.drop_old))
    return [f"the original of {image_id} is missing or damaged; index it again." for image_id in lost]


if __name__ == "__main__":
    sys.exit(main())
