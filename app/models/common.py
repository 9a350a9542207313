"""What requests and responses of several capabilities share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from app.types import Box
from app.utils.clock import iso

# Ids travel into keys, paths and expressions, so they are plain. Pydantic's regex engine lets $ match at the very
# end only, never before a line break.
_ID = r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$"
EmployeeId = Annotated[
    str, Field(pattern=_ID, max_length=20, description="Letters, digits, _ . - only", examples=["EMP001"])
]
CameraId = Annotated[
    str, Field(pattern=_ID, max_length=50, description="Letters, digits, _ . - only", examples=["cam_lobby_01"])
]
RoomNumber = Annotated[
    str, Field(pattern=_ID, max_length=10, description="Letters, digits, _ . - only", examples=["201"])
]
ActorName = Annotated[str, Field(pattern=_ID, max_length=20, description="Who does this; else the API key's label")]
# PostgreSQL's text holds no NUL.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]

Moment = Annotated[datetime, PlainSerializer(iso, return_type=str)]
"""Written as ISO 8601 in UTC with ``Z``."""


class Request(BaseModel):
    """A body. Unknown fields are ignored, as the spec's clients may be newer than we are."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Response(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)


class Location(Response):
    """A rectangle in pixels of the upright image, origin at the top left."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, box: Box) -> Location:
        """``box`` rounded to whole pixels."""
        x, y = round(box.x1), round(box.y1)
        return cls(x=x, y=y, width=round(box.x2) - x, height=round(box.y2) - y)
