"""Passwords and keys of the local servers: generated once, kept in one private file."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from scripts.local.errors import LocalStackError
from scripts.local.layout import write_private


@dataclass(frozen=True, slots=True)
class LocalCredentials:
    """Every secret is hexadecimal, so it needs no quoting in a URL, in SQL or in a configuration file."""

    postgres_admin_password: str
    postgres_password: str
    valkey_password: str
    storage_access_key: str
    storage_secret_key: str
    milvus_password: str

    @classmethod
    def generate(cls) -> LocalCredentials:
        """New secrets of 160 random bits each."""
        return cls(**{field.name: secrets.token_hex(20) for field in fields(cls)})

    @classmethod
    def load_or_generate(cls, path: Path) -> LocalCredentials:
        """The secrets in ``path``, which is written first where it is missing.

        Milvus' is added to a file of before it had one: its server is told at each start, and keeps none.

        Raises:
            LocalStackError: the file exists and cannot be understood; new secrets would lock us out of the data.
        """
        if not path.exists():
            credentials = cls.generate()
            write_private(path, json.dumps(asdict(credentials), indent=2) + "\n")
            return credentials
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if "milvus_password" not in stored:
                stored["milvus_password"] = secrets.token_hex(20)
                write_private(path, json.dumps(stored, indent=2) + "\n")
            return cls(**stored)
        except (OSError, ValueError, TypeError) as error:
            raise LocalStackError(f"Cannot read the secrets in {path}: {error}. Restore that file.") from error
