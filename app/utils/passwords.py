"""Passwords, as Argon2id hashes with the parameters of RFC 9106 for little memory: 64 MiB and some 50 ms each."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.utils.text_folding import composed

_HASHER = PasswordHasher()


def hash_password(password: str) -> str:
    """What is stored of a password. Vietnamese keyboards write the same letter in two ways, which count as one."""
    return _HASHER.hash(composed(password))


def is_password(password: str, stored: str | None) -> bool:
    """Whether that is the password; takes as long where nothing is stored, so that time names no names."""
    try:
        return _HASHER.verify(stored or _of_nobody(), composed(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _of_nobody() -> str:
    return _HASHER.hash("nobody")
