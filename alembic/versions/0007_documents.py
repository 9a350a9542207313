"""Our side of the spec's ``ocr_results``, and the suppliers that people confirmed.

Revision: 0007, after 0006.
"""

from app.services.stores.migrations import create, drop

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# ``read_vendor`` and ``fingerprints`` are what a confirmation teaches the registry; both go at redaction.
OCR_RESULT_RECORDS = """
    result_id INT PRIMARY KEY REFERENCES ocr_results(id) ON DELETE CASCADE,
    read_vendor TEXT,
    fingerprints TEXT[] NOT NULL DEFAULT '{}',
    object_key TEXT,
    confirmed_at TIMESTAMPTZ,
    confirmed_by VARCHAR(20),
    redacted_at TIMESTAMPTZ
"""

# ``name_key`` is the name without accents, case and marks. ``aliases`` are the name as readers saw it.
OCR_SUPPLIERS = """
    id SERIAL PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    name_key VARCHAR(200) NOT NULL UNIQUE,
    tax_code VARCHAR(20),
    aliases TEXT[] NOT NULL DEFAULT '{}',
    fingerprints TEXT[] NOT NULL DEFAULT '{}',
    confirmations INT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""


def upgrade() -> None:
    create("ocr_result_records", OCR_RESULT_RECORDS, [
        "CREATE INDEX idx_ocr_unredacted ON ocr_result_records(result_id) WHERE redacted_at IS NULL",
    ])  # fmt: skip
    create("ocr_suppliers", OCR_SUPPLIERS, [
        "CREATE INDEX idx_ocr_suppliers_updated ON ocr_suppliers(updated_at DESC)",
    ])  # fmt: skip


def downgrade() -> None:
    drop("ocr_suppliers")
    drop("ocr_result_records")
