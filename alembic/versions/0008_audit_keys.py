"""Which API key an audit entry came by: what a request says of its sender can be made up, its key cannot.

Revision: 0008, after 0007.
"""

from app.services.stores.migrations import add_column, drop_column

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Keys are revoked and never deleted, so the number always finds its label.
    add_column("audit_log", "key_id", "INT")


def downgrade() -> None:
    drop_column("audit_log", "key_id")
