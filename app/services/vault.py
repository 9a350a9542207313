"""Seals what must not lie in the clear at rest: AES-256-GCM under versioned master keys that live outside the backends.

A sealed value names the key version that opens it, and is bound to its place (table, column, row), so that it can't be
moved to another row. Each table has a key of its own, derived from the master key by HKDF-SHA256; so have the
fingerprint, which tells keys apart and may be shown, and the turn of the face index (``app/services/turns.py``).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import struct
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import ConfigurationError, Unavailable

KEY_BYTES = 32
_MAX_VERSION = 2**31 - 1  # PostgreSQL's integer
_FINGERPRINT_BYTES = 8
_NONCE_BYTES = 12
_MAGIC = b"\x00CV1"  # no JPEG begins like that
_HEADER = struct.Struct(f">4sI{_NONCE_BYTES}s")
HEADER_BYTES = _HEADER.size
_ENTRY = re.compile(r"(?:(\d{1,10}):)?([A-Za-z0-9+/=]+)")

HOW_TO_GIVE = (
    "Set CV_MASTER_KEY_FILE to a file with a line such as 1:$(openssl rand -base64 32), or CV_MASTER_KEY to that text."
)


class SealedUnreadable(Unavailable):
    """A sealed value can't be opened: its key is not here, or it is damaged (503)."""

    code = "sealed_unreadable"

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=60.0)


@dataclass(frozen=True, slots=True)
class SealPlace:
    """Where a sealed value belongs; it opens nowhere else."""

    table: str
    column: str
    row: str


class MasterKeys:
    """The master keys by version; the highest is the newest.

    Args:
        text: ``VERSION:BASE64`` entries of 32 bytes each, separated by commas or blanks; a lone key without a version
            is version 1. Empty: the file has them.
        file: of the same entries, one a line; lines that begin with # are passed over. Read again where a version is
            asked for that it did not have: a mounted secret changes while we run.

    Raises:
        ConfigurationError: an entry is no such key, or a version stands there twice.
    """

    def __init__(self, text: str = "", *, file: Path | None = None) -> None:
        if text and file:
            raise ConfigurationError("Set CV_MASTER_KEY or CV_MASTER_KEY_FILE, not both.")
        self.file = file
        self._keys = parse_keys(text) if file is None else _read(file)
        self._lock = threading.Lock()

    @property
    def versions(self) -> tuple[int, ...]:
        """All of them, ascending."""
        return tuple(sorted(self._keys))

    @property
    def newest(self) -> int:
        """The highest version.

        Raises:
            ConfigurationError: there is no key at all.
        """
        if not self._keys:
            raise ConfigurationError(
                f"Templates and papers are kept encrypted, and no master key is set. {HOW_TO_GIVE}"
            )
        return max(self._keys)

    def find(self, version: int) -> bytes | None:
        """The key of that version, after looking into the file once more; None where it is not here."""
        if version not in self._keys and self.file is not None:
            with self._lock, contextlib.suppress(ConfigurationError):  # being replaced now: what we have goes on
                self._keys = _read(self.file)
        return self._keys.get(version)


class Vault:
    """Seals and opens values. Threads may share it."""

    def __init__(self, keys: MasterKeys) -> None:
        self.keys = keys

    def fingerprint(self, version: int) -> bytes:
        """What tells the key of that version from others, and nothing else about it.

        Raises:
            SealedUnreadable: that version is not here.
        """
        return fingerprint_of(self._key(version))

    def seal(self, value: bytes, place: SealPlace, *, version: int) -> bytes:
        """Encrypt ``value`` for its place: 36 bytes longer than it was.

        Raises:
            SealedUnreadable: that version is not here.
        """
        nonce = os.urandom(_NONCE_BYTES)
        cipher = _cipher(self._key(version), place.table)
        return _HEADER.pack(_MAGIC, version, nonce) + cipher.encrypt(nonce, value, _bound_to(place, version))

    def open(self, sealed: bytes, place: SealPlace) -> bytes:
        """Decrypt what ``seal`` made for that place.

        Raises:
            SealedUnreadable: its key is not here, it belongs elsewhere, or it is damaged.
        """
        where = f"{place.table}.{place.column} of {place.row}"
        if not is_sealed(sealed):
            raise SealedUnreadable(f"{where} is damaged.")
        _, version, nonce = _HEADER.unpack_from(sealed)
        cipher = _cipher(self._key(version), place.table)
        try:
            return cipher.decrypt(nonce, memoryview(sealed)[HEADER_BYTES:], _bound_to(place, version))
        except InvalidTag as error:
            raise SealedUnreadable(f"{where} is damaged, or sealed with another key of version {version}.") from error

    def seal_text(self, text: str, place: SealPlace, *, version: int) -> str:
        """``seal`` for columns of text: base64."""
        return base64.b64encode(self.seal(text.encode(), place, version=version)).decode()

    def open_text(self, sealed: object, place: SealPlace) -> str:
        """``open`` for what ``seal_text`` made. Whatever else stands there is damaged."""
        try:
            raw = base64.b64decode(sealed) if isinstance(sealed, str) else b""
        except ValueError:
            raw = b""
        return self.open(raw, place).decode()

    def secret(self, version: int, purpose: str) -> bytes:
        """32 bytes for a purpose that is no table.

        Raises:
            SealedUnreadable: that version is not here.
        """
        return _derived(self._key(version), purpose, KEY_BYTES)

    def _key(self, version: int) -> bytes:
        key = self.keys.find(version)
        if key is None:
            here = ", ".join(map(str, self.keys.versions)) or "none"
            raise SealedUnreadable(
                f"Master key version {version} is needed, and {here} given; bring it back into CV_MASTER_KEY_FILE or "
                "CV_MASTER_KEY."
            )
        return key


