"""Notes of what changed in the tables that are searched from memory, written by triggers in the change's transaction.

Revision: 0018, after 0017. A note carries its transaction's number and not a counter: nobody waits for anybody's
counter, and a reader that keeps the snapshot it has read by knows exactly which notes it has not seen.
"""

from alembic import op
from app.services.stores.migrations import create, drop

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# ``key`` is random (a vector's id, a picture's), so that a note says nothing of a person; NULL: everything changed.
MATRIX_CHANGES = """
    matrix VARCHAR(20) NOT NULL,
    key VARCHAR(100),
    xid XID8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""

# The path is that of this migration, so that a restore, which sets none, finds the table.
NOTE_CHANGES = """
CREATE FUNCTION cv_note_changes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    noted INT;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO matrix_changes (matrix) VALUES (TG_ARGV[0]);
    ELSE
        EXECUTE format('INSERT INTO matrix_changes (matrix, key) SELECT $1, %I FROM changed', TG_ARGV[1])
            USING TG_ARGV[0];
        GET DIAGNOSTICS noted = ROW_COUNT;
        IF noted = 0 THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM pg_notify('cv_matrix', '');
    RETURN NULL;
END $$
"""

# (table, matrix, the column that is the matrix' key)
WATCHED = (
    ("employee_faces", "faces", "vector_id"),
    ("face_templates", "faces", "vector_id"),
    ("image_metadata", "images", "id"),
    ("image_assets", "images", "image_id"),
)
ROWS = {"insert": "NEW", "update": "NEW", "delete": "OLD"}


def upgrade() -> None:
    create("matrix_changes", MATRIX_CHANGES, [
        "CREATE INDEX idx_matrix_changes_xid ON matrix_changes(matrix, xid)",
        "CREATE INDEX idx_matrix_changes_at ON matrix_changes(changed_at)",
    ])  # fmt: skip
    op.execute(NOTE_CHANGES)
    for table, matrix, key in WATCHED:
        for event, rows in ROWS.items():
            op.execute(
                f"CREATE TRIGGER cv_note_{event} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed "
                f"FOR EACH STATEMENT EXECUTE FUNCTION cv_note_changes('{matrix}', '{key}')"
            )
        op.execute(
            f"CREATE TRIGGER cv_note_truncate AFTER TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION cv_note_changes('{matrix}')"
        )


def downgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS cv_note_changes() CASCADE")
    drop("matrix_changes")
