"""Hashes of model files, and the lock file that keeps those which no manifest could know beforehand.

``weights/<pack>.lock`` is JSON. ``files`` holds the sha256 of each file as it was installed, which every start is held
against. ``sources`` holds what was downloaded for it at first, which later downloads are held against; a conversion
may give other bytes with another version of its tools, so the two are kept apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from app.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class LockedSource:
    """``revision`` names the state of the source, such as a commit; empty where the source has none."""

    sha256: str
    revision: str


@dataclass(frozen=True, slots=True)
class Lock:
    """``files``: sha256 by path within the pack. ``sources``: by package and member."""

    files: Mapping[str, str]
    sources: Mapping[str, LockedSource]

    def updated(self, files: Mapping[str, str], sources: Mapping[str, LockedSource]) -> Lock:
        """This lock with the given entries added or replaced."""
        return Lock(files={**self.files, **files}, sources={**self.sources, **sources})


def file_sha256(path: Path) -> str:
    """The file's sha256 in lower-case hexadecimal; raises ``OSError`` where it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def lock_path(weights_dir: Path, pack: str) -> Path:
    """Where the lock of a pack is."""
    return weights_dir / f"{pack}.lock"


def read_lock(path: Path) -> Lock:
    """The lock; an empty one where nothing was locked yet.

    Raises:
        ConfigurationError: the file is not one of ours.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return Lock(
            files={name: str(sha256) for name, sha256 in entries["files"].items()},
            sources={name: LockedSource(**source) for name, source in entries["sources"].items()},
        )
    except FileNotFoundError:
        return Lock(files={}, sources={})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{path} is damaged; delete it and run cv models install again.") from error


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the lock in one step, so that an interruption leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".lock.partial")
    partial.write_text(json.dumps(asdict(lock), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    partial.replace(path)
