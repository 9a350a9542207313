"""Rooms: what state each is in now, what an analysis saw beyond the spec's columns, and what people said of it.

Revision: 0006, after 0005.
"""

from app.services.stores.migrations import create, drop

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Ours alone, never a table of the hotel's. ``version`` grows by one with every change: a cache keeps the newest.
ROOM_STATES = """
    room_number VARCHAR(10) PRIMARY KEY,
    status VARCHAR(20) NOT NULL,
    ready_for_guest BOOLEAN NOT NULL,
    uncertain BOOLEAN NOT NULL,
    confidence FLOAT NOT NULL,
    source VARCHAR(20) NOT NULL,
    analysis_id INT REFERENCES room_analysis_logs(id) ON DELETE SET NULL,
    changed_by VARCHAR(20),
    changed_at TIMESTAMPTZ NOT NULL,
    last_analyzed_at TIMESTAMPTZ,
    analyzed_by VARCHAR(20),
    version BIGINT NOT NULL DEFAULT 1
"""

ROOM_ANALYSIS_DETAILS = """
    analysis_id INT PRIMARY KEY REFERENCES room_analysis_logs(id) ON DELETE CASCADE,
    depth VARCHAR(20) NOT NULL,
    uncertain BOOLEAN NOT NULL,
    checklist JSONB NOT NULL,
    image_ids JSONB NOT NULL,
    photo_keys JSONB NOT NULL
"""

ROOM_FEEDBACK = """
    id BIGSERIAL PRIMARY KEY,
    room_number VARCHAR(10) NOT NULL,
    analysis_id INT REFERENCES room_analysis_logs(id) ON DELETE SET NULL,
    status VARCHAR(20) NOT NULL,
    checklist JSONB NOT NULL,
    note TEXT,
    given_by VARCHAR(20),
    given_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""


def upgrade() -> None:
    create("room_states", ROOM_STATES, ["CREATE INDEX idx_room_states_status ON room_states(status, room_number)"])
    create("room_analysis_details", ROOM_ANALYSIS_DETAILS)
    create("room_feedback", ROOM_FEEDBACK, [
        "CREATE INDEX idx_room_feedback_room ON room_feedback(room_number, id)",
        "CREATE INDEX idx_room_feedback_analysis ON room_feedback(analysis_id)",
    ])  # fmt: skip


def downgrade() -> None:
    drop("room_feedback")
    drop("room_analysis_details")
    drop("room_states")
