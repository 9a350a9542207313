"""Re-embed the indexed pictures with the settings' model pack, and switch the searches over to the new vectors.

python scripts/reindex.py

Needed after MODEL_PACK, or the model of a pack, has changed: vectors of two models can't be compared, so the service
refuses to start until this has run. It reads the stored originals, may be interrupted and started again, and may run
beside a service of the old pack, which goes on finding everything until it is restarted with the new one. The old
collection is kept until --drop-old.

Faces can't be re-embedded, because their photos are not kept: after a change of the face model, enrol people again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.config import Settings, load_settings
from app.core.inference import InferencePool
from app.dependencies import open_backends, open_loader
from app.errors import VisionError
from app.ml_models.factories.image import build_image_embedder
from app.utils.logging import setup_logging
from app.workflows.reindexing import ImageReindexer

ALIAS = "image_embeddings"


async def reindex(settings: Settings, console: Console, *, drop_old: bool) -> list[str]:
    """Ids of the pictures that could not be embedded anew."""
    async with AsyncExitStack() as stack:
        pool = InferencePool(
            threads=settings.MAX_WORKERS,
            queue_size=settings.INFERENCE_QUEUE_SIZE,
            deadline_s=settings.INFERENCE_DEADLINE_S,
        )
        stack.callback(pool.close)
        embedder = build_image_embedder(open_loader(settings, streams=pool.thread_count))
        backends = await open_backends(stack, settings)
        reindexer = ImageReindexer(
            pool=pool,
            embedder=embedder,
            database=backends.database,
            vectors=backends.vectors,
            storage=backends.storage,
            max_pixels=settings.MAX_IMAGE_PIXELS,
        )
        previous = await backends.vectors.images.current_collection()
        await reindexer.open()
        lost = await _embed_all(reindexer, console)
        switched = await reindexer.switch()
        current = backends.vectors.images.spec.collection
        console.print(f"{switched} pictures switched; {ALIAS} is {current}.")
        if previous not in (None, current):
            if drop_old:
                await backends.vectors.client.drop_collection(previous)
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
    """Exit status 1 where pictures could not be embedded, 2 where nothing could be done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", default=ALIAS, help="only image_embeddings can be re-embedded")
    parser.add_argument("--drop-old", action="store_true", help="remove the old model's collection afterwards")
    options = parser.parse_args()
    setup_logging(level="WARNING")  # one line where a backend fails, and nothing between the lines of a progress bar
    console = Console()
    if options.collection != ALIAS:
        print(
            f"reindex: {options.collection} can't be re-embedded: the photos of faces are not kept. Enrol people again "
            "with the new model, or go back to the old MODEL_PACK.",
            file=sys.stderr,
        )
        return 2
    try:
        lost = asyncio.run(reindex(load_settings(), console, drop_old=options.drop_old))
    except VisionError as error:
        print(f"reindex: {error.message}", file=sys.stderr)
        return 2
    for image_id in lost:
        print(f"reindex: the original of {image_id} is missing or damaged; index it again.", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
