"""The health of a camera that was published last, so that a restart publishes nothing twice.

Revision: 0009, after 0008.
"""

from app.services.stores.migrations import add_column, drop_column

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("cameras", "health", "VARCHAR(20)")


def downgrade() -> None:
    drop_column("cameras", "health")