def is_sealed(value: bytes) -> bool:
    """Whether ``seal`` made it, by its first bytes; ``HEADER_BYTES`` of them are enough."""
    return len(value) >= HEADER_BYTES and value.startswith(_MAGIC)


def version_of(sealed: bytes) -> int:
    """The key version of a sealed value, of which the first ``HEADER_BYTES`` are enough."""
    version: int = _HEADER.unpack_from(sealed)[1]
    return version


def head_of(version: int) -> bytes:
    """The first eight bytes of whatever is sealed with that version."""
    return struct.pack(">4sI", _MAGIC, version)


def new_key() -> str:
    """32 random bytes in base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def parse_keys(text: str) -> dict[int, bytes]:
    """The keys of a text as ``MasterKeys`` describes it, by version.

    Raises:
        ConfigurationError: see there. The message repeats no key.
    """
    keys: dict[int, bytes] = {}
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for number, entry in enumerate(re.split(r"[\s,]+", "\n".join(lines).strip())) if text.strip() else ():
        match = _ENTRY.fullmatch(entry)
        version = int(match[1] or 1) if match else 0
        if match is None or not 1 <= version <= _MAX_VERSION or version in keys:
            raise ConfigurationError(
                f"Entry {number + 1} of the master keys is no VERSION:BASE64, or its version stands there twice."
            )
        keys[version] = _decoded(match[2], version)
    return keys


def _decoded(text: str, version: int) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ConfigurationError(f"Master key {version} is not valid base64; it takes 32 bytes.") from error
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"Master key {version} has {len(key)} bytes; it takes 32, in base64.")
    return key


def _read(file: Path) -> dict[int, bytes]:
    try:
        return parse_keys(file.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"CV_MASTER_KEY_FILE: {file} can't be read. {HOW_TO_GIVE}") from error


def fingerprint_of(key: bytes) -> bytes:
    """Eight bytes that tell this key from others."""
    return _derived(key, "fingerprint", _FINGERPRINT_BYTES)


def refuse_other_key(keys: MasterKeys, version: int, fingerprint: bytes) -> None:
    """Hold the key of a version against a fingerprint.

    Raises:
        ConfigurationError: it is missing, or another key.
    """
    key = keys.find(version)
    if key is not None and fingerprint_of(key) == fingerprint:
        return
    here = f"the one given has {fingerprint_of(key).hex()}" if key else "it is not given"
    raise ConfigurationError(
        f"The data are sealed with master key {version} of fingerprint {fingerprint.hex()}, and {here}. Bring that key "
        f"back into CV_MASTER_KEY_FILE or CV_MASTER_KEY (docs/operations.md, Master keys): without it templates and "
        "papers can't be read.",
        code="master_key_wrong" if key else "master_key_missing",
    )


def _derived(key: bytes, purpose: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"cv-service/1/" + purpose.encode()).derive(key)


@lru_cache(maxsize=64)
def _cipher(key: bytes, table: str) -> AESGCM:
    return AESGCM(_derived(key, f"table/{table}", KEY_BYTES))


def _bound_to(place: SealPlace, version: int) -> bytes:
    """Unambiguous, because each part is preceded by its length."""
    parts = [place.table.encode(), place.column.encode(), place.row.encode(), str(version).encode()]
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)
