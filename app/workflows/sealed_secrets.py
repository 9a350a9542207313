"""Secrets in the box under another master key: logins of cameras, signing secrets of webhooks."""

from __future__ import annotations

from app.services.database import Connection
from app.services.secret_box import SecretBox, SecretLost
from app.services.stores import camera_store, key_store, webhook_store
from app.workflows.webhook_courier import secret_owner


async def seal_secrets(connection: Connection, box: SecretBox) -> tuple[int, list[str]]:
    """Seal what is sealed with another key with the one that seals now; inside a transaction.

    Returns:
        How many there were, and those that are lost, in words.
    """
    version = await key_store.sealing_version(connection)
    count, lost = 0, []
    cameras = [
        (owner, owner, sealed, camera_store.seal_otherwise)
        for owner, sealed in await camera_store.lock_secrets(connection)
    ]
    webhooks = [
        (webhook_id, secret_owner(webhook_id), sealed, webhook_store.seal_otherwise)
        for webhook_id, sealed in await webhook_store.lock_secrets(connection)
    ]
    for row_id, owner, sealed, replace in [*cameras, *webhooks]:
        if box.is_sealed_with(sealed, version):
            continue
        try:
            again = box.seal(box.open(sealed, owner=owner), owner=owner, version=version)
        except SecretLost:
            lost.append(f"secret of {owner}")
            continue
        await replace(connection, row_id, again)
        count += 1
    return count, lost
