"""Rooms: photos of how a room, or a type of room, should look, and what is counted in them.

Revision: 0033, after 0032.
"""

from app.services.stores.migrations import add_column, create, drop, drop_column

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

# ``owner_kind`` is ``room`` or ``type``. ``items`` have a name, the number of their photo and a place in it.
ROOM_REFERENCES = """
    owner_kind VARCHAR(10) NOT NULL,
    owner VARCHAR(30) NOT NULL,
    photo_keys JSONB NOT NULL,
    items JSONB NOT NULL,
    set_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    set_by VARCHAR(20),
    PRIMARY KEY (owner_kind, owner)
"""


def upgrade() -> None:
    create("room_references", ROOM_REFERENCES)
    add_column("room_analysis_details", "changes", "JSONB NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    drop_column("room_analysis_details", "changes")
    drop("room_references")
