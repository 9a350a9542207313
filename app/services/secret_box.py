"""Keeps camera credentials and webhook secrets encrypted in PostgreSQL: with the master keys, and opens those of the
key that came before them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import Unavailable
from app.services.vault import KEY_BYTES, SealedUnreadable, SealPlace, Vault, is_sealed, version_of

_FINGERPRINT_BYTES = 4
_NONCE_BYTES = 12


class SecretLost(Unavailable):
    """A stored secret can't be read any more; whoever knows it has to give it again (503)."""

    code = "camera_secret_lost"


class SecretBox:
    """Seals short secrets in the vault, and opens those as well as older ones.

    Args:
        old_key_base64: the key of secrets that were sealed before there was a vault; empty uses the file.
        old_key_file: of that key, which may not be there.
    """

    def __init__(self, vault: Vault, *, old_key_base64: str, old_key_file: Path) -> None:
        self._vault = vault
        self._old_key_base64 = old_key_base64
        self._old_key_file = old_key_file

    def seal(self, secret: str, *, owner: str, version: int) -> bytes:
        """Encrypt ``secret`` for ``owner`` with the master key of that version."""
        return self._vault.seal(secret.encode(), _place(owner), version=version)

    def open(self, sealed: bytes, *, owner: str) -> str:
        """Decrypt what was sealed for ``owner``.

        Raises:
            SecretLost: its key is gone, or it is damaged.
        """
        if not is_sealed(sealed):
            return self._open_old(sealed, owner)
        try:
            return self._vault.open(sealed, _place(owner)).decode()
        except SealedUnreadable as error:
            raise SecretLost(
                f"The credentials of {owner} can't be opened: {error.message} Or set the credentials again."
            ) from error

    @staticmethod
    def is_sealed_with(sealed: bytes, version: int) -> bool:
        """Whether it was sealed with the master key of that version."""
        return is_sealed(sealed) and version_of(sealed) == version

    def _open_old(self, sealed: bytes, owner: str) -> str:
        fingerprint = sealed[:_FINGERPRINT_BYTES]
        key = self._old_key()
        if key is None or _fingerprint(key) != fingerprint:
            raise SecretLost(
                f"The credentials of {owner} were encrypted with a key that is gone (fingerprint "
                f"{fingerprint.hex()}); bring CAMERA_SECRET_KEY or camera.key back, or set the credentials again."
            )
        nonce, ciphertext = sealed[_FINGERPRINT_BYTES:][:_NONCE_BYTES], sealed[_FINGERPRINT_BYTES + _NONCE_BYTES :]
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, owner.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretLost(f"The credentials of {owner} are damaged; set them again.") from error

    def _old_key(self) -> bytes | None:
        try:
            text = self._old_key_base64 or self._old_key_file.read_text(encoding="ascii").strip()
            key = base64.b64decode(text, validate=True)
        except (OSError, ValueError, binascii.Error):
            return None
        return key if len(key) == KEY_BYTES else None


def _place(owner: str) -> SealPlace:
    return SealPlace("secrets", "secret", owner)


def _fingerprint(key: bytes) -> bytes:
    return hashlib.sha256(b"cv-service camera key" + key).digest()[:_FINGERPRINT_BYTES]
