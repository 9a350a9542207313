"""Requests and responses of attendance, and of the PINs and cards that staff check in by."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from app.core.liveness import LivenessProof
from app.models.bodies import ImageData
from app.models.common import CameraId, EmployeeId, Moment, Request, Response, Score
from app.models.pages import ListPage
from app.types import AttendanceAction, AttendanceMethod, AttendanceState
from app.utils import clock
from app.workflows.attendance_log import AttendanceEntry
from app.workflows.passes import NewCard, PassCheckIn, Passes, TypedPin

_MOMENT = "2025-01-17T01:30:00.000Z"


def _is_guessed_first(pin: str) -> bool:
    """One digit again and again, or digits in a row, up or down."""
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return steps in ({0}, {1}, {9})


class PinRequest(Request):
    """A PIN for somebody."""

    model_config = ConfigDict(json_schema_extra={"example": {"pin": "402917"}})

    pin: Annotated[SecretStr, Field(description="6 to 12 digits, neither all the same nor in a row")]

    @field_validator("pin")
    @classmethod
    def _is_hard_to_guess(cls, pin: SecretStr) -> SecretStr:
        said = pin.get_secret_value()
        if not (6 <= len(said) <= 12 and said.isascii() and said.isdigit()):
            raise ValueError("a PIN has 6 to 12 digits")
        if _is_guessed_first(said):
            raise ValueError("a PIN of one digit, or of digits in a row, is guessed first")
        return pin


class PassesResponse(Response):
    """What somebody may check in by beside their face."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "employee_id": "EMP001",
                "pin_set_at": _MOMENT,
                "card_issued_at": _MOMENT,
                "pin_locked_until": _MOMENT,
            }
        },
    )

    employee_id: str
    pin_set_at: Moment | None = Field(description="Null: there is no PIN")
    card_issued_at: Moment | None = Field(description="Null: there is no card")
    pin_locked_until: Moment | None = Field(description="After too many wrong PINs in a row; a new PIN lifts it")

    @classmethod
    def of(cls, passes: Passes) -> PassesResponse:
        return cls.like(passes, pin_locked_until=passes.locked_until)


class CardResponse(Response):
    """A card, which is never shown again."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "example": {
                "employee_id": "EMP001",
                "card": "cvc_3Jq0mZ0yKpTtGv1dQ2WbXc4n",
                "label": "<svg xmlns='http://www.w3.org/2000/svg'/>",
            }
        },
    )

    employee_id: str
    card: str = Field(description="What its QR code says")
    label: str = Field(description="The card as SVG, 62 by 29 mm, to print")

    @classmethod
    def of(cls, employee_id: str, issued: NewCard) -> CardResponse:
        return cls(employee_id=employee_id, card=issued.card, label=issued.label.decode())


class PassCheckInRequest(Request):
    """A number and its PIN; or what a card says; or a picture of the card."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "employee_id": "EMP001",
                "pin": "402917",
                "camera_id": "kiosk_staff_entrance",
                "timestamp": "2025-01-17T08:30:00Z",
            }
        }
    )

    camera_id: CameraId = Field(description="Of the kiosk")
    employee_id: EmployeeId | None = None
    pin: Annotated[SecretStr, Field(min_length=1, max_length=12)] | None = None
    card: Annotated[SecretStr, Field(min_length=1, max_length=200)] | None = None
    image: ImageData | None = None
    timestamp: datetime | None = Field(None, description="When that was; now, if omitted")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_pin = self.employee_id is not None and self.pin is not None
        if [by_pin, self.card is not None, self.image is not None].count(True) != 1:
            raise ValueError("send employee_id and pin, or else card, or else image")
        return self

    @property
    def shown(self) -> TypedPin | str | bytes:
        """What is to open: a number with its PIN, what a card says, or a picture of it."""
        if self.employee_id is not None and self.pin is not None:
            return TypedPin(self.employee_id, self.pin.get_secret_value())
        return self.card.get_secret_value() if self.card else self.image or b""


class PassCheckInResponse(Response):
    """Somebody checked in."""

    success: bool = True
    employee_id: str
    employee_name: str | None
    method: AttendanceMethod
    timestamp: Moment
    event_id: str | None = Field(description="The attendance event that this request wrote")
    warnings: list[str]

    @classmethod
    def of(cls, found: PassCheckIn) -> PassCheckInResponse:
        return cls(
            employee_id=found.identity.employee_id,
            employee_name=found.identity.name,
            method=found.method,
            timestamp=clock.now(),
            event_id=found.event_id,
            warnings=list(found.warnings),
        )


class AttendanceInfo(Response):
    """Somebody came or went."""

    id: int
    event_id: UUID | None = Field(description="Null while nobody confirmed it, and where another event lies near")
    employee_id: str
    employee_name: str | None
    camera_id: str
    action: AttendanceAction
    method: AttendanceMethod
    liveness: LivenessProof = Field(description="`none` of whatever a person had to confirm")
    confidence: Score | None = Field(description="Null where no face decided")
    offline: bool
    state: AttendanceState
    happened_at: Moment
    received_at: Moment
    decided_by: str | None
    decided_at: Moment | None

    @classmethod
    def of(cls, entry: AttendanceEntry) -> AttendanceInfo:
        return cls.like(entry, offline=entry.is_offline, liveness=LivenessProof(entry.liveness))


class AttendanceResponse(ListPage):
    """Entries by their moment."""

    items: list[AttendanceInfo]
