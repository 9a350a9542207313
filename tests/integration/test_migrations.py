"""The schema goes up and down, beside tables that the hotel already has."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from tests.backends import RunningBackends
from tests.integration.live import migrate

SPEC_TABLES = {
    "employees",
    "employee_faces",
    "image_metadata",
    "room_analysis_logs",
    "ocr_results",
    "anomaly_detections",
}
SPEC_INDEXES = {
    "idx_employee_faces_employee_id",
    "idx_employee_faces_active",
    "idx_image_category",
    "idx_image_room",
    "idx_image_upload_time",
    "idx_image_tags",
    "idx_room_analysis_room",
    "idx_room_analysis_time",
    "idx_ocr_type",
    "idx_ocr_time",
    "idx_anomaly_camera",
    "idx_anomaly_time",
    "idx_anomaly_unresolved",
}


@pytest.fixture
def database(backends: RunningBackends) -> str:
    return backends.new_database()


def run(url: str, *statements: str) -> list[asyncpg.Record]:
    async def execute() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetch(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(execute())


def tables(url: str) -> set[str]:
    return {row[0] for row in run(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


def test_up_makes_every_table_and_index_of_the_spec(database: str) -> None:
    migrate(database)
    assert tables(database) >= SPEC_TABLES
    indexes = {row[0] for row in run(database, "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}
    assert indexes >= SPEC_INDEXES


def test_down_removes_everything_and_up_again_works(database: str) -> None:
    migrate(database)
    migrate(database, "base")
    assert tables(database) == {"cv_alembic_version"}
    migrate(database)
    assert tables(database) >= SPEC_TABLES


def test_every_single_step_goes_down_and_up(database: str) -> None:
    migrate(database)
    steps = 0
    while tables(database) != {"cv_alembic_version"}:
        migrate(database, "-1")
        migrate(database, "+1")
        migrate(database, "-1")
        steps += 1
        assert steps < 50
    assert steps >= 3


def test_moments_carry_their_zone(database: str) -> None:
    migrate(database)
    without = run(
        database,
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'",
    )
    assert without == []


def test_the_hotels_own_tables_stay_as_they_are(database: str) -> None:
    run(
        database,
        "CREATE TABLE employees (id VARCHAR(20) PRIMARY KEY, name TEXT, salary INT)",
        "INSERT INTO employees VALUES ('EMP001', 'A', 7)",
        "CREATE TABLE room_analysis_logs (id SERIAL PRIMARY KEY)",
        "SELECT 1",
    )
    migrate(database)
    migrate(database, "base")
    assert tables(database) == {"cv_alembic_version", "employees", "room_analysis_logs"}
    assert [tuple(row) for row in run(database, "SELECT id, salary FROM employees")] == [("EMP001", 7)]


def test_the_hotels_own_version_table_is_not_ours(database: str) -> None:
    run(
        database,
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('theirs')",
        "SELECT 1",
    )
    migrate(database)
    assert run(database, "SELECT version_num FROM alembic_version")[0][0] == "theirs"
