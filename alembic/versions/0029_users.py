"""People who sign in, and the sessions of browsers.

Revision: 0029, after 0028.
"""

from app.services.stores.migrations import create, drop

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

# A person acts by an API key whose secret nobody knows, so that the audit, jobs and limits know one kind of caller. The
# tables have a prefix, because the database may be the hotel's own, with users of its own.
USERS = """
    key_id INT PRIMARY KEY REFERENCES api_keys(id),
    name VARCHAR(20) NOT NULL,
    password_hash TEXT NOT NULL,
    roles TEXT[] NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    signed_in_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ
"""

# ``ends_at`` is null for a session that an API key was exchanged for: it lasts while it is used.
WEB_SESSIONS = """
    digest BYTEA PRIMARY KEY,
    key_id INT NOT NULL REFERENCES api_keys(id),
    seen_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    ends_at TIMESTAMPTZ
"""


def upgrade() -> None:
    create("cv_users", USERS, ["CREATE UNIQUE INDEX idx_cv_users_name ON cv_users(name) WHERE ended_at IS NULL"])
    create("cv_sessions", WEB_SESSIONS, ["CREATE INDEX idx_cv_sessions_key ON cv_sessions(key_id)"])


def downgrade() -> None:
    drop("cv_sessions")
    drop("cv_users")
