"""Our own tables: face templates, outbox, audit, attendance marks and pending removals.

Revision: 0002, after 0001.
"""

from app.services.stores.migrations import create, drop

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The record of each vector; Milvus is rebuilt from it. ``vector`` is little-endian float32.
FACE_TEMPLATES = """
    vector_id VARCHAR(100) PRIMARY KEY,
    employee_id VARCHAR(20) NOT NULL,
    model_id VARCHAR(100) NOT NULL,
    vector BYTEA NOT NULL,
    crop_key TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    FOREIGN KEY (employee_id, vector_id) REFERENCES employee_faces(employee_id, vector_id) ON DELETE CASCADE
"""

# ``position`` is given by the one active relay after the commit, so it has no gaps that fill later: a reader that
# has seen position n has seen everything up to n.
EVENT_OUTBOX = """
    id BIGSERIAL PRIMARY KEY,
    event_id UUID NOT NULL UNIQUE,
    event_type VARCHAR(50) NOT NULL,
    event_key VARCHAR(100) NOT NULL,
    payload JSONB NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    position BIGINT UNIQUE,
    published_at TIMESTAMPTZ,
    unroutable BOOLEAN NOT NULL DEFAULT FALSE
"""

AUDIT_LOG = """
    id BIGSERIAL PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    action VARCHAR(50) NOT NULL,
    subject VARCHAR(100) NOT NULL,
    actor VARCHAR(100),
    request_id VARCHAR(100),
    details JSONB NOT NULL DEFAULT '{}'
"""

ATTENDANCE_MARKS = """
    employee_id VARCHAR(20) NOT NULL,
    camera_id VARCHAR(50) NOT NULL,
    event_id UUID NOT NULL,
    marked_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (employee_id, camera_id)
"""

# Vectors and objects whose row is gone and that still have to be removed from their backend.
PENDING_REMOVALS = """
    id BIGSERIAL PRIMARY KEY,
    kind VARCHAR(20) NOT NULL,
    key TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    attempts INT NOT NULL DEFAULT 0,
    retry_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""


def upgrade() -> None:
    create("face_templates", FACE_TEMPLATES, [
        "CREATE INDEX idx_face_templates_employee ON face_templates(employee_id)",
    ])  # fmt: skip
    create("event_outbox", EVENT_OUTBOX, [
        "CREATE INDEX idx_outbox_unsequenced ON event_outbox(id) WHERE position IS NULL",
        "CREATE INDEX idx_outbox_unpublished ON event_outbox(position) WHERE published_at IS NULL AND NOT unroutable",
        "CREATE INDEX idx_outbox_created ON event_outbox(created_at)",
    ])  # fmt: skip
    create("audit_log", AUDIT_LOG, [
        "CREATE INDEX idx_audit_subject ON audit_log(subject)",
        "CREATE INDEX idx_audit_at ON audit_log(at)",
    ])  # fmt: skip
    create("attendance_marks", ATTENDANCE_MARKS)
    create("pending_removals", PENDING_REMOVALS, ["CREATE INDEX idx_removals_due ON pending_removals(retry_at)"])


def downgrade() -> None:
    for table in ("pending_removals", "attendance_marks", "audit_log", "event_outbox", "face_templates"):
        drop(table)
