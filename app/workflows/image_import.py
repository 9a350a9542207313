"""Indexes a folder of pictures, several at a time, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.inference import Priority
from app.errors import InvalidInput, Overloaded, TooLarge, Unavailable
from app.services.stores.image_store import ImageDetails
from app.workflows.image import ImageWorkflow

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"})
_RETRIES = 5
_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: ``indexed``, ``duplicate`` with the id of the one before, or ``refused`` with a reason."""

    file: str
    outcome: str
    image_id: str | None = None
    reason: str | None = None


class ImportJournal:
    """One line of JSON for each finished file, written as it is finished; a second run skips those.

    Refused files are tried again: what was wrong with them may have been corrected.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, Imported]:
        """The last entry of each file; a line that an interruption cut short is passed over."""
        entries: dict[str, Imported] = {}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = Imported(**json.loads(line))
                except (json.JSONDecodeError, TypeError):
                    continue
                entries[entry.file] = entry
        return entries

    def append(self, entry: Imported) -> None:
        """Note a finished file, for good."""
        known = {"file": entry.file, "outcome": entry.outcome, "image_id": entry.image_id, "reason": entry.reason}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(known, ensure_ascii=False) + "\n")


def find_pictures(folder: Path) -> list[Path]:
    """Every picture below the folder by its suffix, in order; hidden files and folders are left out."""

    def visible(path: Path) -> bool:
        return not any(part.startswith(".") for part in path.relative_to(folder).parts)

    return sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file() and visible(path)
    )


class ImageImporter:
    """Over the image workflow.

    Args:
        details: what to say of a file.
        at_once: how many are under way at a time.
        max_bytes: larger files are refused unread.
    """

    def __init__(
        self,
        images: ImageWorkflow,
        *,
        folder: Path,
        details: Callable[[Path], ImageDetails],
        journal: ImportJournal,
        at_once: int,
        max_bytes: int,
        actor: str | None,
    ) -> None:
        self._images = images
        self._folder = folder
        self._details = details
        self._journal = journal
        self._at_once = at_once
        self._max_bytes = max_bytes
        self._actor = actor

    async def run(self, paths: Sequence[Path], *, advance: Callable[[Imported], None]) -> None:
        """Index the files.

        Args:
            advance: is told of each finished file.

        Raises:
            Unavailable: a backend stays down; what is finished stays, and a second run goes on from there.
        """
        waiting = iter(paths)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._at_once):
                    group.create_task(self._work(waiting, advance))
        except ExceptionGroup as failures:
            # They fail of one cause, a backend that stays down; the first names it.
            raise failures.exceptions[0] from failures

    async def _work(self, waiting: Iterator[Path], advance: Callable[[Imported], None]) -> None:
        for path in waiting:
            entry = await self._import(path)
            self._journal.append(entry)
            advance(entry)

    async def _import(self, path: Path) -> Imported:
        name = str(path.relative_to(self._folder))
        try:
            picture = await asyncio.to_thread(self._read, path)
            indexed = await self._index(picture, path)
        except (InvalidInput, TooLarge) as error:
            return Imported(name, "refused", reason=error.message)
        except OSError as error:
            return Imported(name, "refused", reason=f"cannot be read: {error.strerror}")
        return Imported(name, *indexed)

    def _read(self, path: Path) -> bytes:
        if path.stat().st_size > self._max_bytes:
            raise TooLarge(f"The file is larger than {self._max_bytes} bytes.")
        return path.read_bytes()

    async def _index(self, picture: bytes, path: Path) -> tuple[str, str]:
        """Outcome and image id; a backend that is down for a moment is waited for."""
        for attempt in range(_RETRIES):
            try:
                indexed = await self._images.index(
                    picture, self._details(path), actor=self._actor, priority=Priority.BULK
                )
            except (Unavailable, Overloaded):
                if attempt == _RETRIES - 1:
                    raise
                await asyncio.sleep(_PAUSE_S * 2**attempt)
            else:
                return ("duplicate" if indexed.is_duplicate else "indexed"), indexed.image.image_id
        raise AssertionError("unreachable: the last attempt returns or raises")
