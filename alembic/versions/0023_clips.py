"""Clips of incidents.

Revision: 0023, after 0022.
"""

from app.services.stores.migrations import add_column, drop_column

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("anomaly_incidents", "clip_key", "TEXT")


def downgrade() -> None:
    drop_column("anomaly_incidents", "clip_key")
