"""What seals secrets that the service keeps: logins of cameras, signing secrets of webhooks."""

from __future__ import annotations

from app.config import Settings
from app.services.secret_box import SecretBox

_KEY_FILE = "camera.key"


def open_secret_box(settings: Settings) -> SecretBox:
    """The box of the settings' key, or of a key file in the data directory.

    Raises:
        ConfigurationError: the key can't be read.
    """
    return SecretBox(
        settings.CAMERA_SECRET_KEY.get_secret_value(), key_file=settings.CV_DATA_DIR.absolute() / _KEY_FILE
    )
