"""Request and response of looking for cameras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from app.models.camera import CredentialsInput, credentials_of
from app.models.common import Request, Response, Text
from app.workflows.cameras.discovery import MOST_DEVICES, FoundCamera, OnvifProfile
from app.workflows.cameras.registry import Credentials

_Host = Annotated[Text, Field(min_length=1, max_length=253)]


class CameraDiscoveryRequest(Request):
    """Whom to ask, and with which login."""

    hosts: list[_Host] = Field(
        default_factory=list,
        max_length=MOST_DEVICES,
        description="Addresses or names to ask, each in the allowed networks; none: everybody on the same links",
    )
    credentials: CredentialsInput | None = Field(
        None, description="Sent as a digest to every device that answers; most name no streams without"
    )

    def login(self) -> Credentials | None:
        """The login, if any."""
        return credentials_of(self.credentials)


class ProfileInfo(Response):
    """One of a camera's streams, as POST /cameras takes it."""

    name: str
    codec: str | None
    width: int | None
    height: int | None
    frames_per_second: int | None
    url: str | None = Field(description="For the kind rtsp; null where the camera names none at its own address")
    snapshot_url: str | None = Field(description="For the kind snapshot")

    @classmethod
    def of(cls, profile: OnvifProfile) -> ProfileInfo:
        """A profile of a device."""
        return cls.like(profile)


class DiscoveredCameraInfo(Response):
    """A device that answered, with its streams or the reason why it named none."""

    address: str
    name: str | None
    hardware: str | None
    manufacturer: str | None
    model: str | None
    firmware: str | None
    fault: str | None = Field(description="As in a camera's state")
    message: str | None
    profiles: list[ProfileInfo]

    @classmethod
    def of(cls, found: FoundCamera) -> DiscoveredCameraInfo:
        """One that was found."""
        facts = found.facts
        return cls.like(
            found.announced,
            manufacturer=facts.manufacturer if facts else None,
            model=facts.model if facts else None,
            firmware=facts.firmware if facts else None,
            fault=found.fault.value if found.fault else None,
            message=found.message,
            profiles=[ProfileInfo.of(profile) for profile in facts.profiles] if facts else [],
        )


class CameraDiscoveryResponse(Response):
    """Everybody who answered in time."""

    cameras: list[DiscoveredCameraInfo]

    @classmethod
    def of(cls, found: Sequence[FoundCamera]) -> CameraDiscoveryResponse:
        """What a search found."""
        return cls(cameras=[DiscoveredCameraInfo.of(one) for one in found])
