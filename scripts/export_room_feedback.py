"""Write the photos of rooms that people corrected, with what they said, as data for scripts/train_heads.py.

python scripts/export_room_feedback.py DIR
python scripts/train_heads.py DIR --name room_messy --positive dirty --group-column group

Several photos of one room stand in one group, so that they never train and test at once.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from app.composition.backends import open_backends
from app.config import Settings, load_settings
from app.core.room_analyzer import ChecklistItem
from app.errors import NotFound, VisionError
from app.services.stores.room_store import CorrectedPhoto, corrected_photos

_COLUMNS = ["file", "label", "group", *(item.value for item in ChecklistItem)]


async def export(settings: Settings, folder: Path) -> tuple[int, int]:
    """Write photos and labels.csv.

    Returns:
        How many photos were written, and how many are past their retention.
    """
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        async with backends.database.connection() as connection:
            photos = await corrected_photos(connection)
        rows = []
        for photo in photos:
            try:
                data = await backends.storage.get(photo.key)
            except NotFound:
                continue
            name = photo.key.rpartition("/")[2]
            (folder / name).write_bytes(data)
            rows.append(_row(name, photo))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows), len(photos) - len(rows)


def _row(name: str, photo: CorrectedPhoto) -> dict[str, str]:
    said = {item: str(int(value)) for item, value in photo.checklist.items()}
    return {"file": name, "label": photo.status, "group": photo.room_number} | said


def main() -> int:
    """Exit status: 0, or 1 with one line that says what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="is made unless it is there")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        written, gone = asyncio.run(export(load_settings(), folder))
    except VisionError as error:
        print(f"export_room_feedback: {error}", file=sys.stderr)
        return 1
    print(f"{written} photos in {folder}; {gone} more are past their retention.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
