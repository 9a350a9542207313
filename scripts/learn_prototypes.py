"""Learn from tagged pictures what the hotel's own names look like: python scripts/learn_prototypes.py

Takes the indexed pictures with an item_type, and keeps the mean vector of each name that two or more carry. Searches
by words use it from the next start on, beside what the model and the glossary know of the words. Run it again when
many pictures have been added.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack

from app.composition.backends import open_database
from app.config import Settings, load_settings
from app.core.prototypes import PrototypeSet, learn_prototypes
from app.errors import VisionError
from app.ml_models.concept_data import read_classes, read_glossary
from app.ml_models.manifest import load_pack
from app.ml_models.prototype_file import FILE_NAME, write_prototypes
from app.ml_models.roles import ModelRole
from app.services.stores.image_store import named_vectors

_MIN_PICTURES = 2


async def learn(settings: Settings) -> PrototypeSet:
    """The prototypes of what is indexed with the settings' model pack."""
    model_id = load_pack(settings.MODEL_PACK).spec(ModelRole.IMAGE_EMBEDDING).model_id
    async with AsyncExitStack() as stack:
        database = await open_database(stack, settings)
        async with database.connection() as connection:
            named = await named_vectors(connection, model_id)
    glossary = read_glossary(read_classes())
    return learn_prototypes(named, glossary, model_id=model_id, min_pictures=_MIN_PICTURES)


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        settings = load_settings()
        learnt = asyncio.run(learn(settings))
    except VisionError as error:
        print(f"learn_prototypes: {error.message}", file=sys.stderr)
        return 2
    path = settings.CV_DATA_DIR / FILE_NAME
    write_prototypes(path, learnt)
    print(f"{len(learnt.vectors)} names learnt: {', '.join(sorted(learnt.vectors)) or 'none'}. Restart to use them.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
