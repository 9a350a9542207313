"""Which master keys a backup needs, told from the dump itself."""

from __future__ import annotations

import pytest

from app.cli.check_backup import check, needed_keys
from app.errors import ConfigurationError
from app.services.vault import MasterKeys, Vault, new_key

FIRST, SECOND = new_key(), new_key()
BOTH = Vault(MasterKeys(f"1:{FIRST},2:{SECOND}"))
HEAD = "COPY public.key_versions (version, fingerprint, seals, created_at, all_sealed_at, retired_at) FROM stdin;"
THEN, NOW = "2026-01-01 00:00:00+00", "2026-02-01 00:00:00+00"


def row(version: int, *, sealed_at: str | None, retired_at: str | None = None) -> str:
    fingerprint = "\\\\x" + BOTH.fingerprint(version).hex()
    moments = [value or "\\N" for value in (sealed_at, retired_at)]
    return "\t".join([str(version), fingerprint, "t", THEN, *moments])


def dump(*rows: str) -> list[bytes]:
    lines = [
        "-- PostgreSQL database dump",
        "COPY public.employees (id) FROM stdin;",
        "EMP001",
        "\\.",
        HEAD,
        *rows,
        "\\.",
    ]
    return [f"{line}\n".encode() for line in lines]


def versions(*rows: str) -> list[int]:
    return [known.version for known in needed_keys(dump(*rows))]


def test_keys_since_the_last_that_everything_was_sealed_with_are_needed() -> None:
    assert versions(row(1, sealed_at=THEN)) == [1]
    assert versions(row(1, sealed_at=THEN), row(2, sealed_at=None)) == [1, 2]
    assert versions(row(1, sealed_at=THEN), row(2, sealed_at=NOW)) == [2]
    assert versions(row(1, sealed_at=THEN, retired_at=NOW), row(2, sealed_at=NOW)) == [2]


def test_a_backup_from_before_there_were_keys_needs_none() -> None:
    assert needed_keys([b"COPY public.employees (id) FROM stdin;\n", b"EMP001\n", b"\\.\n"]) == []


def test_a_restore_is_refused_without_its_key_or_with_another() -> None:
    backup = dump(row(1, sealed_at=THEN))
    assert len(check(backup, MasterKeys(f"1:{FIRST}"))) == 1
    with pytest.raises(ConfigurationError) as missing:
        check(backup, MasterKeys(f"2:{SECOND}"))
    assert missing.value.code == "master_key_missing"
    with pytest.raises(ConfigurationError, match=BOTH.fingerprint(1).hex()) as wrong:
        check(backup, MasterKeys(f"1:{SECOND}"))
    assert wrong.value.code == "master_key_wrong"


def test_a_table_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="can't be understood"):
        needed_keys(dump("no\tkey"))
