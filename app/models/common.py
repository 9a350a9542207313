"""What requests and responses of several capabilities share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from app.types import Box, shown
from app.utils.clock import iso
from app.utils.text_folding import composed

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
SessionId = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="A UUID",
        examples=["4f0c7c2e-9a52-4a3c-b1a0-1f4c6c0a2b11"],
    ),
]
ActorName = Annotated[str, Field(pattern=_ID, max_length=20, description="Who does this; else the API key's label")]
# PostgreSQL's text holds no NUL.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$"), AfterValidator(composed)]

PersonText = Annotated[Text, Field(min_length=1, max_length=200)]


def not_blank(text: str) -> str:
    """``text`` without blanks around it.

    Raises:
        ValueError: nothing is left.
    """
    stripped = text.strip()
    if not stripped:
        raise ValueError("must not be blank")
    return stripped


Moment = Annotated[datetime, PlainSerializer(iso, return_type=str)]
"""Written as ISO 8601 in UTC with ``Z``."""


Confidence = Annotated[float, AfterValidator(shown)]
"""A score in an answer."""

Score = Annotated[float, Field(ge=0, le=1), AfterValidator(shown)]
"""A score in an answer, with the bounds that the documentation names."""


class Request(BaseModel):
    """A body. Unknown fields are ignored, as the spec's clients may be newer than we are."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Response(BaseModel):
    """An answer. Each has a class method ``of`` for what a workflow returns, or takes it by ``like``."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def like(cls, source: object, **own: object) -> Self:
        """An answer with the fields that ``source`` has under the same names, and with ``own``."""
        same = {name: getattr(source, name) for name in cls.model_fields if name not in own and hasattr(source, name)}
        return cls.model_validate(same | own)


class Location(Response):
    """A rectangle in pixels of the upright image, origin at the top left."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, box: Box) -> Location:
        """``box`` rounded to whole pixels."""
        return cls(**box.rectangle())

    @classmethod
    def of_any(cls, box: Box | None) -> Location | None:
        """As ``of``; None where there is no box."""
        return None if box is None else cls.of(box)
