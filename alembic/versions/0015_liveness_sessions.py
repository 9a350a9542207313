"""Active liveness sessions.

Revision: 0015, after 0014.
"""

from app.services.stores.migrations import create, drop

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create(
        "liveness_sessions",
        """
        id VARCHAR(36) PRIMARY KEY,
        key_id BIGINT,
        nonce_digest BYTEA NOT NULL,
        challenges TEXT[] NOT NULL,
        status VARCHAR(10) NOT NULL DEFAULT 'open',
        done INTEGER NOT NULL DEFAULT 0,
        frames INTEGER NOT NULL DEFAULT 0,
        score REAL,
        guidance VARCHAR(20) NOT NULL,
        reason VARCHAR(30),
        version INTEGER NOT NULL DEFAULT 0,
        sealed_state BYTEA,
        sketches BYTEA,
        created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
        expires_at TIMESTAMPTZ NOT NULL
        """,
        ("CREATE INDEX idx_liveness_sessions_created ON liveness_sessions (created_at)",),
    )


def downgrade() -> None:
    drop("liveness_sessions")
