"""Requests and responses of guests' stays."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from app.core.stays.record import VISA_EXEMPT, StayField, StayKind, kind_of, missing_of, unsure_of, warnings_of
from app.models.bodies import ImageData
from app.models.common import ActorName, Moment, PersonText, Request, Response, RoomNumber, Score, Text
from app.models.pages import ListPage
from app.services.stores.stay_store import StoredStay
from app.workflows.stays import NewStay

_MAX_PAPERS = 6

PaperNumber = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9/\-]*$", max_length=30)]
Line = Annotated[Text, Field(min_length=1, max_length=200)]
_OF_REQUESTS = {"changed_by", "images", "result_ids"}


class StayChangeRequest(Request):
    """What a person says of a guest. A field that is absent stays, null takes its value away."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"entry_date": "2025-01-15", "entry_port": "Nội Bài", "room_number": "201"}}
    )

    full_name: PersonText | None = None
    date_of_birth: dt.date | None = None
    gender: Literal["Male", "Female"] | None = None
    nationality: Line | None = Field(None, description="In English, or ICAO's three letters")
    document_type: Literal["passport", "id_card", "driver_license", "other"] | None = None
    document_number: PaperNumber | None = None
    document_expiry: dt.date | None = None
    address: Line | None = None
    visa_number: PaperNumber | None = None
    visa_type: Annotated[Text, Field(min_length=1, max_length=50)] | None = Field(
        None, description=f"Such as DL; `{VISA_EXEMPT}` of guests who need none"
    )
    visa_expiry: dt.date | None = None
    entry_date: dt.date | None = Field(None, description="As stamped in the passport")
    entry_port: Line | None = None
    purpose: Line | None = None
    room_number: RoomNumber | None = None
    arrival: dt.date | None = None
    departure: dt.date | None = None
    note: Annotated[Text, Field(min_length=1, max_length=500)] | None = None
    changed_by: ActorName | None = None

    def given(self) -> dict[str, str | None]:
        """The fields that were sent."""
        return self.model_dump(mode="json", exclude_unset=True, exclude=_OF_REQUESTS)


class StayRequest(StayChangeRequest):
    """One guest's papers, as pictures, PDFs or results of `POST /ocr/id`, and whatever a person adds to them."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "images": ["picture:id_card.webp"],
                "entry_date": "2025-01-15",
                "entry_port": "Nội Bài",
                "purpose": "tourism",
                "room_number": "201",
                "arrival": "2025-01-17",
                "departure": "2025-01-20",
            }
        }
    )

    images: Annotated[list[ImageData], Field(max_length=_MAX_PAPERS)] = Field(
        default=[], description="Passport, visa, identity card; only what they say is kept"
    )
    result_ids: Annotated[list[UUID], Field(max_length=_MAX_PAPERS)] = Field(
        default=[], description="The `public_id` of papers that were read before"
    )


class StayFieldInfo(Response):
    """A value, how sure it is, and what it was read from."""

    value: str
    confidence: Score
    source: Literal["qr", "mrz", "ocr", "person"]

    @classmethod
    def of(cls, field: StayField) -> Self:
        return cls.like(field)


class StayPaperInfo(Response):
    """What became of a paper; where `error` is set nothing, or not everything, was taken from it."""

    document_type: str | None
    error: str | None


class StayInfo(Response):
    """A guest's record. `complete` once `missing` is empty; `unsure` should be looked at; `warnings` do not fit."""

    success: bool = True
    stay_id: UUID
    kind: StayKind | None = Field(description="Whose list the guest belongs to; null while the nationality is missing")
    complete: bool
    missing: list[str]
    unsure: list[str]
    warnings: list[str]
    fields: dict[str, StayFieldInfo]
    created_at: Moment
    created_by: str | None
    changed_at: Moment
    changed_by: str | None

    @classmethod
    def of(cls, stay: StoredStay, *, today: dt.date) -> Self:
        return cls.like(stay, **_shown(stay, today))


def _shown(stay: StoredStay, today: dt.date) -> dict[str, object]:
    missing = missing_of(stay.record)
    return {
        "kind": kind_of(stay.record),
        "complete": not missing,
        "missing": missing,
        "unsure": unsure_of(stay.record),
        "warnings": warnings_of(stay.record, today=today),
        "fields": {name: StayFieldInfo.of(field) for name, field in stay.record.items()},
    }


class StayCreated(StayInfo):
    """A new record, and what became of each paper: pictures first, then stored results."""

    papers: list[StayPaperInfo]

    @classmethod
    def of_new(cls, new: NewStay, *, today: dt.date) -> StayCreated:
        papers = [StayPaperInfo.like(paper) for paper in new.papers]
        return cls.like(new.stay, papers=papers, **_shown(new.stay, today))


class StaysResponse(ListPage):
    """Stays, those registered last first."""

    items: list[StayInfo]


class StayDeletion(Response):
    """The record is gone."""

    success: bool = True
    stay_id: UUID
