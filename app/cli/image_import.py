"""``cv import``: indexes a folder of pictures."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from app.cli.output import Report
from app.composition.root import open_resources
from app.config import Settings, load_settings
from app.services.stores.image_store import ImageDetails
from app.utils.logging import setup_logging
from app.workflows.image_import import ImageImporter, Imported, ImportJournal, find_pictures

CATEGORIES = ("room", "lost_found", "amenity")
_ROOM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,9}")
_MAX_ITEM_TYPE = 50
_MAX_SIGNATURE = 20


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the command line says of a folder's pictures."""

    folder: Path
    category: str
    room: str | None
    item_type: str | None
    tag: tuple[str, ...]
    location: str | None
    description: str | None
    uploaded_by: str
    room_from_folder: bool
    item_from_folder: bool
    at_once: int


def details_of(path: Path, options: ImportOptions) -> ImageDetails:
    """What the options and the file's folder say of a picture."""
    details = ImageDetails(
        category=options.category,
        room_number=options.room,
        item_type=options.item_type,
        tags=options.tag,
        location=options.location,
        description=options.description,
    )
    parent = path.parent.name
    if options.room_from_folder and path.parent != options.folder and _ROOM.fullmatch(parent):
        details = replace(details, room_number=parent)
    if options.item_from_folder and path.parent != options.folder:
        details = replace(details, item_type=parent[:_MAX_ITEM_TYPE])
    return details


async def import_folder(settings: Settings, options: ImportOptions, output: Report) -> list[Imported]:
    """What became of each file of this run."""
    journal = ImportJournal(options.folder / f".cv-import-{options.category}.jsonl")
    done = {name for name, entry in journal.read().items() if entry.outcome != "refused"}
    paths = [path for path in find_pictures(options.folder) if str(path.relative_to(options.folder)) not in done]
    output.line(f"{len(paths)} pictures to index, {len(done)} done before.")
    finished: list[Imported] = []
    async with open_resources(settings) as resources:
        importer = ImageImporter(
            resources.images,
            folder=options.folder,
            details=lambda path: details_of(path, options),
            journal=journal,
            at_once=options.at_once,
            max_bytes=settings.MAX_BODY_BYTES,
            actor=options.uploaded_by,
        )
        with output.progress("indexing", total=len(paths)) as advance:

            def note(entry: Imported) -> None:
                finished.append(entry)
                advance(1)

            await importer.run(paths, advance=note)
    return finished


@click.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--category", type=click.Choice(CATEGORIES), required=True)
@click.option("--room", metavar="NUMBER")
@click.option("--item-type")
@click.option("--tag", multiple=True, help="May be given again.")
@click.option("--location")
@click.option("--description")
@click.option("--uploaded-by", default="import", show_default=True, help="For the records, at most 20 letters.")
@click.option("--room-from-folder", is_flag=True, help="The sub-folder names the room.")
@click.option("--item-from-folder", is_flag=True, help="The sub-folder names the kind of thing.")
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Pictures under way.")
@click.pass_obj
def command(output: Report, /, **given: Any) -> int:  # noqa: ANN401  # as declared above
    """Index a folder of pictures, several at a time.

    An interrupted run goes on where it stopped; pictures that are there already are not stored twice. Sub-folders may
    name the room or the kind of thing. A journal, FOLDER/.cv-import-CATEGORY.jsonl, says what became of each file;
    what was refused is listed at the end (exit status 1).
    """
    options = ImportOptions(**given)
    if len(options.uploaded_by) > _MAX_SIGNATURE:
        raise click.UsageError(f"--uploaded-by has more than {_MAX_SIGNATURE} letters.")
    setup_logging(level="WARNING")  # one line where a backend fails, and nothing between the lines of a progress bar
    settings = load_settings(OCR_ENABLED=False)  # no document is read here
    finished = asyncio.run(import_folder(settings, options, output))
    counts = Counter(entry.outcome for entry in finished)
    refused = {entry.file: entry.reason for entry in finished if entry.outcome == "refused"}
    output.line(f"{counts['indexed']} indexed, {counts['duplicate']} there before, {len(refused)} refused.")
    for file, reason in refused.items():
        output.note(f"{file}: {reason}")
    output.result({"indexed": counts["indexed"], "there_before": counts["duplicate"], "refused": refused})
    return 1 if refused else 0
