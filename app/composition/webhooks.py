"""Webhooks: the book of subscriptions, and the courier that serves them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from app.composition.backends import Backends
from app.config import Settings
from app.services.delivery.webhook_sender import WebhookSender
from app.services.secret_box import SecretBox
from app.utils.network_guard import PUBLIC_WEBHOOKS, WEBHOOKS, NetworkGuard, parse_networks
from app.workflows.events import EventStream
from app.workflows.webhook_courier import WebhookCourier
from app.workflows.webhooks import WebhookBook


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What answers for webhooks."""

    book: WebhookBook
    courier: WebhookCourier


def open_webhooks(
    stack: AsyncExitStack, settings: Settings, backends: Backends, box: SecretBox, events: EventStream
) -> Webhooks:
    """Everything of webhooks; connections end with ``stack``."""
    networks = parse_networks(settings.WEBHOOK_ALLOWED_CIDRS, setting=WEBHOOKS.setting)
    sender = WebhookSender(
        private=NetworkGuard(networks, purpose=WEBHOOKS),
        public=NetworkGuard(networks, purpose=PUBLIC_WEBHOOKS),
        source=settings.EVENTS_SOURCE,
        timeout_s=settings.WEBHOOK_TIMEOUT_S,
    )
    stack.push_async_callback(sender.close)
    courier = WebhookCourier(
        database=backends.database,
        sender=sender,
        box=box,
        events=events,
        give_up=timedelta(hours=settings.WEBHOOK_GIVE_UP_H),
    )
    return Webhooks(WebhookBook(database=backends.database, sender=sender, box=box), courier)
