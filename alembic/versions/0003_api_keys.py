"""API keys.

Revision: 0003, after 0002.
"""

from app.services.stores.migrations import create, drop

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

API_KEYS = """
    id SERIAL PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    label VARCHAR(100) NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    last_used_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ
"""


def upgrade() -> None:
    create("api_keys", API_KEYS)


def downgrade() -> None:
    drop("api_keys")
