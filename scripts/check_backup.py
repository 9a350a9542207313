"""Tell whether the master keys that are given open a backup of the database, before anything is restored.

python scripts/check_backup.py hotel.sql                                                     # a plain dump
pg_restore --data-only --table=key_versions --file=- hotel.dump | python scripts/check_backup.py -   # any other

Every dump has the table key_versions, which names the keys that its rows need by version and fingerprint. Exit status
2: a key is missing or another one, and the restored templates and papers could not be read.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from app.composition.backends import open_vault
from app.config import load_settings
from app.errors import ConfigurationError, VisionError
from app.services.stores.key_store import KeyVersion
from app.services.vault import MasterKeys, refuse_other_key

_COPY = re.compile(rb'COPY (?:\S+\.)?"?key_versions"? \(([^)]*)\) FROM stdin;')
_END = rb"\."
_NULL = b"\\N"


def needed_keys(dump: Iterable[bytes]) -> list[KeyVersion]:
    """The keys that the rows of a dump need, by the rule of ``key_store.needed_keys``; none where it names no keys.

    Args:
        dump: lines of SQL as pg_dump writes it.

    Raises:
        ConfigurationError: the table is there and can't be understood.
    """
    lines = iter(dump)
    columns: list[str] = []
    for line in lines:
        if match := _COPY.match(line):
            columns = [name.strip().strip('"') for name in match[1].decode().split(",")]
            break
    rows = []
    for line in lines if columns else ():
        if line.rstrip(b"\r\n") == _END:
            break
        rows.append(dict(zip(columns, line.rstrip(b"\r\n").split(b"\t"), strict=False)))
    try:
        sealed = [int(row["version"]) for row in rows if row["all_sealed_at"] != _NULL]
        return [
            KeyVersion(int(row["version"]), bytes.fromhex(row["fingerprint"].decode().removeprefix("\\\\x")))
            for row in rows
            if row["retired_at"] == _NULL and int(row["version"]) >= max(sealed, default=0)
        ]
    except (KeyError, ValueError) as error:
        raise ConfigurationError("The table key_versions of that backup can't be understood.") from error


def check(dump: Iterable[bytes], keys: MasterKeys) -> list[KeyVersion]:
    """Hold the keys of a dump against those that are given; the former.

    Raises:
        ConfigurationError: one is missing, or another.
    """
    needed = needed_keys(dump)
    for known in needed:
        refuse_other_key(keys, known.version, known.fingerprint)
    return needed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", help="a plain dump, or - for standard input")
    options = parser.parse_args()
    try:
        keys = open_vault(load_settings()).keys
        if options.dump == "-":
            needed = check(sys.stdin.buffer, keys)
        else:
            with Path(options.dump).open("rb") as file:
                needed = check(file, keys)
    except (VisionError, OSError) as error:
        print(f"check_backup: {error.message if isinstance(error, VisionError) else error}", file=sys.stderr)
        return 2
    named = ", ".join(f"{known.version} ({known.fingerprint.hex()})" for known in needed)
    print(
        f"check_backup: the backup needs master keys {named}; they are here"
        if needed
        else "check_backup: the backup names no master keys: its templates and papers are plain, or it has none"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
