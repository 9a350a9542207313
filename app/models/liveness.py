"""Requests and responses of active liveness sessions."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from app.core.active_liveness.challenges import INSTRUCTIONS, Challenge
from app.core.active_liveness.judge import Guidance, Reason, SessionRules
from app.models.bodies import ImageData
from app.models.common import Moment, Request, Response, Score, SessionId, Text
from app.services.stores.liveness_sessions import SessionStatus, StoredSession
from app.workflows.liveness_sessions import NewSession, SentFrame

_GUIDANCE = {
    Guidance.SHOW_FACE: "Show your face to the camera.",
    Guidance.COME_NEARER: "Come nearer, until your face fills a third of the picture.",
    Guidance.LOOK_STRAIGHT: "Look straight into the camera.",
    Guidance.FURTHER: "A little further.",
    Guidance.DONE: "Done.",
}
_MAX_AT_ONCE = 20


class ChallengeInfo(Response):
    """One movement. Left and right are the person's own; frames must not be mirrored."""

    kind: Challenge
    instruction: str


class FrameRules(Response):
    """What frames a session takes."""

    min_frames: int
    max_frames: int
    max_gap_ms: int = Field(description="Between two frames; 150 ms are best")
    max_duration_ms: int


class LivenessSessionCreated(Response):
    """A session, and the nonce that its frames have to carry."""

    session_id: SessionId
    nonce: str
    challenges: list[ChallengeInfo]
    expires_at: Moment
    frames: FrameRules

    @classmethod
    def of(cls, new: NewSession, rules: SessionRules) -> LivenessSessionCreated:
        return cls(
            session_id=new.session.id,
            nonce=new.nonce,
            challenges=[ChallengeInfo(kind=kind, instruction=INSTRUCTIONS[kind]) for kind in _kinds(new.session)],
            expires_at=new.session.expires_at,
            frames=FrameRules.like(rules),
        )


class LivenessFramesRequest(Request):
    """The next frames of a session, oldest first. Several together show depth: send 4 to 20 at a time."""

    nonce: Annotated[Text, Field(max_length=64)]
    frames: Annotated[list[ImageData], Field(min_length=2, max_length=_MAX_AT_ONCE)]
    timestamps_ms: Annotated[
        list[Annotated[int, Field(ge=0, le=10**15)]], Field(min_length=2, max_length=_MAX_AT_ONCE)
    ] = Field(description="When each frame was taken, by the client's clock, in ms from any start")

    @model_validator(mode="after")
    def _as_many_moments(self) -> Self:
        if len(self.frames) != len(self.timestamps_ms):
            raise ValueError("frames and timestamps_ms must be as many")
        return self

    @property
    def sent(self) -> list[SentFrame]:
        """Frames with their moments."""
        return [SentFrame(*pair) for pair in zip(self.frames, self.timestamps_ms, strict=True)]


class LivenessSessionResponse(Response):
    """The state of a session. `passed` can be used once, by `liveness_session_id`, until `expires_at`."""

    session_id: SessionId
    status: SessionStatus
    challenges_done: int
    challenges: list[ChallengeInfo]
    guidance: Guidance
    message: str
    frames_used: int
    score: Score | None = Field(None, description="How alive the person looked, 0 to 1")
    reasons: list[Reason]
    expires_at: Moment

    @classmethod
    def of(cls, session: StoredSession) -> LivenessSessionResponse:
        kinds, guidance = _kinds(session), Guidance(session.guidance)
        return cls(
            session_id=session.id,
            status=session.status,
            challenges_done=session.done,
            challenges=[ChallengeInfo(kind=kind, instruction=INSTRUCTIONS[kind]) for kind in kinds],
            guidance=guidance,
            message=INSTRUCTIONS[kinds[session.done]] if guidance is Guidance.MOVE else _GUIDANCE[guidance],
            frames_used=session.frames,
            score=session.score,
            reasons=[Reason(session.reason)] if session.reason else [],
            expires_at=session.expires_at,
        )


def _kinds(session: StoredSession) -> list[Challenge]:
    return [Challenge(name) for name in session.challenges]
