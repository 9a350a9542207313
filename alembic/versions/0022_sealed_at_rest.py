"""Which master key sealed which row. Rows without a version are plain, as they were written until now.

Revision: 0022, after 0021.
"""

from app.services.stores.migrations import add_column, create, drop, drop_column

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

# ``fingerprint`` tells keys apart and opens nothing. A dump has this table, and so names the keys that it needs: those
# since the last one with which everything living was sealed.
KEY_VERSIONS = """
    version INT PRIMARY KEY CHECK (version > 0),
    fingerprint BYTEA NOT NULL,
    seals BOOLEAN NOT NULL DEFAULT FALSE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    all_sealed_at TIMESTAMPTZ,
    retired_at TIMESTAMPTZ
"""

# Which turns of the face index are written: one is searched, another may be filled meanwhile. 0 is the index that is
# not turned, as it was until now.
FACE_INDEX_TURNS = """
    key_version INT PRIMARY KEY CHECK (key_version >= 0),
    searched BOOLEAN NOT NULL,
    since TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""


def upgrade() -> None:
    create("key_versions", KEY_VERSIONS)
    create("face_index_turns", FACE_INDEX_TURNS)
    add_column("face_templates", "key_version", "INT")
    add_column("ocr_result_records", "key_version", "INT")


def downgrade() -> None:
    drop_column("ocr_result_records", "key_version")
    drop_column("face_templates", "key_version")
    drop("face_index_turns")
    drop("key_versions")
