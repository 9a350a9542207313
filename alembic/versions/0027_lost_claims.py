"""What guests say they lost, and the finds that may be it.

Revision: 0027, after 0026.
"""

from app.services.stores.migrations import create, drop

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# ``details`` has what the guest says and how to reach the guest, sealed. ``vector`` is what finds are compared with, of
# the kind of query that it is made of. ``searched`` once the finds of then were looked through.
LOST_CLAIMS = """
    id BIGSERIAL PRIMARY KEY,
    public_id UUID NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    state VARCHAR(10) NOT NULL DEFAULT 'open',
    room_number VARCHAR(10),
    lost_from DATE,
    lost_until DATE,
    details TEXT NOT NULL,
    key_version INT NOT NULL,
    model_id TEXT NOT NULL,
    query_kind VARCHAR(10) NOT NULL,
    vector BYTEA NOT NULL,
    searched BOOLEAN NOT NULL DEFAULT FALSE,
    handed_over_image TEXT UNIQUE,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    created_by VARCHAR(20),
    changed_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    changed_by VARCHAR(20)
"""

# One row for each claim and find, so that a match is announced once.
CLAIM_MATCHES = """
    claim_id BIGINT NOT NULL REFERENCES lost_claims(id) ON DELETE CASCADE,
    image_id TEXT NOT NULL,
    similarity DOUBLE PRECISION NOT NULL,
    dismissed BOOLEAN NOT NULL DEFAULT FALSE,
    matched_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    PRIMARY KEY (claim_id, image_id)
"""

# Finds that no claim was held against yet.
NEW_FINDS = """
    image_id TEXT PRIMARY KEY,
    noted_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""


def upgrade() -> None:
    create("lost_claims", LOST_CLAIMS, [
        "CREATE INDEX idx_lost_claims_waiting ON lost_claims(id) WHERE state IN ('open', 'matched')",
    ])  # fmt: skip
    create("claim_matches", CLAIM_MATCHES)
    create("new_finds", NEW_FINDS)


def downgrade() -> None:
    drop("new_finds")
    drop("claim_matches")
    drop("lost_claims")
