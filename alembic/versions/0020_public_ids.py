"""Ids of results and incidents that tell nobody how many there are: UUIDv7, beside the numbers.

Revision: 0020, after 0019.
"""

from app.services.stores.migrations import add_column, add_index, drop_column, drop_index

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# RFC 9562: milliseconds in the first 48 bits, the version, and random bits, whose variant gen_random_uuid has set.
# Made here, since PostgreSQL has uuidv7() from 18 on only, and so that the version before can go on writing rows. Rows
# that are there already get the moment of the migration.
UUID7 = """
    (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||
     substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
"""


def upgrade() -> None:
    for table in ("ocr_result_records", "anomaly_incidents"):
        add_column(table, "public_id", f"UUID NOT NULL UNIQUE DEFAULT {UUID7}")
    # One frame may show several incidents; erasing one looks for the others.
    add_index("incident_detections", "idx_incident_detections_frame", "(frame_key) WHERE frame_key IS NOT NULL")


def downgrade() -> None:
    drop_index("incident_detections", "idx_incident_detections_frame")
    for table in ("anomaly_incidents", "ocr_result_records"):
        drop_column(table, "public_id")
