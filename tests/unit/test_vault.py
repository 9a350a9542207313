"""What is sealed opens in its place with its key, and nowhere else."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.services.vault import (
    HEADER_BYTES,
    MasterKeys,
    SealedUnreadable,
    SealPlace,
    Vault,
    is_sealed,
    new_key,
    parse_keys,
    refuse_other_key,
    version_of,
)

KEYS = ",".join(f"{version}:{base64.b64encode(bytes([version] * 32)).decode()}" for version in (1, 2))
VALUE = "Họ và tên: Nguyễn Văn A".encode()
PLACE = SealPlace("face_templates", "vector", "vec_1")


def vault(text: str = KEYS) -> Vault:
    return Vault(MasterKeys(text))


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_sealed_opens_again_and_names_its_key(version: int) -> None:
    sealed = vault().seal(VALUE, PLACE, version=version)
    assert is_sealed(sealed)
    assert is_sealed(sealed[:HEADER_BYTES])
    assert version_of(sealed) == version
    assert VALUE not in sealed
    assert len(sealed) == len(VALUE) + 36
    assert vault().open(sealed, PLACE) == VALUE


def test_the_same_value_never_looks_the_same() -> None:
    assert vault().seal(VALUE, PLACE, version=1) != vault().seal(VALUE, PLACE, version=1)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, row="vec_2"),
        replace(PLACE, column="crop"),
        replace(PLACE, table="cameras"),
        SealPlace("f", "", ""),
    ],
)
def test_it_opens_in_no_other_place(elsewhere: SealPlace) -> None:
    sealed = vault().seal(VALUE, PLACE, version=1)
    with pytest.raises(SealedUnreadable, match="damaged"):
        vault().open(sealed, elsewhere)


def test_parts_of_a_place_do_not_run_into_each_other() -> None:
    sealed = vault().seal(VALUE, SealPlace("t", "ab", "c"), version=1)
    with pytest.raises(SealedUnreadable):
        vault().open(sealed, SealPlace("t", "a", "bc"))


def test_every_damaged_byte_is_noticed() -> None:
    sealed = vault().seal(VALUE, PLACE, version=1)
    for index in range(len(sealed)):
        damaged = sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :]
        with pytest.raises(SealedUnreadable):
            vault().open(damaged, PLACE)
    for shorter in (b"", sealed[:HEADER_BYTES], sealed[:-1]):
        with pytest.raises(SealedUnreadable):
            vault().open(shorter, PLACE)


def test_a_sealed_value_cannot_be_passed_off_as_one_of_another_version() -> None:
    same = base64.b64encode(bytes(32)).decode()
    both = vault(f"1:{same},2:{same}")
    sealed = both.seal(VALUE, PLACE, version=1)
    relabelled = sealed[:7] + b"\x02" + sealed[8:]
    assert version_of(relabelled) == 2
    with pytest.raises(SealedUnreadable):
        both.open(relabelled, PLACE)


def test_a_missing_key_is_named() -> None:
    sealed = vault().seal(VALUE, PLACE, version=2)
    with pytest.raises(SealedUnreadable, match="version 2 is needed, and 1 given"):
        vault(KEYS.partition(",")[0]).open(sealed, PLACE)
    with pytest.raises(SealedUnreadable, match="version 1"):
        Vault(MasterKeys()).seal(VALUE, PLACE, version=1)


def test_another_key_of_that_version_opens_nothing() -> None:
    sealed = vault().seal(VALUE, PLACE, version=1)
    with pytest.raises(SealedUnreadable, match="another key of version 1"):
        vault(f"1:{new_key()}").open(sealed, PLACE)


def test_purposes_have_secrets_of_their_own() -> None:
    one = vault()
    secrets = {one.secret(version, purpose) for version in (1, 2) for purpose in ("turn", "other")}
    assert len(secrets) == 4
    assert one.fingerprint(1) != one.fingerprint(2)
    assert not any(one.fingerprint(1) in secret for secret in secrets)


def test_derivations_stay_what_they_are() -> None:
    """A release that derived otherwise could open nothing that is stored."""
    one = vault()
    assert one.fingerprint(1).hex() == "abab8b514be0303b"
    assert (
        one.open(
            bytes.fromhex("00435631000000014db3c5236d042ac51aeccbe0ea5d82e9478677cd93a7b9ae5fd8485238c69673c8bf0b"),
            PLACE,
        )
        == b"as ever"
    )


@pytest.mark.parametrize(
    "text",
    ["short", "1:!!!", f"0:{new_key()}", f"1:{new_key()},1:{new_key()}", "9999999999:" + new_key(), "1:"],
    ids=["short", "no base64", "version 0", "one version twice", "a version too large", "empty"],
)
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_keys(text)
    assert "master key" in refused.value.message.lower()
    assert text.rpartition(":")[2] not in refused.value.message or text == "1:"


def test_a_lone_key_is_version_1_and_comments_are_passed_over() -> None:
    key = new_key()
    assert parse_keys(key) == parse_keys(f"# made today\n\n1:{key}\n") == {1: base64.b64decode(key)}
    assert parse_keys("") == {}


def test_a_file_is_read_again_where_a_version_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "master.keys"
    file.write_text(KEYS.partition(",")[0])
    one = Vault(MasterKeys(file=file))
    sealed = vault().seal(VALUE, PLACE, version=2)
    assert one.keys.newest == 1
    file.write_text(KEYS)
    assert one.open(sealed, PLACE) == VALUE
    assert one.keys.newest == 2


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CV_MASTER_KEY_FILE"):
        MasterKeys(file=tmp_path / "gone")
    with pytest.raises(ConfigurationError, match="not both"):
        MasterKeys(KEYS, file=tmp_path / "gone")


def test_no_key_at_all_is_told_with_the_command_that_helps() -> None:
    with pytest.raises(ConfigurationError, match="openssl rand -base64 32"):
        _ = MasterKeys().newest


def test_keys_are_held_against_fingerprints() -> None:
    keys = MasterKeys(KEYS)
    refuse_other_key(keys, 1, vault().fingerprint(1))
    with pytest.raises(ConfigurationError) as other:
        refuse_other_key(keys, 1, bytes(8))
    assert other.value.code == "master_key_wrong"
    with pytest.raises(ConfigurationError) as missing:
        refuse_other_key(keys, 3, bytes(8))
    assert missing.value.code == "master_key_missing"
