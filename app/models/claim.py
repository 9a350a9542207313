"""Requests and responses of lost-property claims."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from app.models.bodies import ImageData
from app.models.common import ActorName, Moment, Request, Response, RoomNumber, Score, Text
from app.models.image import ImageId, ImageInfo, Place
from app.models.pages import ListPage
from app.services.stores.claim_store import ClaimDetails, ClaimState, StoredClaim
from app.workflows.claim_matching import Suggestion
from app.workflows.claims import ClaimDesk
from app.workflows.image import ImageWorkflow

Words = Annotated[Text, Field(min_length=1, max_length=500, description="What it is, in English or Vietnamese")]
Contact = Annotated[
    Text, Field(min_length=1, max_length=500, description="Who the guest is and how to reach the guest")
]
Note = Annotated[Text, Field(min_length=1, max_length=2000)]
_DETAILS = ("description", "place", "contact", "note")
_COLUMNS = ("room_number", "lost_from", "lost_until", "state")


class ClaimSaid(Request):
    """What a guest says; every part may be left out but for a new claim's words or photo."""

    description: Words | None = None
    image: ImageData | None = Field(None, description="Of the thing; it is compared and not kept")
    place: Place | None = Field(None, description="Where it was left")
    room_number: RoomNumber | None = Field(None, description="The guest's room; a find from there scores higher")
    lost_from: date | None = Field(None, description="The first day on which it may have been lost")
    lost_until: date | None = None
    contact: Contact | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.description is not None and not any(letter.isalnum() for letter in self.description):
            raise ValueError("description has no word in it")
        if self.lost_from and self.lost_until and self.lost_until < self.lost_from:
            raise ValueError("lost_until lies before lost_from")
        return self


class ClaimRequest(ClaimSaid):
    """A claim: words, a photo, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "description": "ví da màu đen",
                "place": "lobby",
                "room_number": "201",
                "lost_from": "2025-01-15",
                "lost_until": "2025-01-17",
                "contact": "Anna Eriksson, +46 70 174 06 05",
            }
        }
    )

    created_by: ActorName | None = None

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        if self.description is None and self.image is None:
            raise ValueError("send description, image or both")
        return self

    @property
    def details(self) -> ClaimDetails:
        """What is kept sealed."""
        return ClaimDetails(self.description, self.place, self.contact, self.note)


class ClaimChangeRequest(ClaimSaid):
    """The fields to change; null clears one but the description. Another description or photo is searched again."""

    model_config = ConfigDict(json_schema_extra={"example": {"state": "closed", "note": "Found at home"}})

    state: Literal["open", "closed"] = "open"
    dismissed_finds: Annotated[list[ImageId], Field(max_length=50)] = Field(
        default=[], description="Finds that are not it; they are suggested no more"
    )
    changed_by: ActorName | None = None

    @model_validator(mode="after")
    def _stays_searchable(self) -> Self:
        if "description" in self.model_fields_set and self.description is None:
            raise ValueError("description can be replaced, not cleared")
        return self

    def changes(self) -> dict[str, object]:
        """The fields that were sent, by the names of the records."""
        found = {name: getattr(self, name) for name in (*_DETAILS, *_COLUMNS) if name in self.model_fields_set}
        return found | ({"state": ClaimState(self.state)} if "state" in found else {})


class HandOverRequest(Request):
    """Who got the thing, and which paper was looked at."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "image_id": "lost_20250117_3f2a1b",
                "received_by": "Anna Eriksson",
                "paper_seen": "passport",
                "handed_over_by": "DESK01",
            }
        }
    )

    image_id: ImageId
    received_by: Annotated[Text, Field(min_length=1, max_length=200)]
    paper_seen: Annotated[Text, Field(min_length=1, max_length=100, description="Its kind; no number is needed")]
    handed_over_by: ActorName | None = None


class HandOverInfo(Response):
    """A hand-over as it was noted."""

    image_id: str
    received_by: str
    paper_seen: str
    handed_over_by: str | None
    handed_over_at: str


class SuggestionInfo(Response):
    """A find that may be it. `score` counts the room too; `similarity` is that of the picture alone."""

    image_id: str
    score: Score
    similarity: Score
    reasons: list[Literal["looks_alike", "as_described", "same_room", "same_place"]]
    metadata: ImageInfo
    url: str
    thumbnail_url: str

    @classmethod
    def of(cls, suggestion: Suggestion, images: ImageWorkflow) -> SuggestionInfo:
        image = suggestion.image
        return cls.like(
            images.urls(image),
            image_id=image.image_id,
            score=suggestion.score,
            similarity=suggestion.similarity,
            reasons=list(suggestion.reasons),
            metadata=ImageInfo.of(image),
        )


class ClaimInfo(Response):
    """A claim. `needs_photo`: its photo was compared by a model that is gone; send it again, or words."""

    success: bool = True
    claim_id: UUID
    state: ClaimState
    description: str | None
    place: str | None
    room_number: str | None
    lost_from: date | None
    lost_until: date | None
    contact: str | None
    note: str | None
    hand_over: HandOverInfo | None
    needs_photo: bool
    created_at: Moment
    created_by: str | None
    changed_at: Moment
    changed_by: str | None

    @classmethod
    def of(cls, claim: StoredClaim, desk: ClaimDesk) -> Self:
        return cls.like(claim, **_shown(claim, desk))


def _shown(claim: StoredClaim, desk: ClaimDesk) -> dict[str, object]:
    record = claim.details.hand_over
    return {
        **{name: getattr(claim.details, name) for name in _DETAILS},
        "hand_over": HandOverInfo.like(record) if record else None,
        "needs_photo": desk.needs_photo(claim),
    }


class ClaimCreated(ClaimInfo):
    """A new claim, and the finds of now that it may be about, likeliest first."""

    suggestions: list[SuggestionInfo]

    @classmethod
    def of_new(
        cls, claim: StoredClaim, suggestions: list[Suggestion], desk: ClaimDesk, images: ImageWorkflow
    ) -> ClaimCreated:
        found = [SuggestionInfo.of(one, images) for one in suggestions]
        return cls.like(claim, suggestions=found, **_shown(claim, desk))


class SuggestionsResponse(Response):
    """The finds that a claim may be about, likeliest first, whatever their score."""

    suggestions: list[SuggestionInfo]

    @classmethod
    def of(cls, suggestions: list[Suggestion], images: ImageWorkflow) -> SuggestionsResponse:
        return cls(suggestions=[SuggestionInfo.of(one, images) for one in suggestions])


class ClaimsResponse(ListPage):
    """Claims, newest first."""

    items: list[ClaimInfo]


class ClaimDeletion(Response):
    """The claim is gone, with its matches and its record of the hand-over."""

    success: bool = True
    claim_id: UUID
