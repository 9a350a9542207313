"""Responses about a room's past analyses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from app.core.room_analyzer import ChecklistItem
from app.core.room_changes import ChangeKind
from app.core.room_rules import RoomStatus
from app.core.room_views import View
from app.models.common import Confidence, Location, Moment, Response
from app.models.pages import ListPage, old_name
from app.models.room import CropUrl, DecidingPhoto, Link, OverallStatus, RoomChecklist
from app.services.stores.room_history import LoggedAnalysis
from app.types import Severity
from app.workflows.room import RoomHistory


class RoomHistoryTag(Response):
    """A tag as it was told; ``crop_url`` is null once the photos are erased."""

    label: str
    confidence: Confidence
    severity: Severity
    photo: int | None = None
    location: Location | None = None
    crop_url: CropUrl = None


class RoomHistoryChange(Response):
    """What was otherwise than in the reference of that day."""

    kind: ChangeKind
    confidence: Confidence
    photo: int
    location: Location
    crop_url: CropUrl


class RoomHistoryPhoto(Response):
    """A photo that is still kept, counted from 0, and what it shows."""

    photo: int
    view: View | None
    url: str

    @classmethod
    def all_of(cls, analysis: LoggedAnalysis, link: Link) -> list[RoomHistoryPhoto]:
        views = [seen["view"] for seen in analysis.views] or [None] * len(analysis.photo_keys)
        return [
            cls.model_validate({"photo": photo, "view": views[photo], "url": link(key)})
            for photo, key in enumerate(analysis.photo_keys)
        ]


class RoomBefore(Response):
    """The analysis before this one that decided something."""

    analysis_id: int
    overall_status: OverallStatus
    ready_for_guest: bool
    analyzed_at: Moment
    photos: list[RoomHistoryPhoto]

    @classmethod
    def of(cls, analysis: LoggedAnalysis, link: Link) -> RoomBefore:
        return cls.like(analysis, analysis_id=analysis.id, photos=RoomHistoryPhoto.all_of(analysis, link))


class RoomHistoryEntry(Response):
    """An analysis as it was written down; ``corrected_to`` is what people said of it later."""

    analysis_id: int
    overall_status: OverallStatus
    ready_for_guest: bool
    confidence: Confidence
    uncertain: bool
    tags: list[RoomHistoryTag]
    checklist: RoomChecklist
    decided_by: dict[ChecklistItem, DecidingPhoto]
    changes: list[RoomHistoryChange]
    estimated_cleaning_time_minutes: int
    analysis_depth: str
    image_ids: list[str]
    photos: list[RoomHistoryPhoto] = Field(description="None once they are erased")
    before: RoomBefore | None
    resolved: list[str] = Field(
        description="Tags of the analysis before that are no more, of rooms that are shown again"
    )
    appeared: list[str] = Field(description="Tags that the analysis before did not have")
    analyzed_at: Moment
    analyzed_by: str | None
    corrected_to: RoomStatus | None

    @classmethod
    def of(cls, analysis: LoggedAnalysis, before: LoggedAnalysis | None, link: Link) -> RoomHistoryEntry:
        seen = {name: _seen(analysis, record, link) for name, record in analysis.evidence.items()}
        labels, earlier = _labels(analysis), _labels(before) if before else []
        return cls.like(
            analysis,
            analysis_id=analysis.id,
            tags=[
                RoomHistoryTag.model_validate({**tag, **seen.get(str(tag.get("label")), {})}) for tag in analysis.tags
            ],
            changes=[_seen(analysis, change, link) for change in analysis.changes],
            decided_by={item: seen[item] for item in ChecklistItem if item in seen},
            estimated_cleaning_time_minutes=analysis.cleaning_minutes,
            analysis_depth=analysis.depth,
            photos=RoomHistoryPhoto.all_of(analysis, link),
            before=RoomBefore.of(before, link) if before else None,
            resolved=[label for label in earlier if label not in labels and before and _shows(analysis, before, label)],
            appeared=[label for label in labels if label not in earlier],
        )


def _labels(analysis: LoggedAnalysis) -> list[str]:
    return [str(tag.get("label")) for tag in analysis.tags]


def _shows(analysis: LoggedAnalysis, before: LoggedAnalysis, label: str) -> bool:
    """Whether ``analysis`` shows the kind of room in which ``before`` saw that tag: else it says nothing of it."""
    evidence = before.evidence.get(label)
    if evidence is None or not before.views:
        return False
    where = before.views[int(str(evidence["photo"]))]["room"]
    return any(view["room"] == where and view["view"] != View.DETAIL for view in analysis.views)


def _seen(analysis: LoggedAnalysis, record: Mapping[str, object], link: Link) -> dict[str, Any]:
    """What is known of a tag, an item or a change, as the models take it."""
    fields: dict[str, Any] = dict(record)
    crop, photo = fields.pop("crop", None), fields["photo"]
    key = None
    if analysis.photo_keys:
        key = analysis.photo_keys[photo] if crop is None else analysis.crop_keys[crop]
    return {"location": None, **fields, "crop_url": link(key) if key else None}


class RoomHistoryResponse(ListPage):
    """A room's analyses, newest first."""

    room_number: str
    items: list[RoomHistoryEntry]
    analyses: list[RoomHistoryEntry] = old_name("items")

    @classmethod
    def of(cls, room_number: str, history: RoomHistory, link: Link, *, limit: int) -> RoomHistoryResponse:
        page = history.page
        entries = [
            RoomHistoryEntry.of(analysis, history.earlier.get(analysis.before_id or 0), link) for analysis in page.items
        ]
        return cls(room_number=room_number, items=entries, analyses=entries, next_cursor=page.next_cursor, limit=limit)
