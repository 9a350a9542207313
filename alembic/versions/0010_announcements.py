"""Which pending removals are announcements that a row may still claim, and the order in which templates were added.

Revision: 0010, after 0009.
"""

from app.services.stores.migrations import add_column, add_index, drop_column, drop_index

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("pending_removals", "announced", "BOOLEAN NOT NULL DEFAULT FALSE")
    add_index("pending_removals", "idx_removals_key", "(kind, key)")
    # Numbers are taken under the lock of enrolments: whoever has seen one has seen all below it.
    add_column("face_templates", "number", "BIGSERIAL")
    add_index("face_templates", "idx_face_templates_number", "(number)")


def downgrade() -> None:
    drop_index("face_templates", "idx_face_templates_number")
    drop_column("face_templates", "number")
    drop_index("pending_removals", "idx_removals_key")
    drop_column("pending_removals", "announced")
