"""Which certificate of a camera is accepted.

Revision: 0019, after 0018.
"""

from app.services.stores.migrations import add_column, drop_column

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("cameras", "tls_verify", "BOOLEAN NOT NULL DEFAULT TRUE")
    add_column("cameras", "tls_fingerprint", "VARCHAR(64)")


def downgrade() -> None:
    drop_column("cameras", "tls_fingerprint")
    drop_column("cameras", "tls_verify")
