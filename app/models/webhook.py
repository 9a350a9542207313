"""Requests and responses of webhooks."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from app.models.common import Moment, Request, Response, Text
from app.models.pages import ListPage
from app.workflows.webhooks import Answer, DeadLetter, Replay, WebhookChange, WebhookColumns, WebhookRecord

WebhookUrl = Annotated[
    Text, Field(min_length=1, max_length=2000, description="https://…, or http:// inside WEBHOOK_ALLOWED_CIDRS")
]
EventTypePattern = Annotated[
    str,
    Field(
        pattern=r"^[a-z_]+(\.[a-z_]+)*(\.\*)?$",
        max_length=100,
        description="A type, or the beginning of several",
        examples=["attendance.events", "camera.*"],
    ),
]
EventTypes = Annotated[list[EventTypePattern], Field(max_length=50, description="Empty: all")]
Description = Annotated[Text, Field(max_length=200)]


class WebhookCreateRequest(Request):
    """A subscription to events from now on."""

    url: WebhookUrl
    description: Description | None = None
    types: EventTypes = Field(default_factory=list)
    enabled: bool = True

    def columns(self) -> WebhookColumns:
        """What is stored."""
        return WebhookColumns(self.url, self.description, tuple(dict.fromkeys(self.types)), self.enabled)


class WebhookChangeRequest(Request):
    """What shall change; a field that is left out stays as it is."""

    url: WebhookUrl | None = None
    description: Description | None = None
    types: EventTypes | None = None
    enabled: bool | None = None

    def change(self) -> WebhookChange:
        """What the workflow takes."""
        types = None if self.types is None else tuple(dict.fromkeys(self.types))
        return WebhookChange(self.url, self.description, types, self.enabled)


class WebhookInfo(Response):
    """A subscription and how its deliveries go. ``attempts``: failures at the event that is next."""

    id: UUID
    url: str
    description: str | None
    types: list[str]
    enabled: bool
    position: int = Field(description="Of the last event that was delivered or passed over, as in the event stream")
    attempts: int
    next_attempt_at: Moment | None = Field(description="When the next event is tried again; null unless one failed")
    last_error: str | None
    last_success_at: Moment | None
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, record: WebhookRecord) -> WebhookInfo:
        """A subscription as stored."""
        columns = record.columns
        return cls.like(
            record,
            url=columns.url,
            description=columns.description,
            types=list(columns.types),
            enabled=columns.enabled,
            next_attempt_at=record.next_attempt_at if record.attempts else None,
        )


class WebhookCreated(WebhookInfo):
    """A new subscription with the secret that its messages are signed with."""

    secret: str = Field(description="Shown this once; Standard Webhooks' libraries take it as it is")

    @classmethod
    def of_new(cls, record: WebhookRecord, secret: str) -> WebhookCreated:
        """A subscription that was just made."""
        return cls.model_validate({**WebhookInfo.of(record).model_dump(), "secret": secret})


class WebhookSecret(Response):
    """A fresh signing secret."""

    id: UUID
    secret: str = Field(description="Shown this once")


class WebhooksResponse(Response):
    """All subscriptions, oldest first."""

    items: list[WebhookInfo]

    @classmethod
    def of(cls, records: list[WebhookRecord]) -> WebhooksResponse:
        """Subscriptions as stored."""
        return cls(items=[WebhookInfo.of(record) for record in records])


class WebhookAnswer(Response):
    """What the receiver said to one message."""

    delivered: bool
    status: int | None = Field(description="Its HTTP status; null where no answer came")
    detail: str

    @classmethod
    def of(cls, answer: Answer) -> WebhookAnswer:
        """An answer as the sender had it."""
        return cls.like(answer, delivered=answer.is_accepted)


class WebhookDeletion(Response):
    """A subscription that has ended."""

    id: UUID
    deleted: bool = True


class DeadLetterInfo(Response):
    """An event that the receiver did not take."""

    id: int
    type: str
    event: dict[str, object] = Field(description="The whole message")
    attempts: int
    error: str
    failed_at: Moment

    @classmethod
    def of(cls, letter: DeadLetter) -> DeadLetterInfo:
        """A dead letter as stored."""
        return cls.like(letter, type=letter.event.event_type, event=dict(letter.event.payload))


class DeadLettersResponse(ListPage):
    """Dead letters, oldest first."""

    items: list[DeadLetterInfo]


class ReplayRequest(Request):
    """Which dead letters to send again."""

    ids: Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(min_length=1, max_length=20)]


class ReplayInfo(WebhookAnswer):
    """What became of one dead letter; a delivered one is forgotten."""

    id: int

    @classmethod
    def of_one(cls, replay: Replay) -> ReplayInfo:
        """One replay."""
        return cls.like(replay.answer, id=replay.letter_id, delivered=replay.answer.is_accepted)


class ReplaysResponse(Response):
    """In their order, up to the first that was not taken."""

    items: list[ReplayInfo]
