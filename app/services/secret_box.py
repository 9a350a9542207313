"""Keeps camera credentials and webhook secrets encrypted in PostgreSQL; the key lives outside of it.

AES-256-GCM. What is stored is a key's fingerprint, a nonce and the ciphertext, bound to its owner's id: a row's
secret can't be moved to another one, and a lost key is told apart from damage.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import ConfigurationError, Unavailable

_KEY_BYTES = 32
_FINGERPRINT_BYTES = 4
_NONCE_BYTES = 12


class SecretLost(Unavailable):
    """A stored secret can't be read any more; whoever knows it has to give it again (503)."""

    code = "camera_secret_lost"


class SecretBox:
    """Seals and opens short secrets with one key.

    Args:
        key_base64: the key of the settings; empty uses the key file.
        key_file: read, and written on the first ``seal``, where the settings give no key.
    """

    def __init__(self, key_base64: str, *, key_file: Path) -> None:
        self._key_file = key_file
        self._key = _decode(key_base64) if key_base64 else None

    def seal(self, secret: str, *, owner: str) -> bytes:
        """Encrypt ``secret`` for ``owner``."""
        key = self._key or self._read_file() or self._write_file()
        nonce = os.urandom(_NONCE_BYTES)
        return _fingerprint(key) + nonce + AESGCM(key).encrypt(nonce, secret.encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        """Decrypt what ``seal`` made for ``owner``.

        Raises:
            SecretLost: it was sealed with another key, or it is damaged.
        """
        fingerprint = sealed[:_FINGERPRINT_BYTES]
        key = self._key or self._read_file()
        if key is None or _fingerprint(key) != fingerprint:
            raise SecretLost(
                f"The credentials of {owner} were encrypted with a key that is gone (fingerprint "
                f"{fingerprint.hex()}); bring CAMERA_SECRET_KEY or the key file back, or set the credentials again."
            )
        nonce, ciphertext = sealed[_FINGERPRINT_BYTES:][:_NONCE_BYTES], sealed[_FINGERPRINT_BYTES + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretLost(f"The credentials of {owner} are damaged; set them again.") from error

    def _read_file(self) -> bytes | None:
        try:
            return _decode(self._key_file.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The camera key file {self._key_file.name} can't be read.") from error

    def _write_file(self) -> bytes:
        text = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
        self._key_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._key_file.with_name(f"{self._key_file.name}.{os.getpid()}.{os.urandom(4).hex()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, self._key_file)  # unlike a rename, refuses to replace the key of a process that was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        key = self._read_file()
        if key is None:
            raise ConfigurationError(f"The camera key file {self._key_file.name} can't be written.")
        return key


def _decode(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("The camera key is not valid base64; it takes 32 bytes.") from error
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(f"The camera key has {len(key)} bytes; it takes 32, in base64.")
    return key


def _fingerprint(key: bytes) -> bytes:
    return hashlib.sha256(b"cv-service camera key" + key).digest()[:_FINGERPRINT_BYTES]
