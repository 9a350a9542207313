"""Files with many things in one: lines of JSON, or a zip with such lines and the pictures that they name.

Nothing is unpacked but what an item names, each within a limit; a file's own directory is bounded before it is read.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import InvalidInput

NDJSON_TYPES = ("application/x-ndjson", "application/jsonl", "application/ndjson")
ZIP_TYPES = ("application/zip", "application/x-zip-compressed")
LIST_NAME = "items.ndjson"
_PICTURE_FIELDS = ("image", "images")
_END_OF_DIRECTORY = b"PK\x05\x06"
_END_BYTES = 22
_MAX_ENTRY_BYTES = 600  # of a directory's entry with a long name
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAX_PICTURES = 20  # of one item


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """``max_items`` of one file; ``max_file_bytes`` of one unpacked file."""

    max_items: int
    max_file_bytes: int


class BulkFile:
    """The items of an upload, read one at a time.

    Args:
        data: the whole file.
        is_zip: a zip, else lines of JSON.

    Raises:
        InvalidInput: it is no such file, is empty, or has too many items.
    """

    def __init__(self, data: bytes, *, is_zip: bool, limits: BulkLimits) -> None:
        self._limits = limits
        self._zip = _open_zip(data, limits) if is_zip else None
        text = data if self._zip is None else self._unpack(self._zip, LIST_NAME)
        if text.count(b"\n") > 10 * limits.max_items:
            raise _too_many(limits)
        self._lines = [line for line in text.split(b"\n") if line.strip()]
        if not 1 <= len(self._lines) <= limits.max_items:
            raise _too_many(limits)

    def __len__(self) -> int:
        return len(self._lines)

    def item(self, position: int) -> Mapping[str, object]:
        """The fields of an item; in a zip, pictures that it names are their bytes.

        Raises:
            InvalidInput: the line is no JSON object, or names no file of the zip, or one that is too large.
        """
        try:
            fields = json.loads(self._lines[position])
        except (ValueError, RecursionError) as error:
            raise InvalidInput("The line is not valid JSON.", code="invalid_json") from error
        if not isinstance(fields, dict):
            raise InvalidInput("The line is no JSON object.", code="invalid_json")
        if self._zip is not None:
            for name in _PICTURE_FIELDS:
                if name in fields:
                    fields[name] = self._pictures(self._zip, fields[name])
        return fields

    def _pictures(self, archive: zipfile.ZipFile, named: object) -> object:
        if isinstance(named, str):
            return self._unpack(archive, named)
        if isinstance(named, list) and len(named) <= _MAX_PICTURES:
            return [self._unpack(archive, name) if isinstance(name, str) else name for name in named]
        return named  # the model says what is wrong

    def _unpack(self, archive: zipfile.ZipFile, name: str) -> bytes:
        try:
            entry = archive.getinfo(name)
            if entry.file_size > self._limits.max_file_bytes or entry.compress_type not in _METHODS:
                raise InvalidInput(f"{name[:100]} in the zip is too large or packed unusually.", code="invalid_zip")
            with archive.open(entry) as file:
                content = file.read(self._limits.max_file_bytes + 1)
        except KeyError as error:
            raise InvalidInput(f"The zip holds no {name[:100]}.", code="file_not_in_zip") from error
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, NotImplementedError) as error:
            raise InvalidInput(f"{name[:100]} in the zip is damaged or encrypted.", code="invalid_zip") from error
        if len(content) > self._limits.max_file_bytes:
            raise InvalidInput(f"{name[:100]} in the zip is too large.", code="invalid_zip")
        return content


def _open_zip(data: bytes, limits: BulkLimits) -> zipfile.ZipFile:
    end = data.rfind(_END_OF_DIRECTORY, max(0, len(data) - _END_BYTES - 2**16))
    entries, size = 0, 0
    if end >= 0 and end + _END_BYTES <= len(data):
        entries = int.from_bytes(data[end + 10 : end + 12], "little")
        size = int.from_bytes(data[end + 12 : end + 16], "little")
    # A list, up to twenty pictures an item. The directory is read whole at once, so its size counts too.
    most = 1 + _MAX_PICTURES * limits.max_items
    if not 0 < entries <= most or size > entries * _MAX_ENTRY_BYTES:
        raise InvalidInput("The file is no zip, or one with too many files.", code="invalid_zip")
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
        raise InvalidInput("The zip is damaged.", code="invalid_zip") from error


def _too_many(limits: BulkLimits) -> InvalidInput:
    return InvalidInput(f"Send 1 to {limits.max_items} items, one a line.", code="bulk_size")
