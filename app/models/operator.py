"""What operators look up: keys and settings, without what is secret in them."""

from __future__ import annotations

import json
import re
from typing import get_args

from pydantic import Field, SecretStr

from app.config import Settings
from app.models.common import Moment, Response
from app.services.stores.keys import ApiKey

_LOGIN = re.compile(r"//[^/@\s]+@")


class KeyInfo(Response):
    """An API key, of which nobody can see the secret any more."""

    id: int = Field(description="Names the key in the audit, and in `cv keys revoke`")
    label: str
    scopes: list[str]
    created_at: Moment
    last_used_at: Moment | None = Field(description="To the minute")
    revoked_at: Moment | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyInfo:
        """A key as stored."""
        return cls.like(key, scopes=sorted(key.scopes))


class KeysResponse(Response):
    """All keys, revoked ones too, oldest first; people's are among the users."""

    items: list[KeyInfo]

    @classmethod
    def of(cls, keys: list[ApiKey]) -> KeysResponse:
        """Keys as stored."""
        return cls(items=[KeyInfo.of(key) for key in keys])


class SettingInfo(Response):
    """A setting of the replica that answers."""

    name: str
    value: str | None = Field(description="As `.env` has it, without a login in an address; null where it is secret")
    is_default: bool
    description: str | None


class SettingsResponse(Response):
    """All settings, in the order of the documentation."""

    items: list[SettingInfo]

    @classmethod
    def of(cls, settings: Settings) -> SettingsResponse:
        """The settings that a service runs with."""
        values = settings.model_dump(mode="json")
        return cls(
            items=[
                SettingInfo(
                    name=name,
                    value=None
                    if SecretStr in (field.annotation, *get_args(field.annotation))
                    else _shown(values[name]),
                    is_default=getattr(settings, name) == field.default,
                    description=field.description,
                )
                for name, field in Settings.model_fields.items()
            ]
        )


def _shown(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _LOGIN.sub("//…@", text)
