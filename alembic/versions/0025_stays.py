"""Guests' stays, for their registration.

Revision: 0025, after 0024.
"""

from app.services.stores.migrations import create, drop

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

# ``details`` has every field, sealed; the columns beside it are what lists are narrowed by, and name nobody.
STAYS = """
    id BIGSERIAL PRIMARY KEY,
    public_id UUID NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind VARCHAR(20),
    room_number VARCHAR(10),
    arrival DATE,
    departure DATE,
    is_complete BOOLEAN NOT NULL,
    details TEXT NOT NULL,
    key_version INT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    created_by VARCHAR(20),
    changed_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    changed_by VARCHAR(20)
"""


def upgrade() -> None:
    create("stays", STAYS, ["CREATE INDEX idx_stays_arrival ON stays(arrival)"])


def downgrade() -> None:
    drop("stays")
