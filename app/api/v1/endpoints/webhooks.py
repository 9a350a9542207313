"""Events by HTTP to whoever asks for them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import resource
from app.models.bodies import json_of, optional_json_of
from app.models.pages import Cursor
from app.models.webhook import (
    DeadLetterInfo,
    DeadLettersResponse,
    ReplayInfo,
    ReplayRequest,
    ReplaysResponse,
    WebhookAnswer,
    WebhookChangeRequest,
    WebhookCreated,
    WebhookCreateRequest,
    WebhookDeletion,
    WebhookInfo,
    WebhookSecret,
    WebhooksResponse,
)
from app.types import Scope
from app.workflows.access import Caller
from app.workflows.webhooks import WebhookBook

router = APIRouter(prefix="/webhooks", tags=["webhooks"], route_class=MarkedRoute)

Webhooks = Annotated[WebhookBook, Depends(resource(lambda resources: resources.webhooks.book))]
Operator = Annotated[Caller, Depends(require(Scope.WEBHOOKS))]
WebhookPath = Annotated[UUID, Path(examples=["5b0c6a3e-8f5b-4c53-9d0e-6a4f2e1c7b90"])]


@router.post("", status_code=201, dependencies=[IDEMPOTENT])
async def add_webhook(
    caller: Operator,
    request: Annotated[WebhookCreateRequest, Depends(json_of(WebhookCreateRequest))],
    webhooks: Webhooks,
) -> WebhookCreated:
    """Have events posted to a URL from now on, signed as Standard Webhooks says."""
    record, secret = await webhooks.add(request.columns(), actor=caller.label)
    return WebhookCreated.of_new(record, secret)


@router.get("")
async def list_webhooks(_: Operator, webhooks: Webhooks) -> WebhooksResponse:
    """All webhooks, oldest first; there are at most fifty."""
    return WebhooksResponse.of(await webhooks.list_webhooks())


@router.get("/{webhook_id}")
async def get_webhook(webhook_id: WebhookPath, _: Operator, webhooks: Webhooks) -> WebhookInfo:
    """One webhook, with how its deliveries go."""
    return WebhookInfo.of(await webhooks.get(str(webhook_id)))


@router.patch("/{webhook_id}")
async def change_webhook(
    webhook_id: WebhookPath,
    caller: Operator,
    request: Annotated[WebhookChangeRequest, Depends(json_of(WebhookChangeRequest))],
    webhooks: Webhooks,
) -> WebhookInfo:
    """Change a webhook; one that waited after a failure tries again at once."""
    return WebhookInfo.of(await webhooks.change(str(webhook_id), request.change(), actor=caller.label))


@router.delete("/{webhook_id}")
async def remove_webhook(webhook_id: WebhookPath, caller: Operator, webhooks: Webhooks) -> WebhookDeletion:
    """End a webhook; its failures are forgotten."""
    await webhooks.remove(str(webhook_id), actor=caller.label)
    return WebhookDeletion(id=webhook_id)


@router.post("/{webhook_id}/secret", dependencies=[IDEMPOTENT])
async def renew_webhook_secret(webhook_id: WebhookPath, caller: Operator, webhooks: Webhooks) -> WebhookSecret:
    """Sign with a fresh secret from now on."""
    return WebhookSecret(id=webhook_id, secret=await webhooks.renew_secret(str(webhook_id), actor=caller.label))


@router.post("/{webhook_id}/test", dependencies=[IDEMPOTENT])
async def try_webhook(webhook_id: WebhookPath, _: Operator, webhooks: Webhooks) -> WebhookAnswer:
    """Post a message of the type `webhook.test` now, once."""
    return WebhookAnswer.of(await webhooks.test(str(webhook_id)))


@router.get("/{webhook_id}/failures")
async def list_webhook_failures(
    webhook_id: WebhookPath,
    _: Operator,
    webhooks: Webhooks,
    link: Linker,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> DeadLettersResponse:
    """Events that were given up, oldest first."""
    found = await webhooks.dead_letters(str(webhook_id), cursor=cursor, limit=limit)
    return linked(DeadLettersResponse.listing(found, DeadLetterInfo.of, limit=limit), link)


@router.post("/{webhook_id}/failures/replay", dependencies=[IDEMPOTENT])
async def replay_webhook_failures(
    webhook_id: WebhookPath,
    caller: Operator,
    webhooks: Webhooks,
    request: Annotated[ReplayRequest | None, Depends(optional_json_of(ReplayRequest))],
) -> ReplaysResponse:
    """Post given-up events again, those named or else the oldest twenty, up to the first that is not taken."""
    replays = await webhooks.replay(str(webhook_id), request.ids if request else None, actor=caller.label)
    return ReplaysResponse(items=[ReplayInfo.of_one(replay) for replay in replays])
