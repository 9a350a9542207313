"""Cameras, incidents, and which detection belongs to which incident.

Revision: 0004, after 0003.
"""

from app.services.stores.migrations import create, drop

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# ``url`` never holds credentials: they are in ``secret``, encrypted. ``lease_epoch`` counts the replicas that took
# the camera; a write with an older number comes from one that has lost it and is refused.
CAMERAS = """
    id VARCHAR(50) PRIMARY KEY,
    name VARCHAR(200),
    kind VARCHAR(20) NOT NULL,
    url TEXT NOT NULL,
    secret BYTEA,
    tasks TEXT[] NOT NULL,
    frames_per_second FLOAT NOT NULL,
    rules JSONB NOT NULL,
    enabled BOOLEAN NOT NULL,
    revision INT NOT NULL DEFAULT 1,
    lease_epoch BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""

# No reference to cameras: frames also come over HTTP from cameras that nobody registered.
ANOMALY_INCIDENTS = """
    id BIGSERIAL PRIMARY KEY,
    camera_id VARCHAR(50) NOT NULL,
    anomaly_type VARCHAR(50) NOT NULL,
    zone VARCHAR(50),
    origin VARCHAR(10) NOT NULL,
    severity VARCHAR(20) NOT NULL,
    confidence FLOAT NOT NULL,
    description TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    alerted_at TIMESTAMPTZ,
    acknowledged_at TIMESTAMPTZ,
    acknowledged_by VARCHAR(20),
    resolved_at TIMESTAMPTZ,
    resolved_by VARCHAR(20)
"""

# Beside the spec's table rather than in it, because that one may be the hotel's own.
INCIDENT_DETECTIONS = """
    detection_id BIGINT PRIMARY KEY,
    incident_id BIGINT REFERENCES anomaly_incidents(id) ON DELETE CASCADE,
    frame_key TEXT,
    seen_at TIMESTAMPTZ NOT NULL
"""


def upgrade() -> None:
    create("cameras", CAMERAS)
    create("anomaly_incidents", ANOMALY_INCIDENTS, [
        "CREATE INDEX idx_incidents_camera ON anomaly_incidents(camera_id, anomaly_type, last_seen_at)",
        "CREATE INDEX idx_incidents_active ON anomaly_incidents(last_seen_at) WHERE ended_at IS NULL",
        "CREATE INDEX idx_incidents_unresolved ON anomaly_incidents(id) WHERE resolved_at IS NULL",
    ])  # fmt: skip
    create("incident_detections", INCIDENT_DETECTIONS, [
        "CREATE INDEX idx_incident_detections_incident ON incident_detections(incident_id)",
        "CREATE INDEX idx_incident_detections_frames ON incident_detections(seen_at) WHERE frame_key IS NOT NULL",
    ])  # fmt: skip


def downgrade() -> None:
    for table in ("incident_detections", "anomaly_incidents", "cameras"):
        drop(table)
