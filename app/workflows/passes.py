"""Checking in without the face: by a PIN, or by a card with a QR code.

Whom no camera admits, or who does not want to be recognised, checks in by these with the same event. People with the
scope for enrolment give them out and take them back; a PIN that is guessed at locks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.inference import InferencePool, Priority
from app.core.liveness import LivenessProof
from app.core.ocr.qr import read_texts
from app.errors import Forbidden, InvalidInput, NotFound, Overloaded
from app.services.database import Connection, Database
from app.services.stores import face_store, pass_store
from app.services.stores.attendance_store import SeenTemplate
from app.services.stores.audit import add_audit_entry
from app.services.stores.face_store import Identity
from app.services.stores.pass_store import CARD_PREFIX, Passes
from app.types import AttendanceMethod
from app.utils import clock
from app.utils.labels import label_svg
from app.utils.pictures import Picture, PictureOpener
from app.workflows.attendance import AttendanceBook, Sighting
from app.workflows.rate_limit import RateLimiter
from app.workflows.slow_hashes import SlowHashes

__all__ = ["NewCard", "PassCheckIn", "PassDesk", "PassRules", "Passes", "TypedPin"]


@dataclass(frozen=True, slots=True)
class PassRules:
    """After how many wrong PINs in a row somebody's PIN is locked, and for how long."""

    tries: int
    lock: timedelta


@dataclass(frozen=True, slots=True)
class TypedPin:
    """Somebody's number, and what they say is their PIN."""

    employee_id: str
    pin: str


@dataclass(frozen=True, slots=True)
class NewCard:
    """What a card says, seen once, and a label of it to print, as SVG."""

    card: str
    label: bytes


@dataclass(frozen=True, slots=True)
class PassCheckIn:
    """Somebody checked in. Without ``event_id`` the warnings say why."""

    identity: Identity
    method: AttendanceMethod
    event_id: str | None
    warnings: tuple[str, ...]


