"""Attendance as people look at it, a day at a time, and what else than a face lets somebody check in.

Revision: 0035, after 0034.
"""

from app.services.stores.migrations import create, drop

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

# ``event_id`` is null while a person has still to confirm the entry, and where its event was debounced.
ATTENDANCE_LOG = """
    id BIGSERIAL PRIMARY KEY,
    event_id UUID UNIQUE,
    employee_id VARCHAR(20) NOT NULL,
    camera_id VARCHAR(50) NOT NULL,
    action TEXT NOT NULL,
    method TEXT NOT NULL,
    liveness TEXT NOT NULL,
    confidence DOUBLE PRECISION,
    is_offline BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    happened_at TIMESTAMPTZ NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    decided_by TEXT,
    decided_at TIMESTAMPTZ
"""

# ``failures`` counts wrong PINs in a row.
ATTENDANCE_PASSES = """
    employee_id VARCHAR(20) PRIMARY KEY,
    pin_hash TEXT,
    pin_set_at TIMESTAMPTZ,
    failures INT NOT NULL DEFAULT 0,
    locked_until TIMESTAMPTZ,
    card_digest BYTEA UNIQUE,
    card_issued_at TIMESTAMPTZ
"""


def upgrade() -> None:
    create(
        "attendance_log",
        ATTENDANCE_LOG,
        [
            "CREATE INDEX idx_attendance_log_moment ON attendance_log(happened_at, id)",
            "CREATE INDEX idx_attendance_log_person ON attendance_log(employee_id, happened_at)",
            "CREATE UNIQUE INDEX idx_attendance_log_waiting ON attendance_log"
            "(employee_id, camera_id, action, happened_at) WHERE state = 'unconfirmed'",
        ],
    )
    create("attendance_passes", ATTENDANCE_PASSES)


def downgrade() -> None:
    drop("attendance_passes")
    drop("attendance_log")
