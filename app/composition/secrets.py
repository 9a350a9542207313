"""What seals secrets that the service keeps: logins of cameras, signing secrets of webhooks."""

from __future__ import annotations

from app.config import Settings
from app.services.secret_box import SecretBox
from app.services.vault import Vault

_OLD_KEY_FILE = "camera.key"


def open_secret_box(settings: Settings, vault: Vault) -> SecretBox:
    """Seals with the master keys, and opens what was sealed before there were any."""
    return SecretBox(
        vault,
        old_key_base64=settings.CAMERA_SECRET_KEY.get_secret_value(),
        old_key_file=settings.CV_DATA_DIR.absolute() / _OLD_KEY_FILE,
    )
