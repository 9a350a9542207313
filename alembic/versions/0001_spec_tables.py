"""The spec's tables, and ``employees`` only where the hotel has none.

Revision: 0001, the first. Timestamps are with time zone: the service stores UTC and says so.
"""

from app.services.stores.migrations import create, drop

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

EMPLOYEES = """
    id VARCHAR(20) PRIMARY KEY,
    name VARCHAR(200),
    department VARCHAR(100),
    position VARCHAR(100),
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
"""

EMPLOYEE_FACES = """
    id SERIAL PRIMARY KEY,
    employee_id VARCHAR(20) NOT NULL REFERENCES employees(id),
    vector_id VARCHAR(100) NOT NULL,
    quality_score FLOAT,
    image_angle VARCHAR(20),
    enrolled_at TIMESTAMPTZ DEFAULT NOW(),
    enrolled_by VARCHAR(20),
    is_active BOOLEAN DEFAULT TRUE,
    UNIQUE (employee_id, vector_id)
"""

IMAGE_METADATA = """
    id VARCHAR(100) PRIMARY KEY,
    category VARCHAR(50) NOT NULL,
    room_number VARCHAR(10),
    vector_id VARCHAR(100) NOT NULL,
    storage_url TEXT NOT NULL,
    thumbnail_url TEXT,
    upload_time TIMESTAMPTZ DEFAULT NOW(),
    uploaded_by VARCHAR(20),
    tags JSONB,
    metadata JSONB,
    is_deleted BOOLEAN DEFAULT FALSE
"""

ROOM_ANALYSIS_LOGS = """
    id SERIAL PRIMARY KEY,
    room_number VARCHAR(10) NOT NULL,
    image_id VARCHAR(100),
    overall_status VARCHAR(20),
    ready_for_guest BOOLEAN,
    confidence FLOAT,
    tags JSONB,
    estimated_cleaning_time INT,
    analyzed_at TIMESTAMPTZ DEFAULT NOW(),
    analyzed_by VARCHAR(20)
"""

OCR_RESULTS = """
    id SERIAL PRIMARY KEY,
    document_type VARCHAR(50),
    extracted_data JSONB NOT NULL,
    confidence FLOAT,
    raw_text TEXT,
    processed_at TIMESTAMPTZ DEFAULT NOW(),
    processed_by VARCHAR(20)
"""

ANOMALY_DETECTIONS = """
    id SERIAL PRIMARY KEY,
    camera_id VARCHAR(50) NOT NULL,
    anomaly_type VARCHAR(50),
    confidence FLOAT,
    severity VARCHAR(20),
    location JSONB,
    image_url TEXT,
    detected_at TIMESTAMPTZ DEFAULT NOW(),
    alert_sent BOOLEAN DEFAULT FALSE,
    resolved_at TIMESTAMPTZ,
    resolved_by VARCHAR(20)
"""


def upgrade() -> None:
    create("employees", EMPLOYEES)
    create("employee_faces", EMPLOYEE_FACES, [
        "CREATE INDEX idx_employee_faces_employee_id ON employee_faces(employee_id)",
        "CREATE INDEX idx_employee_faces_active ON employee_faces(is_active)",
    ])  # fmt: skip
    create("image_metadata", IMAGE_METADATA, [
        "CREATE INDEX idx_image_category ON image_metadata(category)",
        "CREATE INDEX idx_image_room ON image_metadata(room_number)",
        "CREATE INDEX idx_image_upload_time ON image_metadata(upload_time)",
        "CREATE INDEX idx_image_tags ON image_metadata USING GIN(tags)",
    ])  # fmt: skip
    create("room_analysis_logs", ROOM_ANALYSIS_LOGS, [
        "CREATE INDEX idx_room_analysis_room ON room_analysis_logs(room_number)",
        "CREATE INDEX idx_room_analysis_time ON room_analysis_logs(analyzed_at)",
    ])  # fmt: skip
    create("ocr_results", OCR_RESULTS, [
        "CREATE INDEX idx_ocr_type ON ocr_results(document_type)",
        "CREATE INDEX idx_ocr_time ON ocr_results(processed_at)",
    ])  # fmt: skip
    create("anomaly_detections", ANOMALY_DETECTIONS, [
        "CREATE INDEX idx_anomaly_camera ON anomaly_detections(camera_id)",
        "CREATE INDEX idx_anomaly_time ON anomaly_detections(detected_at)",
        "CREATE INDEX idx_anomaly_unresolved ON anomaly_detections(resolved_at) WHERE resolved_at IS NULL",
    ])  # fmt: skip


def downgrade() -> None:
    for table in (
        "anomaly_detections", "ocr_results", "room_analysis_logs", "image_metadata", "employee_faces", "employees",
    ):  # fmt: skip
        drop(table)
