"""Active liveness: begin a session, look at its frames, report its state, and spend it once.

A request reads the session, looks at its frames on an inference thread, and writes what came of them unless another
request was faster. Any replica may take the next one. What is kept are numbers, encrypted, until the session ends.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from app.core.active_liveness.challenges import Challenge, draw_challenges
from app.core.active_liveness.judge import Guidance, Judgement, Reason, SessionJudge
from app.core.active_liveness.observation import (
    FrameObserver,
    SeenFrame,
    pack,
    pack_vector,
    share_seen_before,
    unpack,
    unpack_vector,
)
from app.core.inference import InferencePool, Priority
from app.core.liveness import Liveness, LivenessProof
from app.errors import Conflict, InvalidInput, NotFound
from app.services.database import Database
from app.services.secret_box import SecretBox
from app.services.stores import key_store
from app.services.stores import liveness_sessions as store
from app.services.stores.audit import add_audit_entry
from app.services.stores.liveness_sessions import SessionProgress, SessionStatus, StoredSession
from app.types import FloatArray, shown
from app.utils import metrics
from app.utils.pictures import Picture, PictureOpener
from app.workflows.rate_limit import RateLimiter

# Of the frames of a session; more in one earlier session mean that a recording is shown again.
_MAX_SEEN_BEFORE = 0.5
_REMEMBERED_SESSIONS = 2000
_MAX_AHEAD_MS = 2000  # of what the client says has passed, over what has


@dataclass(frozen=True, slots=True)
class SessionTicket:
    """A session that a request wants to spend, and the key that it came by."""

    session_id: str
    key_id: int | None


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """The settings that decide.

    Attributes:
        challenges: how many movements are asked for.
        lifetime_s: how long a session is open, and how long one that passed may be spent.
        keep_days: how long sketches of frames are kept.
    """

    challenges: int
    lifetime_s: float
    keep_days: int


@dataclass(frozen=True, slots=True)
class SentFrame:
    """One encoded frame, and its moment by the client's clock."""

    picture: bytes
    at_ms: int


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session with the nonce that its frames have to carry."""

    session: StoredSession
    nonce: str


class LivenessSessions:
    """Sessions over the pool and PostgreSQL."""

    def __init__(
        self,
        *,
        pool: InferencePool,
        pictures: PictureOpener,
        observer: FrameObserver,
        judge: SessionJudge,
        database: Database,
        box: SecretBox,
        limiter: RateLimiter | None,
        settings: SessionSettings,
    ) -> None:
        self.rules = judge.rules
        self._pool = pool
        self._pictures = pictures
        self._observer = observer
        self._judge = judge
        self._database = database
        self._box = box
        self._limiter = limiter
        self._settings = settings

    async def begin(self, *, key_id: int | None) -> NewSession:
        """A session with challenges that nobody could know before.

        Raises:
            Overloaded: that key began too many in a minute.
        """
        if self._limiter is not None:
            await self._limiter.admit(key_id or 0)
        nonce = secrets.token_urlsafe(24)
        async with self._database.transaction() as connection:
            session = await store.add_session(
                connection,
                str(uuid.uuid4()),
                key_id=key_id,
                nonce_digest=_digest(nonce),
                challenges=draw_challenges(self._settings.challenges),
                guidance=Guidance.LOOK_STRAIGHT,
                lifetime_s=self._settings.lifetime_s,
            )
        return NewSession(session, nonce)

    async def find(self, session_id: str, *, key_id: int | None) -> StoredSession:
        """The state of a session.

        Raises:
            NotFound: there is none of that id that this key began.
        """
        async with self._database.connection() as connection:
            session = await store.find_session(connection, session_id, key_id=key_id)
        if session is None:
            raise NotFound("There is no such liveness session.", code="liveness_session_not_found")
        return session

    async def add_frames(
        self, session_id: str, frames: Sequence[SentFrame], *, nonce: str, key_id: int | None, actor: str | None
    ) -> StoredSession:
        """Look at the next frames of a session, in order of time.

        Raises:
            NotFound: no such session, or not with that nonce.
            Conflict: the session is over, or another request changed it meanwhile.
            InvalidInput: moments out of order or impossible, too many frames, or pictures that can't be read.
        """
        session = await self.find(session_id, key_id=key_id)
        async with self._database.connection() as connection:
            if not await store.is_nonce_of(connection, session_id, _digest(nonce)):
                raise NotFound("There is no such liveness session.", code="liveness_session_not_found")
        if session.status is not SessionStatus.OPEN:
            raise Conflict(f"The liveness session is {session.status}; begin another.", code="liveness_session_over")
        known = self._open_state(session)
        self._check_moments(session, known, [frame.at_ms for frame in frames])
        pictures = [(frame.at_ms, self._pictures.plain(frame.picture)) for frame in frames]
        seen = await self._pool.submit_at(Priority.CHECK_IN, "face", self._look, pictures)
        judgement = await self._judged(session, [*known, *seen])
        await self._save(session, [*known, *seen], judgement, sketches=_sketches(seen), actor=actor)
        return await self.find(session_id, key_id=key_id)

    async def spend(self, ticket: SessionTicket, vectors: Sequence[FloatArray]) -> Liveness | None:
        """Take a session that passed; whoever asks again is refused.

        Args:
            vectors: of the pictures that it shall vouch for.

        Returns:
            What it vouches for; None where a picture shows somebody else than the session.

        Raises:
            NotFound: there is no such session.
            Conflict: it did not pass, is over, or was spent before.
        """
        async with self._database.transaction() as connection:
            session = await store.spend_session(connection, ticket.session_id, key_id=ticket.key_id)
        if session is None or session.sealed_state is None:
            status = (await self.find(ticket.session_id, key_id=ticket.key_id)).status
            raise Conflict(f"The liveness session is {status}; it can't be used.", code="liveness_session_unusable")
        person = unpack_vector(json.loads(self._box.open(session.sealed_state, owner=_owner(session.id))))
        if not all(self._judge.vouches_for(person, vector) for vector in vectors):
            return None
        return Liveness(session.score, is_live=True, proof=LivenessProof.ACTIVE)

    async def tidy(self) -> None:
        """One step of the background loop: forget what is over."""
        async with self._database.connection() as connection:
            await store.end_overdue_sessions(connection)
            await store.delete_old_sessions(connection, days=self._settings.keep_days)

    def _open_state(self, session: StoredSession) -> list[SeenFrame]:
        if session.sealed_state is None:
            return []
        return [unpack(packed) for packed in json.loads(self._box.open(session.sealed_state, owner=_owner(session.id)))]

    def _check_moments(self, session: StoredSession, known: Sequence[SeenFrame], moments: Sequence[int]) -> None:
        before = [frame.at_ms for frame in known]
        together = [*before, *moments]
        if any(later <= earlier for earlier, later in pairwise(together)):
            raise InvalidInput("Each frame's moment must be after the one before.", code="frames_out_of_order")
        if len(together) > self.rules.max_frames:
            raise InvalidInput(
                f"A session takes {self.rules.max_frames} frames; it has {len(before)}.", code="too_many_frames"
            )
        if together[-1] - together[0] > 1000 * session.age_s + _MAX_AHEAD_MS:
            raise InvalidInput("More time passed between the frames than since the start.", code="implausible_moments")

    def _look(self, pictures: Sequence[tuple[int, Picture]]) -> list[SeenFrame]:
        """Runs on an inference thread."""
        return self._observer.observe((at_ms, picture.decode()) for at_ms, picture in pictures)

    async def _judged(self, session: StoredSession, frames: Sequence[SeenFrame]) -> Judgement:
        judgement = self._judge.judge([Challenge(name) for name in session.challenges], frames)
        if not judgement.passed:
            return judgement
        async with self._database.connection() as connection:
            earlier = await store.earlier_sketches(connection, session.id, limit=_REMEMBERED_SESSIONS)
        seen_before = await self._pool.submit_at(
            Priority.CHECK_IN, "face", _most_seen_before, _sketches(frames), earlier
        )
        return judgement.failed(Reason.REPLAYED) if seen_before > _MAX_SEEN_BEFORE else judgement

    async def _save(
        self,
        session: StoredSession,
        frames: Sequence[SeenFrame],
        judgement: Judgement,
        *,
        sketches: bytes,
        actor: str | None,
    ) -> None:
        status = (
            SessionStatus.PASSED if judgement.passed
            else SessionStatus.FAILED if judgement.reason
            else SessionStatus.OPEN
        )  # fmt: skip
        progress = SessionProgress(
            status=status,
            done=judgement.done,
            frames=len(frames),
            score=None if judgement.score is None else shown(judgement.score),
            guidance=judgement.guidance,
            reason=judgement.reason,
            sealed_state=None,
            sketches=sketches,
        )
        async with self._database.transaction() as connection:
            version = await key_store.sealing_version(connection)
            progress = replace(progress, sealed_state=self._sealed(session, frames, status, version=version))
            saved = await store.save_progress(
                connection, session.id, progress, version=session.version, spendable_s=self._settings.lifetime_s
            )
            if not saved:
                raise Conflict("Another request changed the session, or it is over.", code="liveness_session_busy")
            if status is not SessionStatus.OPEN:
                details = {"status": status.value, "reason": judgement.reason, "frames": len(frames)}
                await add_audit_entry(connection, "face.liveness", subject=session.id, actor=actor, details=details)
        if status is not SessionStatus.OPEN:
            metrics.liveness_sessions_total.labels(judgement.reason or status.value).inc()

    def _sealed(
        self, session: StoredSession, frames: Sequence[SeenFrame], status: SessionStatus, *, version: int
    ) -> bytes | None:
        """The frames while the session is open, then the person alone, then nothing."""
        if status is SessionStatus.OPEN:
            return self._box.seal(
                json.dumps([pack(frame) for frame in frames]), owner=_owner(session.id), version=version
            )
        if status is not SessionStatus.PASSED:
            return None
        total = np.sum([frame.head.vector for frame in frames if frame.head is not None], axis=0)
        return self._box.seal(json.dumps(pack_vector(total)), owner=_owner(session.id), version=version)


def _most_seen_before(sketches: bytes, earlier: Sequence[bytes]) -> float:
    return max((share_seen_before(sketches, one) for one in earlier), default=0.0)


def _sketches(frames: Sequence[SeenFrame]) -> bytes:
    return b"".join(frame.sketch for frame in frames)


def _digest(nonce: str) -> bytes:
    return hashlib.sha256(nonce.encode()).digest()


def _owner(session_id: str) -> str:
    return f"liveness session {session_id}"
