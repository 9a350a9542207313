"""Claims of lost property and finds, held against each other: of then, when a claim is made, and of later, when a find
is indexed. A match is written with its event in one transaction, once for each claim and find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.core.image_embedding import QueryKind
from app.services.database import Connection, Database
from app.services.image_filters import ImageFilter
from app.services.stores import claim_store, image_store
from app.services.stores.claim_store import ClaimQuery, StoredClaim, WaitingClaim
from app.services.stores.outbox import publish_event
from app.types import FloatArray, shown
from app.utils import clock
from app.utils.text_folding import folded
from app.workflows.image import LOST_FOUND, StoredImage
from app.workflows.image_search import ImageMatch, ImageSearchWorkflow
from app.workflows.picture_search import PictureQuery

EVENT = "lost_found.match"

_ACTIVE = "active"
_AT_ONCE = 20  # claims or finds of one step
_CLAIMS_A_PAGE = 1000
_MATCHES_A_FIND = 20  # a black bag may be what a hundred guests lost
_FIRST_SUGGESTIONS = 5
_UNSEARCHED_S = 60.0  # by then the request that made a claim has searched, or died
_ROOM_DOUBT = 0.5
"""What is left of the doubt where a find lay in the guest's own room: a choice, not a measurement."""

_REASONS = {
    QueryKind.IMAGE: ("looks_alike",),
    QueryKind.TEXT: ("as_described",),
    QueryKind.BOTH: ("looks_alike", "as_described"),
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A find that may be it. ``score`` and ``similarity`` are 0 to 1; reasons are stable codes."""

    image: StoredImage
    score: float
    similarity: float
    reasons: tuple[str, ...]


class ClaimMatcher:
    """Compares over the search for pictures and PostgreSQL.

    Args:
        zone: the hotel's, in which days begin.
        min_score: from which on a suggestion is a match.
    """

    def __init__(self, database: Database, searches: ImageSearchWorkflow, *, zone: ZoneInfo, min_score: float) -> None:
        self._database = database
        self._searches = searches
        self._zone = zone
        self._min_score = min_score

    @property
    def model_id(self) -> str:
        """Of the vectors that can be compared."""
        return self._searches.model_id

    async def read(self, picture: bytes | None, text: str | None) -> ClaimQuery:
        """What finds are compared with. Raises InvalidImage of bytes that are no picture."""
        embedding, kind = await self._searches.read(picture, text)
        return ClaimQuery(embedding.vector, embedding.model_id, kind)

    async def suggestions(self, claim: StoredClaim, *, limit: int) -> list[Suggestion]:
        """The finds that a claim may be about, likeliest first, whatever their score; those dismissed are left out."""
        if claim.query.model_id != self.model_id:
            return []
        async with self._database.connection() as connection:
            dismissed = await claim_store.dismissed_finds(connection, claim.id)
        since = self._midnight(claim.lost_from) if claim.lost_from else None
        wanted = ImageFilter(category=LOST_FOUND, status=_ACTIVE, since=since)
        rooms = [None, claim.room_number] if claim.room_number else [None]
        found: dict[str, ImageMatch] = {}
        for room in rooms:
            query = PictureQuery(
                claim.query.vector, replace(wanted, room_number=room), -float("inf"), 0, limit + len(dismissed)
            )
            matches = await self._searches.find(query, self._searches.calibration(claim.query.kind))
            found |= {match.image.image_id: match for match in matches.matches}
        left = [self._suggestion(claim, match) for name, match in found.items() if name not in dismissed]
        return sorted(left, key=lambda one: -one.score)[:limit]

    def _midnight(self, day: date) -> datetime:
        return clock.to_utc(datetime(day.year, day.month, day.day), self._zone)  # noqa: DTZ001  # the zone is given there

    @staticmethod
    def _suggestion(claim: StoredClaim, match: ImageMatch) -> Suggestion:
        score, reasons = _scored(claim.query.kind, match.similarity, claim.room_number, match.image)
        if claim.details.place and folded(claim.details.place) in folded(match.image.details.location or ""):
            reasons += ("same_place",)
        return Suggestion(match.image, score, match.similarity, reasons)

    async def first_search(self, claim: StoredClaim) -> list[Suggestion]:
        """Look through the finds of now, and announce those that match.

        A find that is indexed meanwhile is held against the claim by ``step``, as the claim is committed.
        """
        suggestions = await self.suggestions(claim, limit=_FIRST_SUGGESTIONS)
        async with self._database.transaction() as connection:
            for one in suggestions:
                if one.score >= self._min_score:
                    await _announce(connection, claim.id, str(claim.claim_id), one.image.image_id, one)
            await claim_store.set_searched(connection, claim.id, searched=True)
        return suggestions

    async def step(self) -> None:
        """What waits: claims of another model, claims whose search was cut off, and new finds. Safe to run anywhere."""
        async with self._database.connection() as connection:
            others = await claim_store.claims_of_other_models(connection, model_id=self.model_id, limit=_AT_ONCE)
        for claim in others:
            await self._read_again(claim)
        async with self._database.connection() as connection:
            waiting = await claim_store.unsearched_claims(connection, older_than_s=_UNSEARCHED_S, limit=_AT_ONCE)
        for claim in waiting:
            await self.first_search(claim)
        for _ in range(_AT_ONCE):
            if not await self._hold_next_find():
                return

    async def _read_again(self, claim: StoredClaim) -> None:
        query = await self.read(None, claim.details.description)
        async with self._database.transaction() as connection:
            now = await claim_store.lock_claim(connection, claim.claim_id)
            if now is None or now.query.model_id == self.model_id:
                return
            await claim_store.update_claim(connection, replace(now, query=query), changed_by=now.changed_by)
            await claim_store.set_searched(connection, claim.id, searched=False)

    async def _hold_next_find(self) -> bool:
        """Hold the find that waits longest against the claims; false where none does."""
        async with self._database.transaction() as connection:
            taken = await claim_store.take_finds(connection, limit=1)
            for image_id in taken:
                found = await image_store.find_with_vector(connection, image_id)
                if found is not None and found[0].model_id == self.model_id and found[0].details.status == _ACTIVE:
                    await self._hold(connection, *found)
        return bool(taken)

    async def _hold(self, connection: Connection, image: StoredImage, vector: FloatArray) -> None:
        day = image.uploaded_at.astimezone(self._zone).date()
        best: list[tuple[WaitingClaim, Suggestion]] = []
        after = 0
        while page := await claim_store.waiting_claims(
            connection, model_id=self.model_id, day=day, after_id=after, limit=_CLAIMS_A_PAGE
        ):
            best += [(claim, one) for claim in page if (one := self._held(claim, image, vector)) is not None]
            best = sorted(best, key=lambda pair: -pair[1].score)[:_MATCHES_A_FIND]
            after = page[-1].id
        for claim, one in sorted(best, key=lambda pair: pair[0].id):  # one order of locks, whoever matches beside us
            await _announce(connection, claim.id, str(claim.claim_id), image.image_id, one)

    def _held(self, claim: WaitingClaim, image: StoredImage, vector: FloatArray) -> Suggestion | None:
        if claim.query.vector.shape != vector.shape:
            return None
        cosine = float(claim.query.vector @ vector)
        similarity = self._searches.calibration(claim.query.kind).similarity(cosine)
        score, reasons = _scored(claim.query.kind, similarity, claim.room_number, image)
        return Suggestion(image, score, similarity, reasons) if score >= self._min_score else None


def _scored(
    kind: QueryKind, similarity: float, room_number: str | None, image: StoredImage
) -> tuple[float, tuple[str, ...]]:
    """The score and why."""
    if room_number is not None and room_number == image.details.room_number:
        return 1.0 - (1.0 - similarity) * _ROOM_DOUBT, (*_REASONS[kind], "same_room")
    return similarity, _REASONS[kind]


async def _announce(connection: Connection, claim: int, claim_id: str, image_id: str, one: Suggestion) -> None:
    if await claim_store.add_match(connection, claim, image_id, one.score):
        payload = {"claim_id": claim_id, "image_id": image_id, "score": shown(one.score), "reasons": list(one.reasons)}
        await publish_event(connection, EVENT, payload, key=claim_id, occurred_at=clock.now())


class ClaimRetention:
    """Erases claims when their time is over."""

    def __init__(self, database: Database, *, days: int) -> None:
        self._database = database
        self._days = days

    async def step(self) -> int:
        """How many were erased. Safe to run anywhere at any time."""
        async with self._database.connection() as connection:
            return await claim_store.delete_old_claims(connection, days=self._days)
