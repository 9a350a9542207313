"""Our side of the spec's ``image_metadata``: where a picture lies, what it is recognised by again, its vector.

Revision: 0005, after 0004.
"""

from alembic import op
from app.services.stores.migrations import create, drop

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# ``pixel_sha256`` is of the decoded pixels, so it finds a picture again whatever its file said beside them.
# ``vector`` is little-endian float32; Milvus is rebuilt from it.
IMAGE_ASSETS = """
    image_id VARCHAR(100) PRIMARY KEY REFERENCES image_metadata(id) ON DELETE CASCADE,
    object_key TEXT NOT NULL,
    thumbnail_key TEXT NOT NULL,
    pixel_sha256 BYTEA NOT NULL,
    width INT NOT NULL,
    height INT NOT NULL,
    model_id VARCHAR(100) NOT NULL,
    vector BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""

# What scripts/reindex.py has embedded with a new model and not yet switched to.
IMAGE_REINDEX = """
    image_id VARCHAR(100) PRIMARY KEY,
    model_id VARCHAR(100) NOT NULL,
    vector_id VARCHAR(100) NOT NULL,
    vector BYTEA NOT NULL
"""


def upgrade() -> None:
    create("image_assets", IMAGE_ASSETS, [
        "CREATE INDEX idx_image_assets_pixels ON image_assets(pixel_sha256)",
        "CREATE INDEX IF NOT EXISTS idx_image_vector ON image_metadata(vector_id)",
    ])  # fmt: skip
    create("image_reindex", IMAGE_REINDEX)


def downgrade() -> None:
    op.execute("DROP INDEX IF EXISTS idx_image_vector")  # on a table of an earlier revision
    drop("image_reindex")
    drop("image_assets")
