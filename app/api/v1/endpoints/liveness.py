"""Active liveness sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.idempotency import IDEMPOTENT
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import resource
from app.models.bodies import body_of
from app.models.common import SessionId
from app.models.liveness import LivenessFramesRequest, LivenessSessionCreated, LivenessSessionResponse
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.liveness_sessions import LivenessSessions

router = APIRouter(prefix="/face/liveness/sessions", tags=["face"], route_class=MarkedRoute)

Sessions = Annotated[LivenessSessions, Depends(resource(lambda resources: resources.liveness_sessions))]
Recognizer = Annotated[Caller, Depends(require(Scope.FACE_RECOGNIZE))]
SessionPath = Annotated[SessionId, Path()]


@router.post("", status_code=201, dependencies=[IDEMPOTENT])
async def begin_liveness_session(caller: Recognizer, sessions: Sessions) -> LivenessSessionCreated:
    """Begin a session: movements in an order that nobody could know before."""
    return LivenessSessionCreated.of(await sessions.begin(key_id=caller.key_id), sessions.rules)


@router.post("/{session_id}/frames", dependencies=[IDEMPOTENT])
async def add_liveness_frames(
    caller: Recognizer,
    session_id: SessionPath,
    request: Annotated[LivenessFramesRequest, Depends(body_of(LivenessFramesRequest))],
    sessions: Sessions,
) -> LivenessSessionResponse:
    """Send the next frames, and hear what to do."""
    session = await sessions.add_frames(
        session_id, request.sent, nonce=request.nonce, key_id=caller.key_id, actor=caller.label
    )
    return LivenessSessionResponse.of(session)


@router.get("/{session_id}")
async def get_liveness_session(
    caller: Recognizer, session_id: SessionPath, sessions: Sessions
) -> LivenessSessionResponse:
    """The state of a session."""
    return LivenessSessionResponse.of(await sessions.find(session_id, key_id=caller.key_id))
