"""People whom an identity provider vouches for.

Revision: 0036, after 0035.
"""

from app.services.stores.migrations import add_column, add_unique_index, drop_column

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Both are null for people with a password; whoever has none has an empty hash, which nothing matches.
    add_column("cv_users", "issuer", "TEXT")
    add_column("cv_users", "subject", "TEXT")
    add_unique_index("cv_users", "idx_cv_users_subject", "(issuer, subject)")


def downgrade() -> None:
    drop_column("cv_users", "subject")
    drop_column("cv_users", "issuer")