class PassDesk:
    """Gives out PINs and cards, and lets people check in by them.

    Args:
        limiter: counts tries by address; None sets no limit.
    """

    def __init__(
        self,
        *,
        database: Database,
        attendance: AttendanceBook,
        pool: InferencePool,
        pictures: PictureOpener,
        hashes: SlowHashes,
        limiter: RateLimiter | None,
        rules: PassRules,
    ) -> None:
        self._database = database
        self._attendance = attendance
        self._pool = pool
        self._pictures = pictures
        self._hashes = hashes
        self._limiter = limiter
        self._rules = rules

    async def get(self, employee_id: str) -> Passes:
        """What somebody may check in by beside their face.

        Raises:
            NotFound: there is no such employee.
        """
        async with self._database.connection() as connection:
            return await _passes(connection, employee_id)

    async def set_pin(self, employee_id: str, pin: str, *, actor: str | None) -> Passes:
        """Give somebody a PIN, or another one, which lifts a lock.

        Raises:
            NotFound: there is no such employee.
            Overloaded: too many PINs are hashed at once.
        """
        hashed = await self._hashes.hash(pin)
        async with self._database.transaction() as connection:
            await _require_employee(connection, employee_id)
            await pass_store.set_pin(connection, employee_id, hashed)
            await add_audit_entry(connection, "pass.pin_set", subject=employee_id, actor=actor)
            return await _passes(connection, employee_id)

    async def end_pin(self, employee_id: str, *, actor: str | None) -> Passes:
        """Take somebody's PIN away.

        Raises:
            NotFound: there is no such employee, or no PIN.
        """
        return await self._end(pass_store.end_pin, employee_id, name="PIN", actor=actor)

    async def issue_card(self, employee_id: str, *, actor: str | None) -> NewCard:
        """A new card; the one before opens nothing from now on.

        Raises:
            NotFound: there is no such employee.
        """
        async with self._database.transaction() as connection:
            identity = await _require_employee(connection, employee_id)
            card = await pass_store.issue_card(connection, employee_id)
            await add_audit_entry(connection, "pass.card_issue", subject=employee_id, actor=actor)
        return NewCard(card, label_svg(card, [identity.name or "", employee_id]))

    async def end_card(self, employee_id: str, *, actor: str | None) -> Passes:
        """Let somebody's card open nothing any more.

        Raises:
            NotFound: there is no such employee, or no card.
        """
        return await self._end(pass_store.end_card, employee_id, name="card", actor=actor)

    async def _end(
        self, end: Callable[[Connection, str], Awaitable[bool]], employee_id: str, *, name: str, actor: str | None
    ) -> Passes:
        async with self._database.transaction() as connection:
            if not await end(connection, employee_id):
                raise NotFound(f"{employee_id} has no pass of this kind: {name}.", code="pass_not_found")
            await add_audit_entry(connection, f"pass.{name.lower()}_end", subject=employee_id, actor=actor)
            return await _passes(connection, employee_id)

    async def check_in(
        self,
        shown: TypedPin | str | bytes,
        *,
        camera_id: str,
        taken_at: datetime | None,
        address: str,
        actor: str | None,
    ) -> PassCheckIn:
        """Write the attendance event where one is due.

        Args:
            shown: a number and its PIN, what a card says, or a picture of it.
            address: where that was tried.

        Raises:
            Forbidden: that opens nothing; of a PIN it takes as long whether there is one.
            InvalidInput: the picture shows no card of ours.
            Overloaded: the PIN is locked, or the address tries too often.
            VisionError: as the picture and the pool have it.
        """
        if isinstance(shown, TypedPin):
            await self._admit(address)
            await self._try_pin(shown, actor)
            employee_id, method = shown.employee_id, AttendanceMethod.PIN
        else:
            said = shown if isinstance(shown, str) else await self._read(shown)
            await self._admit(address)
            employee_id, method = await self._holder_of(said), AttendanceMethod.CARD
        sighting = Sighting(
            SeenTemplate(None, employee_id, None), None, camera_id, taken_at, LivenessProof.NONE, method=method
        )
        written = await self._attendance.record(sighting, actor=actor)
        if written.identity is None:
            raise _refused(f"{employee_id} works here no more; ask the front desk.")
        return PassCheckIn(written.identity, method, written.event_id, written.warnings)

    async def _try_pin(self, typed: TypedPin, actor: str | None) -> None:
        """A try counts as wrong until it proves right."""
        rules, employee_id = self._rules, typed.employee_id
        async with self._database.transaction() as connection:
            attempt = await pass_store.begin_try(connection, employee_id, tries=rules.tries, lock=rules.lock)
        if attempt is not None and attempt.pin_hash is None and attempt.locked_until is not None:
            wait_s = max(1.0, (attempt.locked_until - clock.now()).total_seconds())
            raise Overloaded(
                "Too many wrong PINs; wait, or ask for a new PIN.", retry_after_s=wait_s, code="pin_locked"
            )
        is_right = await self._hashes.matches(typed.pin, attempt.pin_hash if attempt else None)
        if not is_right:
            if attempt is not None:  # a number that nobody has may be a PIN in the wrong field
                async with self._database.transaction() as connection:
                    await add_audit_entry(connection, "attendance.refuse", subject=employee_id, actor=actor)
            raise _refused("This number and PIN do not belong together; try again.")
        async with self._database.connection() as connection:
            await pass_store.forget_tries(connection, employee_id)

    async def _holder_of(self, card: str) -> str:
        async with self._database.connection() as connection:
            employee_id = await pass_store.holder_of(connection, card)
        if employee_id is None:
            raise _refused("This card opens nothing any more; ask for a new one.")
        return employee_id

    async def _read(self, picture: bytes) -> str:
        async with self._pictures.opened(picture) as opened:
            cards = await self._pool.submit_at(Priority.CHECK_IN, "face", _cards_of, opened)
        if len(cards) != 1:
            raise InvalidInput("Hold one card of ours, and no other, before the camera.", code="no_card")
        return cards[0]

    async def _admit(self, address: str) -> None:
        if self._limiter is not None:
            _, wait_s = await self._limiter.count(address)
            if wait_s > 0:
                raise Overloaded("Too many tries from here; wait a little.", retry_after_s=wait_s, code="rate_limited")


async def _require_employee(connection: Connection, employee_id: str) -> Identity:
    identity = await face_store.find_employee(connection, employee_id)
    if identity is None:
        raise NotFound(f"There is no employee {employee_id}; add them first.", code="employee_unknown")
    return identity


async def _passes(connection: Connection, employee_id: str) -> Passes:
    await _require_employee(connection, employee_id)
    return await pass_store.find_passes(connection, employee_id) or Passes(employee_id, None, None, None)


def _cards_of(picture: Picture) -> list[str]:
    """On an inference thread: what cards of ours say."""
    return [text for text in read_texts(picture.decode()) if text.startswith(CARD_PREFIX)]


def _refused(message: str) -> Forbidden:
    return Forbidden(message, code="pass_refused")
