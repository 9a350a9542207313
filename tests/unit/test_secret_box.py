"""Camera logins: sealed for one camera, clear words when the key is gone, and what came before the master keys."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.services.secret_box import SecretBox, SecretLost
from app.services.vault import MasterKeys, Vault, new_key

MASTER = new_key()
OLD_KEY = bytes(range(32))
OLD_FINGERPRINT = bytes.fromhex("00229dde")  # a camera.key of that content had it
SECRET = "viewer:Mật khẩu"


def box(tmp_path: Path, *, master: str = MASTER, old_key: str = "") -> SecretBox:
    return SecretBox(Vault(MasterKeys(master)), old_key_base64=old_key, old_key_file=tmp_path / "camera.key")


def sealed_before(owner: str) -> bytes:
    """As releases before the master keys did it."""
    nonce = os.urandom(12)
    return OLD_FINGERPRINT + nonce + AESGCM(OLD_KEY).encrypt(nonce, SECRET.encode(), owner.encode())


def test_what_is_sealed_opens_for_its_camera_alone(tmp_path: Path) -> None:
    sealed = box(tmp_path).seal(SECRET, owner="cam_1", version=1)
    assert SECRET.encode() not in sealed
    assert box(tmp_path).open(sealed, owner="cam_1") == SECRET
    assert SecretBox.is_sealed_with(sealed, 1)
    assert not SecretBox.is_sealed_with(sealed, 2)
    with pytest.raises(SecretLost, match=r"cam_2.*set the credentials again"):
        box(tmp_path).open(sealed, owner="cam_2")


def test_a_lost_master_key_is_named_as_such(tmp_path: Path) -> None:
    sealed = box(tmp_path).seal(SECRET, owner="cam_1", version=1)
    with pytest.raises(SecretLost, match=r"cam_1.*CV_MASTER_KEY"):
        box(tmp_path, master=f"2:{MASTER}").open(sealed, owner="cam_1")


@pytest.mark.parametrize("from_file", [True, False])
def test_secrets_from_before_the_master_keys_open(tmp_path: Path, from_file: bool) -> None:
    text = base64.b64encode(OLD_KEY).decode()
    if from_file:
        (tmp_path / "camera.key").write_text(text + "\n")
    old = sealed_before("cam_1")
    opener = box(tmp_path, old_key="" if from_file else text)
    assert opener.open(old, owner="cam_1") == SECRET
    assert not SecretBox.is_sealed_with(old, 1)
    with pytest.raises(SecretLost, match="damaged"):
        opener.open(old, owner="cam_2")
    with pytest.raises(SecretLost, match="damaged"):
        opener.open(old[:-1], owner="cam_1")


@pytest.mark.parametrize("left", [None, b"no key", base64.b64encode(bytes(32))])
def test_a_lost_old_key_is_named_as_such(tmp_path: Path, left: bytes | None) -> None:
    if left is not None:
        (tmp_path / "camera.key").write_bytes(left)
    with pytest.raises(SecretLost, match=r"cam_1.*key that is gone.*CAMERA_SECRET_KEY"):
        box(tmp_path).open(sealed_before("cam_1"), owner="cam_1")
