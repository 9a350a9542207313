"""Idempotency keys: requests that are carried out once, and their answers for a day.

Revision: 0011, after 0010.
"""

from app.services.stores.migrations import create, drop

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Digests alone, and answers under a key that only the request itself yields: nothing here can be read by itself.
IDEMPOTENCY_KEYS = """
    digest BYTEA PRIMARY KEY,
    fingerprint BYTEA NOT NULL,
    token BYTEA NOT NULL,
    leased_until TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    has_acted BOOLEAN NOT NULL DEFAULT FALSE,
    answered_at TIMESTAMPTZ,
    sealed_answer BYTEA
"""


def upgrade() -> None:
    create("idempotency_keys", IDEMPOTENCY_KEYS, [
        "CREATE INDEX idx_idempotency_created ON idempotency_keys(created_at)",
    ])  # fmt: skip


def downgrade() -> None:
    drop("idempotency_keys")
