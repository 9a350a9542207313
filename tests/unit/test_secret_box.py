"""Camera logins: sealed for one camera, and clear words when the key is gone."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from app.errors import ConfigurationError
from app.services.secret_box import SecretBox, SecretLost
from tests.integration.records import Records

KEY = base64.b64encode(bytes(range(32))).decode()
SECRET = "viewer:Mật khẩu"


def box(tmp_path: Path, key: str = "") -> SecretBox:
    return SecretBox(key, key_file=tmp_path / "keys" / "camera.key")


@pytest.mark.parametrize("key", ["", KEY])
def test_what_is_sealed_can_be_opened_also_after_a_restart(tmp_path: Path, key: str) -> None:
    sealed = box(tmp_path, key).seal(SECRET, owner="cam_1")
    assert SECRET.encode() not in sealed
    assert box(tmp_path, key).open(sealed, owner="cam_1") == SECRET


def test_the_same_secret_never_looks_the_same(tmp_path: Path) -> None:
    mine = box(tmp_path, KEY)
    assert mine.seal(SECRET, owner="cam_1") != mine.seal(SECRET, owner="cam_1")


def test_the_key_file_is_for_its_owner_only(tmp_path: Path) -> None:
    box(tmp_path).seal(SECRET, owner="cam_1")
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["camera.key"]
    assert stat.S_IMODE((tmp_path / "keys" / "camera.key").stat().st_mode) == 0o600


def test_no_key_file_appears_before_it_is_needed(tmp_path: Path) -> None:
    box(tmp_path)
    box(tmp_path, KEY).seal(SECRET, owner="cam_1")
    assert not (tmp_path / "keys").exists()


def test_processes_that_begin_at_once_agree_on_one_key(tmp_path: Path) -> None:
    sealed = Records.at_once(8, lambda: box(tmp_path).seal(SECRET, owner="cam_1"))
    assert [box(tmp_path).open(one, owner="cam_1") for one in sealed] == [SECRET] * 8


def test_a_lost_key_is_named_as_such(tmp_path: Path) -> None:
    sealed = box(tmp_path).seal(SECRET, owner="cam_1")
    (tmp_path / "keys" / "camera.key").unlink()
    with pytest.raises(SecretLost, match=r"cam_1.*key that is gone.*CAMERA_SECRET_KEY"):
        box(tmp_path).open(sealed, owner="cam_1")
    with pytest.raises(SecretLost, match="key that is gone"):
        box(tmp_path, KEY).open(sealed, owner="cam_1")


def test_a_secret_of_another_camera_and_a_damaged_one_do_not_open(tmp_path: Path) -> None:
    mine = box(tmp_path, KEY)
    sealed = mine.seal(SECRET, owner="cam_1")
    for damaged in (sealed[:-1], sealed[:10], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(SecretLost, match="damaged"):
            mine.open(damaged, owner="cam_1")
    with pytest.raises(SecretLost, match="damaged"):
        mine.open(sealed, owner="cam_2")


@pytest.mark.parametrize("key", ["short", base64.b64encode(b"sixteen bytes ok").decode(), "*" * 44])
def test_a_wrong_key_stops_the_start(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigurationError, match="32"):
        box(tmp_path, key)


def test_a_key_file_that_cannot_be_read_is_no_new_key(tmp_path: Path) -> None:
    sealed = box(tmp_path).seal(SECRET, owner="cam_1")
    (tmp_path / "keys" / "camera.key").write_bytes(os.urandom(10))
    with pytest.raises(ConfigurationError):
        box(tmp_path).open(sealed, owner="cam_1")
