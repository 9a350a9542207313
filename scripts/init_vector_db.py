"""Create the vector collections, and their public names, that the settings' model pack needs. Safe to run again.

python scripts/init_vector_db.py
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from app.composition.backends import open_backends
from app.config import Settings, load_settings
from app.errors import VisionError
from app.utils.logging import setup_logging


async def create_collections(settings: Settings) -> None:
    """Open, and so create, every collection."""
    async with AsyncExitStack() as stack:
        vectors = (await open_backends(stack, settings)).vectors
        await vectors.open()
        for index in vectors.indexes:
            print(f"{index.spec.public_name} -> {index.spec.collection}: ready, {await index.count()} vectors")


def main() -> int:
    setup_logging(level="WARNING")  # or Milvus's client prints a traceback for each alias that is not there yet
    try:
        asyncio.run(create_collections(load_settings()))
    except VisionError as error:
        print(f"init_vector_db: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
