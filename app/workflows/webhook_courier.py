"""Carries events to the receivers of webhooks, each in the order of the stream.

At least once: a subscription moves on only when the receiver has taken the event, so a crash in between repeats it
under the same id. A receiver that is down holds up its own subscription alone, for as long as ``give_up`` says;
an event that a receiver refuses again and again does not. Either way what is given up is kept as a dead letter.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from app.errors import VisionError
from app.services.cloud_events import cloud_attributes
from app.services.database import Database
from app.services.delivery.signing import signed_headers
from app.services.delivery.webhook_sender import Answer, WebhookSender
from app.services.secret_box import SecretBox
from app.services.stores import outbox, webhook_store
from app.services.stores.outbox import StoredEvent
from app.services.stores.webhook_store import WebhookRecord
from app.utils import clock, metrics
from app.utils.logging import logger
from app.workflows.events import EventStream

_AT_ONCE = 8
_BATCH = 100
_LEASE = timedelta(seconds=30)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 300.0
_REFUSALS = 5  # of one event, by a receiver that is up
_GONE = 410
_PASSING = frozenset({408, 425, 429})


class Delivery(StrEnum):
    """What became of an attempt; also the label of its metric."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"


def secret_owner(webhook_id: str) -> str:
    """To whom the secret of a webhook is sealed."""
    return f"webhook {webhook_id}"


def wants(types: Sequence[str], event_type: str) -> bool:
    """Whether a subscription is to these types: names, or beginnings such as ``camera.*``; none means all."""
    return not types or any(
        event_type.startswith(name[:-1]) if name.endswith(".*") else event_type == name for name in types
    )


async def send_event(sender: WebhookSender, box: SecretBox, webhook: WebhookRecord, event: StoredEvent) -> Answer:
    """Send one event, signed.

    Raises:
        SecretLost: the signing secret can't be read any more.
    """
    body = json.dumps(event.payload, ensure_ascii=False).encode()
    secret = box.open(webhook.secret, owner=secret_owner(webhook.id))
    event_id, sent_at_s = str(event.payload["event_id"]), int(clock.now().timestamp())
    headers = signed_headers(secret, event_id=event_id, sent_at_s=sent_at_s, body=body)
    headers |= cloud_attributes(event.payload, source=sender.source, prefix="ce-")
    return await sender.post(webhook.columns.url, headers=headers, body=body)


class WebhookCourier:
    """Serves all subscriptions; any number of processes may do so at once.

    Args:
        give_up: how old an event may become whose receiver does not answer.
    """

    def __init__(
        self, *, database: Database, sender: WebhookSender, box: SecretBox, events: EventStream, give_up: timedelta
    ) -> None:
        self._database = database
        self._sender = sender
        self._box = box
        self._events = events
        self._give_up = give_up

    async def step(self) -> None:
        """Serve what is due; wait for the next event where nothing is."""
        claim = uuid.uuid4().hex
        async with self._database.connection() as connection:
            due = await webhook_store.claim_due(connection, claim, lease=_LEASE, limit=_AT_ONCE)
        if not due:
            await self._events.changed()
            return
        results = await asyncio.gather(*(self._serve(webhook, claim) for webhook in due), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException) and not isinstance(error, VisionError):
                raise error

    async def _serve(self, webhook: WebhookRecord, claim: str) -> None:
        """Deliver a batch; stops at the first event that the receiver does not take."""
        async with self._database.connection() as connection:
            events = await outbox.events_after(connection, webhook.position, limit=_BATCH)
        attempts = webhook.attempts
        for event in events:
            outcome = None
            if wants(webhook.columns.types, event.event_type):
                outcome, attempts = await self._deliver(webhook, claim, event, attempts), 0
                metrics.webhook_deliveries_total.labels(outcome).inc()
                if outcome is Delivery.FAILED:
                    return
            # What nobody wants moves the subscription on together with what comes behind it.
            elif event is not events[-1]:
                continue
            if not await self._advance(webhook, claim, event, delivered=outcome is Delivery.DELIVERED):
                return
        async with self._database.connection() as connection:
            await webhook_store.release(connection, webhook.id, claim)

    async def _deliver(self, webhook: WebhookRecord, claim: str, event: StoredEvent, attempts: int) -> Delivery:
        """Try once. After a failure the subscription waits, unless the event is given up."""
        try:
            answer = await send_event(self._sender, self._box, webhook, event)
        except VisionError as error:
            answer = Answer(None, error.code)
        if answer.is_accepted:
            return Delivery.DELIVERED
        logger.warning("webhook_failed", webhook=webhook.id, type=event.event_type, answer=answer.detail)
        async with self._database.transaction() as connection:
            if answer.status == _GONE:
                await webhook_store.switch_off(connection, webhook.id, claim, error=answer.detail)
            elif self._is_over(event, answer, attempts + 1):
                await webhook_store.add_dead_letter(
                    connection, webhook.id, event, attempts=attempts + 1, error=answer.detail
                )
                return Delivery.GIVEN_UP
            else:
                wait = timedelta(seconds=min(_FIRST_WAIT_S * 2 ** min(attempts, 30), _LONGEST_WAIT_S))
                await webhook_store.postpone(connection, webhook.id, claim, wait=wait, error=answer.detail)
        return Delivery.FAILED

    def _is_over(self, event: StoredEvent, answer: Answer, attempts: int) -> bool:
        refused = answer.status is not None and answer.status < 500 and answer.status not in _PASSING
        return (refused and attempts >= _REFUSALS) or clock.now() - event.written_at > self._give_up

    async def _advance(self, webhook: WebhookRecord, claim: str, event: StoredEvent, *, delivered: bool) -> bool:
        async with self._database.connection() as connection:
            return await webhook_store.advance(
                connection, webhook.id, claim, event.position, lease=_LEASE, delivered=delivered
            )
