"""``cv heads``: what a hotel teaches the service: heads trained on its photos, and its own names of things."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import click

from app.cli.environment import NO_BACKENDS, patient, run_script
from app.cli.output import Report
from app.composition.backends import open_database
from app.config import Settings, load_settings
from app.core.prototypes import PrototypeSet, learn_prototypes
from app.ml_models.concept_data import read_classes, read_glossary
from app.ml_models.heads import HEADS_DIR
from app.ml_models.manifest import load_pack
from app.ml_models.prototype_file import FILE_NAME, write_prototypes
from app.ml_models.roles import ModelRole
from app.services.stores.image_store import named_vectors

_MIN_PICTURES = 2


async def learn(settings: Settings) -> PrototypeSet:
    """The prototypes of what is indexed with the settings' model pack."""
    model_id = load_pack(settings.MODEL_PACK).spec(ModelRole.IMAGE_EMBEDDING).model_id
    async with AsyncExitStack() as stack:
        database = await open_database(stack, patient(settings))
        async with database.connection() as connection:
            named = await named_vectors(connection, model_id)
    glossary = read_glossary(read_classes())
    return learn_prototypes(named, glossary, model_id=model_id, min_pictures=_MIN_PICTURES)


@click.group("heads")
def command() -> None:
    """Train, list and learn what the hotel teaches the service."""


@command.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def train(arguments: tuple[str, ...]) -> int:
    """Teach a yes-or-no question from labelled photos: scripts/train_heads.py, which --help explains."""
    return run_script("train_heads.py", arguments)


@command.command("list")
@click.pass_obj
def list_(output: Report) -> None:
    """The heads that are used at the next start: the hotel's own before the shipped ones."""
    own_dir = load_settings(**NO_BACKENDS).own_heads_dir
    heads: dict[str, Path] = {}
    for folder in (HEADS_DIR, own_dir):
        heads |= {path.stem: path for path in sorted(folder.glob("*.json"))}
    for name, path in sorted(heads.items()):
        output.line(f"{name:<28} {'own' if path.parent == own_dir else 'shipped':<8} {path.with_suffix('.md')}")
    output.result({"heads": [{"name": name, "file": str(path)} for name, path in sorted(heads.items())]})


@command.command()
@click.pass_obj
def prototypes(output: Report) -> None:
    """Learn from tagged pictures what the hotel's own names look like.

    Takes the indexed pictures with an item_type, and keeps the mean vector of each name that two or more carry.
    Searches by words use it from the next start on, beside what the model and the glossary know of the words. Run it
    again when many pictures have been added.
    """
    settings = load_settings()
    learnt = asyncio.run(learn(settings))
    write_prototypes(settings.CV_DATA_DIR / FILE_NAME, learnt)
    names = sorted(learnt.vectors)
    output.line(f"{len(names)} names learnt: {', '.join(names) or 'none'}. Restart to use them.")
    output.result({"learnt": names})
