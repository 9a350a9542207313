"""The consents that people gave before they were enrolled.

Revision: 0021, after 0020.
"""

from app.services.stores.migrations import create, drop

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

FACE_CONSENTS = """
    id BIGSERIAL PRIMARY KEY,
    employee_id VARCHAR(20) NOT NULL,
    given_on DATE NOT NULL,
    text_version VARCHAR(50) NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    recorded_by VARCHAR(20)
"""


def upgrade() -> None:
    create("face_consents", FACE_CONSENTS, ["CREATE INDEX idx_face_consents_person ON face_consents(employee_id)"])


def downgrade() -> None:
    drop("face_consents")
