"""Claims of lost property: what guests say they lost, until it is handed over or given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from app.errors import Conflict, InvalidInput, NotFound, Unavailable
from app.services.database import Connection, Database
from app.services.stores import claim_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.claim_store import (
    ClaimDetails,
    ClaimDraft,
    ClaimFilter,
    ClaimState,
    HandOver,
    StoredClaim,
    with_changes,
)
from app.utils import clock
from app.utils.cursors import Slice, read_cursor, slice_of
from app.utils.labels import label_svg
from app.utils.logging import logger
from app.workflows.claim_matching import ClaimMatcher, Suggestion
from app.workflows.image import LOST_FOUND, ImageWorkflow

__all__ = ["ClaimDesk", "ClaimDetails", "ClaimFilter", "ClaimState", "StoredClaim"]

_RETURNED_STATUS = "returned_to_guest"


class ClaimDesk:
    """Takes claims in over the matcher, the pictures and PostgreSQL."""

    def __init__(self, database: Database, matcher: ClaimMatcher, images: ImageWorkflow) -> None:
        self._database = database
        self._matcher = matcher
        self._images = images

    async def open(
        self,
        photo: bytes | None,
        details: ClaimDetails,
        *,
        room_number: str | None,
        lost_from: date | None,
        lost_until: date | None,
        actor: str | None,
    ) -> tuple[StoredClaim, list[Suggestion]]:
        """A new claim, and what it may be about among the finds of now.

        Args:
            photo: of the thing, if there is one; it is compared and not kept.

        Raises:
            InvalidImage: the bytes are no picture.
        """
        query = await self._matcher.read(photo, details.description)
        draft = ClaimDraft(details, query, room_number, lost_from, lost_until)
        async with self._database.transaction() as connection:
            claim = await claim_store.insert_claim(connection, draft, created_by=actor)
            await add_audit_entry(connection, "claim.create", subject=str(claim.claim_id), actor=actor)
        return await self._searched(claim)

    async def _searched(self, claim: StoredClaim) -> tuple[StoredClaim, list[Suggestion]]:
        """The claim as it is after its first search; one that can't be carried out now is the matcher's to repeat."""
        try:
            suggestions = await self._matcher.first_search(claim)
        except Unavailable as error:
            logger.warning("claim_search_put_off", code=error.code)
            return claim, []
        async with self._database.connection() as connection:
            return await claim_store.find_claim(connection, claim.claim_id) or claim, suggestions

    async def get(self, claim_id: UUID, *, actor: str | None) -> StoredClaim:
        """A claim, for somebody to see: the audit says who did.

        Raises:
            NotFound: there is no such claim.
        """
        async with self._database.transaction() as connection:
            claim = _known(await claim_store.find_claim(connection, claim_id), claim_id)
            await add_audit_entry(connection, "claim.see", subject=str(claim_id), actor=actor)
        return claim

    async def suggestions(self, claim_id: UUID, *, limit: int) -> list[Suggestion]:
        """What a claim may be about among the finds of now; none once it is returned or closed.

        Raises:
            NotFound: there is no such claim.
        """
        claim = await self._found(claim_id)
        if claim.state in (ClaimState.RETURNED, ClaimState.CLOSED):
            return []
        return await self._matcher.suggestions(claim, limit=limit)

    async def list_claims(
        self, wanted: ClaimFilter, *, cursor: str | None, limit: int, actor: str | None
    ) -> Slice[StoredClaim]:
        """Claims, newest first; audited, as they say how guests are reached.

        Raises:
            InvalidInput: the cursor is none of ours.
        """
        before = int(read_cursor(cursor, int)[0]) if cursor else None
        async with self._database.transaction() as connection:
            found = await claim_store.list_claims(connection, wanted, before_id=before, limit=limit + 1)
            details = {"rows": min(len(found), limit)}
            await add_audit_entry(connection, "claim.list", subject="claims", actor=actor, details=details)
        return slice_of(found, limit, lambda claim: (claim.id,))

    async def change(
        self,
        claim_id: UUID,
        changes: Mapping[str, object],
        *,
        photo: bytes | None,
        dismissed: Sequence[str],
        actor: str | None,
    ) -> StoredClaim:
        """Change what a claim says. New words or another photo are searched again.

        Args:
            changes: fields of the claim and of its details; ``state`` open or closed.
            dismissed: finds that are not it.

        Raises:
            NotFound: there is no such claim.
            Conflict: the thing was handed over: its state stays.
            InvalidInput: the days would end before they begin.
            InvalidImage: the bytes are no picture.
        """
        query = None
        if photo is not None or changes.get("description"):
            words = changes.get("description") or (await self._found(claim_id)).details.description
            query = await self._matcher.read(photo, str(words) if words else None)
        async with self._database.transaction() as connection:
            claim = _known(await claim_store.lock_claim(connection, claim_id), claim_id)
            if claim.state is ClaimState.RETURNED and "state" in changes:
                raise _returned(claim_id)
            changed = with_changes(claim, changes)
            if changed.lost_from and changed.lost_until and changed.lost_until < changed.lost_from:
                raise InvalidInput("lost_until lies before lost_from.", code="lost_until_before_lost_from")
            if dismissed and not await claim_store.dismiss_finds(connection, claim.id, dismissed):
                changed = replace(
                    changed, state=ClaimState.OPEN if changed.state is ClaimState.MATCHED else changed.state
                )
            changed = await claim_store.update_claim(
                connection, replace(changed, query=query or changed.query), changed_by=actor
            )
            if query is not None:
                await claim_store.set_searched(connection, claim.id, searched=False)
            fields = {"fields": sorted(changes), "dismissed": list(dismissed)}
            await add_audit_entry(connection, "claim.change", subject=str(claim_id), actor=actor, details=fields)
        return changed if query is None else (await self._searched(changed))[0]

    async def hand_over(
        self, claim_id: UUID, image_id: str, *, received_by: str, paper_seen: str, actor: str | None
    ) -> StoredClaim:
        """Note that a find was given to the guest. Sent again, the same hand-over changes nothing.

        Raises:
            NotFound: there is no such claim or no such find.
            Conflict: the claim is closed, its thing was handed over, or the find was given to somebody else.
        """
        find = await self._images.get(image_id)
        if find.details.category != LOST_FOUND:
            raise NotFound(f"{image_id} is no find.", code="image_not_found")
        async with self._database.transaction() as connection:
            claim = _known(await claim_store.lock_claim(connection, claim_id), claim_id)
            if not _is_same(claim.details.hand_over, image_id):
                claim = await self._give(connection, claim, image_id, received_by, paper_seen, actor)
        # Last, because another backend takes part; the row above already keeps the find from other claims.
        await self._images.change(image_id, {"status": _RETURNED_STATUS}, actor=actor)
        return claim

    async def _give(
        self,
        connection: Connection,
        claim: StoredClaim,
        image_id: str,
        received_by: str,
        paper_seen: str,
        actor: str | None,
    ) -> StoredClaim:
        if claim.state is ClaimState.RETURNED:
            raise _returned(claim.claim_id)
        if claim.state is ClaimState.CLOSED:
            raise Conflict("The claim is closed; open it first.", code="claim_closed")
        if not await claim_store.note_hand_over(connection, claim.id, image_id):
            raise Conflict(f"{image_id} was handed over for another claim.", code="find_handed_over")
        record = HandOver(image_id, received_by, paper_seen, actor, clock.iso(clock.now()))
        given = replace(claim, state=ClaimState.RETURNED, details=replace(claim.details, hand_over=record))
        given = await claim_store.update_claim(connection, given, changed_by=actor)
        details = {"image_id": image_id}
        await add_audit_entry(connection, "claim.hand_over", subject=str(claim.claim_id), actor=actor, details=details)
        return given

    async def delete(self, claim_id: UUID, *, actor: str | None) -> None:
        """Erase a claim with its matches and its record of the hand-over; the audit keeps that it was.

        Raises:
            NotFound: there is no such claim.
        """
        async with self._database.transaction() as connection:
            if not await claim_store.delete_claim(connection, claim_id):
                raise _unknown(claim_id)
            await add_audit_entry(connection, "claim.delete", subject=str(claim_id), actor=actor)

    async def label(self, claim_id: UUID, image_id: str | None, *, actor: str | None) -> bytes:
        """A label for the thing, as SVG. It names nobody; its code is the claim's id.

        Raises:
            NotFound: there is no such claim.
        """
        claim = await self.get(claim_id, actor=actor)
        lines = [f"#{str(claim_id)[:8].upper()}", claim.created_at.date().isoformat()]
        lines += [f"Room {claim.room_number}"] if claim.room_number else []
        lines += [image_id[:18]] if image_id else []
        return label_svg(f"claim:{claim_id}", [*lines, claim.state])

    async def _found(self, claim_id: UUID) -> StoredClaim:
        async with self._database.connection() as connection:
            return _known(await claim_store.find_claim(connection, claim_id), claim_id)

    def needs_photo(self, claim: StoredClaim) -> bool:
        """Whether the claim's photo was compared by a model that is gone, and there are no words to go by."""
        return claim.query.model_id != self._matcher.model_id and claim.details.description is None


def _is_same(record: HandOver | None, image_id: str) -> bool:
    return record is not None and record.image_id == image_id


def _known(claim: StoredClaim | None, claim_id: UUID) -> StoredClaim:
    if claim is None:
        raise _unknown(claim_id)
    return claim


def _unknown(claim_id: UUID) -> NotFound:
    return NotFound(f"There is no claim {claim_id}.", code="claim_not_found")


def _returned(claim_id: UUID) -> Conflict:
    return Conflict(f"The thing of claim {claim_id} was handed over.", code="claim_returned")
