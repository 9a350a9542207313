"""What a start computes from a model's files, on disk for the next start: compiled networks above all.

OpenVINO has a cache of its own, but runs a damaged file of it without a word: its numbers are then nonsense. Here each
file begins with the hash of the rest. Whoever can write the folder decides what is computed, as with a hotel's own
heads beside it: it belongs to the service alone.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from app.utils.logging import logger

_HASH_BYTES = 32
_KEPT_BY_NAME = 4
"""For other settings or another version; beyond that the oldest goes."""


class StartCache:
    """A folder of results; made by the first that is kept. Thread-safe, also between processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str, *, key: str) -> bytes | None:
        """What was kept under this key; None where nothing was, or it is damaged."""
        try:
            data = self._path(name, key).read_bytes()
        except OSError:
            return None
        kept = memoryview(data)[_HASH_BYTES:]
        if hashlib.sha256(kept).digest() == data[:_HASH_BYTES]:
            return bytes(kept)
        logger.warning("start_cache_damaged", name=name)
        return None

    def keep(self, name: str, data: bytes, *, key: str) -> None:
        """Keep a result; one that cannot be written is computed again by the next start."""
        path = self._path(name, key)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._drop_oldest(name, spared=path)
            number, partial = tempfile.mkstemp(prefix=".", dir=self._folder)
            try:
                with os.fdopen(number, "wb") as file:
                    file.write(hashlib.sha256(data).digest())
                    file.write(data)
                Path(partial).replace(path)
            except OSError:
                Path(partial).unlink(missing_ok=True)
                raise
        except OSError as error:
            logger.info("start_cache_not_kept", name=name, reason=error.strerror)

    def _path(self, name: str, key: str) -> Path:
        return self._folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"

    def _drop_oldest(self, name: str, *, spared: Path) -> None:
        others = [path for path in self._folder.glob(f"{name}-*.bin") if path != spared]
        by_age = sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)
        for path in by_age[_KEPT_BY_NAME - 1 :]:
            with suppress(OSError):  # another process was faster
                path.unlink()
