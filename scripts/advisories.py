"""Advisories about PyPI's packages from a file: OSV's export, a ZIP archive of one JSON document an advisory.

https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip is one; a machine without a network can be given a copy.
"""

from __future__ import annotations

import json
import re
import urllib.request
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any  # of JSON

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_TIMEOUT_S = 120
_MAX_BYTES = 512 * 2**20  # of the archive, and of all documents in it: the export has a tenth of that
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


class UnreadableAdvisories(Exception):
    """The file or the address holds no advisories."""


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """``ids``: the advisory's own and the names that others gave it. ``fixed``: versions that have the repair."""

    ids: tuple[str, ...]
    fixed: tuple[str, ...]


class Advisories:
    """Advisories by package.

    Args:
        documents: in OSV's schema, of any ecosystem.
    """

    def __init__(self, documents: Iterable[Mapping[str, Any]]) -> None:
        self._by_package: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = defaultdict(list)
        self.count = 0
        for document in documents:
            self.count += 1
            for affected in () if document.get("withdrawn") else document.get("affected", ()):
                package = affected.get("package", {})
                if package.get("ecosystem") == "PyPI":
                    self._by_package[canonicalize_name(package["name"])].append((document, affected))

    def of(self, name: str, version: str) -> list[Vulnerability]:
        """What is known of one version of a package."""
        return [
            Vulnerability((document["id"], *document.get("aliases", ())), tuple(_fixed(affected)))
            for document, affected in self._by_package[canonicalize_name(name)]
            if _is_affected(Version(version), affected)
        ]


def read_advisories(place: str) -> Advisories:
    """The advisories of a file, or of an http(s) address.

    Raises:
        UnreadableAdvisories: nothing is there, it is too large, or no archive of advisories.
    """
    try:
        with zipfile.ZipFile(BytesIO(_read(place))) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".json")]
            if sum(member.file_size for member in members) > _MAX_BYTES:
                raise UnreadableAdvisories(f"{place} holds more than {_MAX_BYTES} bytes")
            advisories = Advisories(json.loads(archive.read(member)) for member in members)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise UnreadableAdvisories(f"{place} cannot be read as an archive of advisories: {error}") from error
    if not advisories.count:
        raise UnreadableAdvisories(f"{place} holds no advisories")
    return advisories


def pinned(requirements: str) -> list[tuple[str, str]]:
    """Name and version of everything that a requirements file pins."""
    return _PINNED.findall(requirements)


def _read(place: str) -> bytes:
    if not place.startswith(("http://", "https://")):
        path = Path(place)
        if path.stat().st_size > _MAX_BYTES:
            raise UnreadableAdvisories(f"{place} is larger than {_MAX_BYTES} bytes")
        return path.read_bytes()
    with urllib.request.urlopen(place, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # one of the two schemes above
        data: bytes = answer.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise UnreadableAdvisories(f"{place} is larger than {_MAX_BYTES} bytes")
    return data


def _is_affected(version: Version, affected: Mapping[str, Any]) -> bool:
    listed = (_version(text) for text in affected.get("versions", ()))
    return version in listed or any(_is_in(version, found) for found in _ranges(affected))


def _ranges(affected: Mapping[str, Any]) -> Iterator[list[Mapping[str, str]]]:
    """The events of each range of versions; commits of a repository are not versions."""
    for found in affected.get("ranges", ()):
        if found.get("type") in ("ECOSYSTEM", "SEMVER"):
            yield found.get("events", [])


def _is_in(version: Version, events: list[Mapping[str, str]]) -> bool:
    """Whether the last event up to the version left it vulnerable."""
    inside = False
    latest: Version | None = None
    for event in events:
        for kind, text in event.items():
            at = Version("0.dev0") if text == "0" else _version(text)
            # The last affected version is itself affected.
            if at is None or at > version or (kind == "last_affected" and at == version):
                continue
            if latest is None or at >= latest:
                inside, latest = kind == "introduced", at
    return inside


def _fixed(affected: Mapping[str, Any]) -> Iterator[str]:
    for events in _ranges(affected):
        yield from (event["fixed"] for event in events if "fixed" in event)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None  # of before version numbers had rules
