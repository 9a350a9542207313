"""``cv check-backup``: whether the master keys that are given open a backup of the database.

Every dump has the table key_versions, which names the keys that its rows need by version and fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import BinaryIO

import click

from app.cli.output import Report
from app.composition.backends import open_vault
from app.config import load_settings
from app.errors import ConfigurationError
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


@click.command("check-backup")
@click.argument("dump", type=click.File("rb"))
@click.pass_obj
def command(output: Report, dump: BinaryIO) -> None:
    """Tell whether the master keys that are given open a dump of the database, before anything is restored.

    DUMP is a plain dump, or - for standard input. Of any other:

    pg_restore --data-only --table=key_versions --file=- hotel.dump | cv check-backup -

    Exit status 2: a key is missing or another one, and the restored templates and papers could not be read.
    """
    needed = check(dump, open_vault(load_settings()).keys)
    named = ", ".join(f"{known.version} ({known.fingerprint.hex()})" for known in needed)
    output.line(
        f"check_backup: the backup needs master keys {named}; they are here"
        if needed
        else "check_backup: the backup names no master keys: its templates and papers are plain, or it has none"
    )
    output.result({"needed": [{"version": known.version, "fingerprint": known.fingerprint} for known in needed]})
