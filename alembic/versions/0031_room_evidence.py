"""Rooms: where in its photos each tag and item of an analysis was seen.

Revision: 0031, after 0030.
"""

from app.services.stores.migrations import add_column, drop_column

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_TABLE = "room_analysis_details"


def upgrade() -> None:
    add_column(_TABLE, "crop_keys", "JSONB NOT NULL DEFAULT '[]'")
    add_column(_TABLE, "evidence", "JSONB NOT NULL DEFAULT '{}'")
    add_column(_TABLE, "views", "JSONB NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    for column in ("views", "evidence", "crop_keys"):
        drop_column(_TABLE, column)
