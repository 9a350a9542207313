"""Several moments of attendance for a person and camera, because devices send what they kept in any order.

Revision: 0012, after 0011.
"""

from app.services.stores.migrations import add_column, drop_column

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("attendance_marks", "earlier", "TIMESTAMPTZ[] NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    drop_column("attendance_marks", "earlier")
