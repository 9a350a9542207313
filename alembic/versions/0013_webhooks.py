"""Webhooks: subscriptions to events, and the events that their receivers did not take.

Revision: 0013, after 0012.
"""

from app.services.stores.migrations import create, drop

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create(
        "webhooks",
        """
        id VARCHAR(36) PRIMARY KEY,
        url TEXT NOT NULL,
        description TEXT,
        types TEXT[] NOT NULL,
        enabled BOOLEAN NOT NULL,
        secret BYTEA NOT NULL,
        position BIGINT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_attempt_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
        claim TEXT,
        claimed_until TIMESTAMPTZ,
        last_error TEXT,
        last_success_at TIMESTAMPTZ,
        created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
        updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
        """,
    )
    create(
        "webhook_dead_letters",
        """
        id BIGSERIAL PRIMARY KEY,
        webhook_id VARCHAR(36) NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
        position BIGINT NOT NULL,
        event_type TEXT NOT NULL,
        payload JSONB NOT NULL,
        written_at TIMESTAMPTZ NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT NOT NULL,
        failed_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
        UNIQUE (webhook_id, position)
        """,
    )


def downgrade() -> None:
    drop("webhook_dead_letters")
    drop("webhooks")
