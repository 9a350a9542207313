"""How far carriers of events have come that go through the stream by themselves.

Revision: 0034, after 0033.
"""

from app.services.stores.migrations import create, drop

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

# ``announced`` are things whose retained messages have to go when they do, such as cameras.
DELIVERY_POSITIONS = """
    name VARCHAR(20) PRIMARY KEY,
    position BIGINT NOT NULL,
    announced TEXT[] NOT NULL DEFAULT '{}'
"""


def upgrade() -> None:
    create("delivery_positions", DELIVERY_POSITIONS)


def downgrade() -> None:
    drop("delivery_positions")
