"""Tickets that open the event stream once.

Revision: 0017, after 0016.
"""

from app.services.stores.migrations import create, drop

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

EVENT_TICKETS = """
    digest BYTEA PRIMARY KEY,
    key_id INT,
    expires_at TIMESTAMPTZ NOT NULL
"""


def upgrade() -> None:
    create("event_tickets", EVENT_TICKETS)


def downgrade() -> None:
    drop("event_tickets")
