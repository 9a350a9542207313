"""Rooms: when they were cleaned, and what is broken in them.

Revision: 0032, after 0031.
"""

from app.services.stores.migrations import create, drop

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

ROOM_CLEANINGS = """
    id BIGSERIAL PRIMARY KEY,
    room_number VARCHAR(10) NOT NULL,
    room_type VARCHAR(30) NOT NULL,
    started_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    started_by VARCHAR(20),
    stopped_at TIMESTAMPTZ,
    stopped_by VARCHAR(20)
"""

# ``photo`` counts from 0 among the photos of the analysis.
ROOM_DEFECTS = """
    id BIGSERIAL PRIMARY KEY,
    public_id UUID NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    room_number VARCHAR(10) NOT NULL,
    label VARCHAR(50) NOT NULL,
    note TEXT,
    state VARCHAR(20) NOT NULL DEFAULT 'open',
    analysis_id INT REFERENCES room_analysis_logs(id) ON DELETE SET NULL,
    photo SMALLINT,
    reported_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    reported_by VARCHAR(20),
    changed_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    changed_by VARCHAR(20)
"""


def upgrade() -> None:
    create("room_cleanings", ROOM_CLEANINGS, [
        "CREATE UNIQUE INDEX idx_room_cleanings_open ON room_cleanings(room_number) WHERE stopped_at IS NULL",
        "CREATE INDEX idx_room_cleanings_type ON room_cleanings(room_type, id) WHERE stopped_at IS NOT NULL",
    ])  # fmt: skip
    create("room_defects", ROOM_DEFECTS, [
        "CREATE UNIQUE INDEX idx_room_defects_open ON room_defects(room_number, label) "
        "WHERE state IN ('open', 'in_progress')",
    ])  # fmt: skip


def downgrade() -> None:
    drop("room_defects")
    drop("room_cleanings")
