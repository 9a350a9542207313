"""Alarms: armed and muted cameras, groups of them, notes on incidents, and alerts that nobody acknowledged.

Revision: 0014, after 0013.
"""

from app.services.stores.migrations import add_column, create, drop, drop_column

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("cameras", "group_name", "VARCHAR(50)")
    add_column("cameras", "armed", "BOOLEAN NOT NULL DEFAULT TRUE")
    add_column("cameras", "muted_until", "TIMESTAMPTZ")
    add_column("anomaly_incidents", "escalated_at", "TIMESTAMPTZ")
    create(
        "incident_notes",
        """
        id BIGSERIAL PRIMARY KEY,
        incident_id BIGINT NOT NULL REFERENCES anomaly_incidents (id) ON DELETE CASCADE,
        text VARCHAR(2000) NOT NULL,
        written_by VARCHAR(20) NOT NULL,
        written_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
        """,
        ["CREATE INDEX idx_incident_notes_incident ON incident_notes (incident_id)"],
    )


def downgrade() -> None:
    drop("incident_notes")
    drop_column("anomaly_incidents", "escalated_at")
    for column in ("muted_until", "armed", "group_name"):
        drop_column("cameras", column)
