"""When people were last seen to go; the same as attendance_marks has of their coming.

Revision: 0026, after 0025.
"""

from app.services.stores.migrations import create, drop

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

ATTENDANCE_EXITS = """
    employee_id VARCHAR(20) NOT NULL,
    camera_id VARCHAR(50) NOT NULL,
    event_id UUID NOT NULL,
    marked_at TIMESTAMPTZ NOT NULL,
    earlier TIMESTAMPTZ[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (employee_id, camera_id)
"""


def upgrade() -> None:
    create("attendance_exits", ATTENDANCE_EXITS)


def downgrade() -> None:
    drop("attendance_exits")
