"""Index a folder of pictures: python scripts/import_images.py FOLDER --category room

Several at a time, with a progress bar. An interrupted run goes on where it stopped; pictures that are there already
are not stored twice. Sub-folders may name the room (--room-from-folder) or the kind of thing (--item-from-folder).
A journal, FOLDER/.cv-import-<category>.jsonl, says what became of each file; what was refused is told at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.composition.root import open_resources
from app.config import Settings, load_settings
from app.errors import VisionError
from app.services.stores.image_store import ImageDetails
from app.utils.logging import setup_logging
from app.workflows.image_import import ImageImporter, Imported, ImportJournal, find_pictures

CATEGORIES = ("room", "lost_found", "amenity")
_ROOM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,9}")
_MAX_ITEM_TYPE = 50


def details_of(path: Path, options: argparse.Namespace) -> ImageDetails:
    """What the options and the file's folder say of a picture."""
    details = ImageDetails(
        category=options.category,
        room_number=options.room,
        item_type=options.item_type,
        tags=tuple(options.tag),
        location=options.location,
        description=options.description,
    )
    parent = path.parent.name
    if options.room_from_folder and path.parent != options.folder and _ROOM.fullmatch(parent):
        details = replace(details, room_number=parent)
    if options.item_from_folder and path.parent != options.folder:
        details = replace(details, item_type=parent[:_MAX_ITEM_TYPE])
    return details


async def import_folder(settings: Settings, options: argparse.Namespace, console: Console) -> list[Imported]:
    """What became of each file of this run."""
    journal = ImportJournal(options.folder / f".cv-import-{options.category}.jsonl")
    done = {name for name, entry in journal.read().items() if entry.outcome != "refused"}
    paths = [path for path in find_pictures(options.folder) if str(path.relative_to(options.folder)) not in done]
    console.print(f"{len(paths)} pictures to index, {len(done)} done before.")
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
        columns = (TextColumn("indexing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task("", total=len(paths))

            def advance(entry: Imported) -> None:
                finished.append(entry)
                progress.advance(bar)

            await importer.run(paths, advance=advance)
    return finished


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--category", required=True, choices=CATEGORIES)
    parser.add_argument("--room", metavar="NUMBER")
    parser.add_argument("--item-type")
    parser.add_argument("--tag", action="append", default=[], help="may be given again")
    parser.add_argument("--location")
    parser.add_argument("--description")
    parser.add_argument("--uploaded-by", default="import", help="for the records, at most 20 letters")
    parser.add_argument("--room-from-folder", action="store_true", help="the sub-folder names the room")
    parser.add_argument("--item-from-folder", action="store_true", help="the sub-folder names the kind of thing")
    parser.add_argument("--at-once", type=int, default=4, help="pictures under way at a time (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    if len(options.uploaded_by) > 20:
        parser.error("--uploaded-by has more than 20 letters")
    if options.at_once < 1:
        parser.error("--at-once must be at least 1")
    return options


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where files were refused, 2 where the run could not go on."""
    options = _parse(arguments)
    setup_logging(level="WARNING")  # one line where a backend fails, and nothing between the lines of a progress bar
    console = Console()
    try:
        settings = load_settings(OCR_ENABLED=False)  # no document is read here
        finished = asyncio.run(import_folder(settings, options, console))
    except VisionError as error:
        print(f"import_images: {error.message} Start it again to go on.", file=sys.stderr)
        return 2
    counts = Counter(entry.outcome for entry in finished)
    console.print(f"{counts['indexed']} indexed, {counts['duplicate']} there before, {counts['refused']} refused.")
    for entry in finished:
        if entry.outcome == "refused":
            print(f"{entry.file}: {entry.reason}", file=sys.stderr)
    return 1 if counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
