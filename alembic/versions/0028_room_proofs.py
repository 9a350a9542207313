"""What photos of a room proved: views in order and items that hold, until a later look says otherwise.

Revision: 0028, after 0027.
"""

from app.services.stores.migrations import create, drop

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

ROOM_PROOFS = """
    room_number VARCHAR(10) NOT NULL,
    proof VARCHAR(30) NOT NULL,
    confidence FLOAT NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (room_number, proof)
"""


def upgrade() -> None:
    create("room_proofs", ROOM_PROOFS)


def downgrade() -> None:
    drop("room_proofs")
