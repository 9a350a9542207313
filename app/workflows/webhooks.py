"""Webhooks: who wants which events where; what could not be delivered, and sending it again."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.errors import Conflict, NotFound
from app.services.database import Connection, Database
from app.services.delivery.signing import new_signing_secret
from app.services.delivery.webhook_sender import Answer, WebhookSender
from app.services.secret_box import SecretBox
from app.services.stores import key_store, webhook_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.outbox import SCHEMA_VERSION, StoredEvent
from app.services.stores.webhook_store import DeadLetter, WebhookColumns, WebhookRecord
from app.utils import clock
from app.utils.cursors import Slice, read_cursor, slice_of
from app.workflows.webhook_courier import secret_owner, send_event

__all__ = ["Answer", "DeadLetter", "WebhookBook", "WebhookChange", "WebhookColumns", "WebhookRecord"]

_MOST = 50
_REPLAYED_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What shall change; None leaves things as they are."""

    url: str | None = None
    description: str | None = None
    types: tuple[str, ...] | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of one dead letter that was sent again; it is forgotten once ``answer`` accepts it."""

    letter_id: int
    answer: Answer


class WebhookBook:
    """Subscriptions over PostgreSQL.

    Args:
        box: seals signing secrets.
    """

    def __init__(self, *, database: Database, sender: WebhookSender, box: SecretBox) -> None:
        self._database = database
        self._sender = sender
        self._box = box

    async def add(self, columns: WebhookColumns, *, actor: str) -> tuple[WebhookRecord, str]:
        """Subscribe to what happens from now on.

        Returns:
            The subscription, and its signing secret, which is not shown again.

        Raises:
            InvalidInput: messages may not be sent to that address.
            Conflict: there are too many subscriptions.
        """
        await self._sender.check(columns.url)
        webhook_id, secret = str(uuid.uuid4()), new_signing_secret()
        async with self._database.transaction() as connection:
            sealed = await self._sealed(connection, webhook_id, secret)
            record = await webhook_store.insert_webhook(connection, webhook_id, columns, secret=sealed, most=_MOST)
            if record is None:
                raise Conflict(f"There are {_MOST} webhooks already; remove one.", code="too_many_webhooks")
            await add_audit_entry(connection, "webhook.add", subject=webhook_id, actor=actor)
        return record, secret

    async def change(self, webhook_id: str, change: WebhookChange, *, actor: str) -> WebhookRecord:
        """Change a subscription; one that waited after a failure tries again at once.

        Raises:
            NotFound: there is no such webhook.
            InvalidInput: messages may not be sent to that address.
        """
        if change.url is not None:
            await self._sender.check(change.url)
        async with self._database.transaction() as connection:
            old = (await self._find(connection, webhook_id, lock=True)).columns
            columns = replace(
                old,
                url=old.url if change.url is None else change.url,
                description=old.description if change.description is None else change.description,
                types=old.types if change.types is None else change.types,
                enabled=old.enabled if change.enabled is None else change.enabled,
            )
            record = await webhook_store.update_webhook(connection, webhook_id, columns)
            await add_audit_entry(connection, "webhook.change", subject=webhook_id, actor=actor)
        return record or _missing(webhook_id)

    async def renew_secret(self, webhook_id: str, *, actor: str) -> str:
        """Sign with a fresh secret from now on, and return it.

        Raises:
            NotFound: there is no such webhook.
        """
        secret = new_signing_secret()
        async with self._database.transaction() as connection:
            sealed = await self._sealed(connection, webhook_id, secret)
            if not await webhook_store.replace_secret(connection, webhook_id, sealed):
                _missing(webhook_id)
            await add_audit_entry(connection, "webhook.renew_secret", subject=webhook_id, actor=actor)
        return secret

    async def _sealed(self, connection: Connection, webhook_id: str, secret: str) -> bytes:
        version = await key_store.sealing_version(connection)
        return self._box.seal(secret, owner=secret_owner(webhook_id), version=version)

    async def remove(self, webhook_id: str, *, actor: str) -> None:
        """End a subscription; its dead letters go with it.

        Raises:
            NotFound: there is no such webhook.
        """
        async with self._database.transaction() as connection:
            if not await webhook_store.delete_webhook(connection, webhook_id):
                _missing(webhook_id)
            await add_audit_entry(connection, "webhook.remove", subject=webhook_id, actor=actor)

    async def get(self, webhook_id: str) -> WebhookRecord:
        """One subscription.

        Raises:
            NotFound: there is no such webhook.
        """
        async with self._database.connection() as connection:
            return await self._find(connection, webhook_id)

    async def list_webhooks(self) -> list[WebhookRecord]:
        """All subscriptions, oldest first."""
        async with self._database.connection() as connection:
            return await webhook_store.list_webhooks(connection)

    async def test(self, webhook_id: str) -> Answer:
        """Send a message of the type ``webhook.test`` now, once, and tell what the receiver said.

        Raises:
            NotFound: there is no such webhook.
            SecretLost: its signing secret can't be read any more.
        """
        record = await self.get(webhook_id)
        now: datetime = clock.now()
        payload = {
            "event_id": str(uuid.uuid4()),
            "type": "webhook.test",
            "schema_version": SCHEMA_VERSION,
            "occurred_at": clock.iso(now),
            "webhook_id": webhook_id,
        }
        return await send_event(self._sender, self._box, record, StoredEvent(0, "webhook.test", payload, now))

    async def dead_letters(self, webhook_id: str, *, cursor: str | None, limit: int) -> Slice[DeadLetter]:
        """Events that the receiver did not take, oldest first.

        Raises:
            NotFound: there is no such webhook.
            InvalidInput: the cursor is none of ours.
        """
        after = int(read_cursor(cursor, int)[0]) if cursor else 0
        async with self._database.connection() as connection:
            await self._find(connection, webhook_id)
            letters = await webhook_store.dead_letters(connection, webhook_id, after=after, limit=limit + 1)
        return slice_of(letters, limit, lambda letter: (letter.id,))

    async def replay(self, webhook_id: str, letters: Sequence[int] | None, *, actor: str) -> list[Replay]:
        """Send dead letters again, in their order, up to the first that is not taken.

        Args:
            letters: their numbers; None takes the oldest twenty.

        Raises:
            NotFound: there is no such webhook.
            SecretLost: its signing secret can't be read any more.
        """
        async with self._database.transaction() as connection:
            record = await self._find(connection, webhook_id)
            await add_audit_entry(connection, "webhook.replay", subject=webhook_id, actor=actor)
            found = await webhook_store.dead_letters(connection, webhook_id, limit=_REPLAYED_AT_ONCE, only=letters)
        replays = []
        for letter in found:
            answer = await send_event(self._sender, self._box, record, letter.event)
            replays.append(Replay(letter.id, answer))
            if not answer.is_accepted:
                break
            async with self._database.connection() as connection:
                await webhook_store.delete_dead_letter(connection, letter.id)
        return replays

    async def _find(self, connection: Connection, webhook_id: str, *, lock: bool = False) -> WebhookRecord:
        return await webhook_store.find_webhook(connection, webhook_id, lock=lock) or _missing(webhook_id)


def _missing(webhook_id: str) -> WebhookRecord:
    raise NotFound(f"There is no webhook {webhook_id}.", code="webhook_not_found")
