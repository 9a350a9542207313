"""``cv export``: corrected rooms as training data, and what is stored about a person."""

from __future__ import annotations

import asyncio
import csv
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import click

from app.cli.environment import patient
from app.cli.output import Report
from app.composition.backends import open_backends, open_database
from app.config import Settings, load_settings
from app.core.room_analyzer import ChecklistItem
from app.errors import NotFound
from app.services.stores.room_store import CorrectedPhoto, corrected_photos
from app.workflows.privacy import PrivacyWorkflow

_COLUMNS = ["file", "label", "group", *(item.value for item in ChecklistItem)]


async def export_rooms(settings: Settings, folder: Path) -> tuple[int, int]:
    """Write photos and labels.csv.

    Returns:
        How many photos were written, and how many are past their retention.
    """
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, patient(settings))
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


@click.group("export")
def command() -> None:
    """Write out what the service holds."""


@command.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def rooms(output: Report, folder: Path) -> None:
    """Write the photos of rooms that people corrected, with what they said, as data for cv heads train.

    cv heads train FOLDER --name room_messy --positive dirty --group-column group

    Several photos of one room stand in one group, so that they never train and test at once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written, gone = asyncio.run(export_rooms(load_settings(), folder))
    output.line(f"{written} photos in {folder}; {gone} more are past their retention.")
    output.result({"written": written, "past_retention": gone, "folder": str(folder)})


@command.command()
@click.argument("employee_id", metavar="ID")
@click.option("--by", default="cv export", show_default=True, help="Who asks, for the audit log.")
def person(employee_id: str, by: str) -> None:
    """Everything that is stored about a person but the templates' vectors, as JSON; audited."""

    async def read() -> dict[str, object]:
        async with AsyncExitStack() as stack:
            database = await open_database(stack, patient(load_settings()))
            return asdict(await PrivacyWorkflow(database).export(employee_id, actor=by))

    Report(as_json=True).result(asyncio.run(read()))
