"""What each camera always sees, and which incidents were false alarms.

Revision: 0024, after 0023.
"""

from app.services.stores.migrations import add_column, create, drop, drop_column

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# A view of a camera's frame that looks like a hazard and is none. ``incident_id`` is null of what the camera learnt by
# itself; what people called a false alarm counts at once and at any hour. ``hours`` has a bit for each hour of the day.
USUAL_PLACES = """
    id BIGSERIAL PRIMARY KEY,
    camera_id VARCHAR(50) NOT NULL REFERENCES cameras (id) ON DELETE CASCADE,
    views_id VARCHAR(200) NOT NULL,
    view SMALLINT NOT NULL,
    look BYTEA NOT NULL,
    hours INT NOT NULL,
    samples INT NOT NULL DEFAULT 1,
    anomaly_type VARCHAR(50),
    incident_id BIGINT REFERENCES anomaly_incidents (id) ON DELETE CASCADE,
    first_seen_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL
"""


def upgrade() -> None:
    create("usual_places", USUAL_PLACES, [
        "CREATE INDEX idx_usual_places_camera ON usual_places (camera_id)",
        "CREATE INDEX idx_usual_places_incident ON usual_places (incident_id) WHERE incident_id IS NOT NULL",
    ])  # fmt: skip
    add_column("anomaly_incidents", "false_alarm_at", "TIMESTAMPTZ")
    add_column("anomaly_incidents", "false_alarm_by", "VARCHAR(20)")


def downgrade() -> None:
    for column in ("false_alarm_by", "false_alarm_at"):
        drop_column("anomaly_incidents", column)
    drop("usual_places")
