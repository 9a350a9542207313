"""Frames and clips with all faces, and frames with boxes, beside those that are shown.

Revision: 0030, after 0029.
"""

from app.services.stores.migrations import add_column, drop_column

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

COLUMNS = (
    ("incident_detections", "marked_key"),
    ("incident_detections", "original_key"),
    ("anomaly_incidents", "original_clip_key"),
)


def upgrade() -> None:
    for table, name in COLUMNS:
        add_column(table, name, "TEXT")


def downgrade() -> None:
    for table, name in reversed(COLUMNS):
        drop_column(table, name)
