"""Work that goes on after its request was answered, and what became of its parts.

Revision: 0016, after 0015.
"""

from app.services.stores.migrations import create, drop

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# ``input_seal`` is the key of the stored input: gone with the end of the job, whoever still has a copy of the object.
JOBS = """
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    key_id INT,
    actor TEXT,
    request_id TEXT,
    params JSONB NOT NULL,
    input_key TEXT,
    input_seal BYTEA,
    done INT NOT NULL DEFAULT 0,
    total INT,
    outcome JSONB,
    problem JSONB,
    cancel_requested BOOLEAN NOT NULL DEFAULT FALSE,
    token BYTEA,
    leased_until TIMESTAMPTZ,
    attempts INT NOT NULL DEFAULT 0,
    number BIGSERIAL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    started_at TIMESTAMPTZ,
    finished_at TIMESTAMPTZ
"""

JOB_ITEMS = """
    job_id TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
    position INT NOT NULL,
    outcome JSONB NOT NULL,
    PRIMARY KEY (job_id, position)
"""


def upgrade() -> None:
    create("jobs", JOBS, [
        "CREATE INDEX idx_jobs_open ON jobs(created_at) WHERE finished_at IS NULL",
        "CREATE UNIQUE INDEX idx_jobs_number ON jobs(number)",
        "CREATE INDEX idx_jobs_finished ON jobs(finished_at)",
    ])  # fmt: skip
    create("job_items", JOB_ITEMS)


def downgrade() -> None:
    drop("job_items")
    drop("jobs")
