"""The schema goes up and down, beside tables that the hotel already has."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from argparse import Namespace
from dataclasses import dataclass

import asyncpg
import pytest
from alembic.config import Config

from alembic import command
from scripts import wait_for_schema
from tests.backends import RunningBackends
from tests.integration.live import PROJECT_DIR, migrate

pytestmark = pytest.mark.any_server

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


SAMPLES = {
    "character varying": "'1'",
    "text": "'1'",
    "integer": "1",
    "bigint": "1",
    "smallint": "1",
    "double precision": "1",
    "boolean": "TRUE",
    "bytea": "'\\x01'",
    "jsonb": "'{}'",
    "ARRAY": "'{}'",
    "uuid": "'00000000-0000-0000-0000-000000000001'",
    "timestamp with time zone": "NOW()",
    "date": "'2025-01-10'",
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


def content(url: str) -> dict[str, list[dict[str, object]]]:
    """Every row of every table, by one statement."""
    names = sorted(tables(url) - {"cv_alembic_version"})
    if not names:
        return {}
    rows = "SELECT '{0}', to_jsonb(t) FROM {0} t".format
    held: dict[str, list[dict[str, object]]] = {name: [] for name in names}
    for name, row in run(url, " UNION ALL ".join(map(rows, names))):
        held[name].append(json.loads(row))
    return held


def fill(url: str) -> None:
    """Put a row into every table that has none: a value by type in each column that needs one, the same everywhere, so
    that references hold. Older tables first."""
    columns = run(
        url,
        "SELECT c.table_name, array_agg(c.column_name::text) AS names, array_agg(c.data_type::text) AS kinds "
        "FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.is_nullable = 'NO' "
        "AND c.column_default IS NULL AND c.table_name <> 'cv_alembic_version' "
        "GROUP BY c.table_name ORDER BY c.table_name::regclass::oid",
    )
    held = content(url)
    statements = []
    for table, names, kinds in columns:
        if not held[table]:
            values = ", ".join(SAMPLES[kind] for kind in kinds)
            statements.append(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})")  # noqa: S608  # all ours
    run(url, *statements, "SELECT 1")


def assert_kept(before: dict[str, list[dict[str, object]]], url: str) -> None:
    now = content(url)
    for table, rows in before.items():
        assert [{name: row[name] for name in old} for old, row in zip(rows, now[table], strict=True)] == rows, table


@dataclass(frozen=True, slots=True)
class Shape:
    """The tables as a version knows them.

    Attributes:
        columns: by table and name; the type, and whether a writer may leave it out.
        conditions: what a row has to fulfil beside that; the table first.
    """

    columns: dict[str, tuple[str, bool]]
    conditions: set[str]

    @classmethod
    def of(cls, url: str) -> Shape:
        columns = run(
            url,
            "SELECT attrelid::regclass || '.' || attname AS name, format_type(atttypid, atttypmod) AS type, "
            "NOT attnotnull OR atthasdef OR attidentity <> '' AS optional FROM pg_attribute "
            "JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
            "AND attnum > 0 AND NOT attisdropped",
        )
        conditions = run(
            url,
            "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n' UNION "
            "SELECT indrelid::regclass || ' ' || pg_get_indexdef(indexrelid) FROM pg_index "
            "JOIN pg_class ON pg_class.oid = indexrelid WHERE indisunique AND relnamespace = 'public'::regnamespace",
        )
        return cls({row["name"]: (row["type"], row["optional"]) for row in columns}, {row[0] for row in conditions})

    def taken_by(self, later: Shape) -> set[str]:
        """What a version with these tables no longer finds, or is refused, in later ones: columns that are gone, of
        another type, or that it does not know and would have to write; conditions on the columns that it knows."""
        tables = {name.partition(".")[0] for name in self.columns}
        gone = {name for name, (kind, _) in self.columns.items() if later.columns.get(name, ("", True))[0] != kind}
        demanded = {
            name
            for name, (_, optional) in later.columns.items()
            if not optional and name.partition(".")[0] in tables and self.columns.get(name, ("", True))[1]
        }
        unknown = {name.partition(".")[2] for name in later.columns.keys() - self.columns.keys()}
        conditions = {
            condition
            for condition in later.conditions - self.conditions
            if condition.partition(" ")[0] in tables and not unknown & set(re.findall(r"\w+", condition))
        }
        return gone | demanded | conditions


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ("ADD COLUMN floor INT", set()),
        ("ADD COLUMN floor INT NOT NULL DEFAULT 0", set()),
        ("ADD COLUMN floor INT CHECK (floor > 0)", set()),
        ("ADD COLUMN floor INT NOT NULL", {"rooms.floor"}),
        ("DROP COLUMN note", {"rooms.note"}),
        ("RENAME COLUMN note TO remark", {"rooms.note"}),
        ("ALTER COLUMN note TYPE VARCHAR(10)", {"rooms.note"}),
        ("ALTER COLUMN note SET NOT NULL", {"rooms.note"}),
        ("ADD CHECK (note <> '')", {"rooms CHECK ((note <> ''::text))"}),
        ("RENAME TO chambers", {"rooms.id", "rooms.note"}),
    ],
)
def test_what_takes_something_from_the_version_before_is_seen(database: str, change: str, taken: set[str]) -> None:
    run(database, "CREATE TABLE rooms (id INT, note TEXT)", "SELECT 1")
    before = Shape.of(database)
    run(database, f"ALTER TABLE rooms {change}", "SELECT 1")
    assert before.taken_by(Shape.of(database)) == taken


def step(url: str, target: str) -> None:
    """As ``migrate``, without a process for each of a hundred steps."""
    config = Config(PROJECT_DIR / "alembic.ini", cmd_opts=Namespace(x=[f"url={url}"]))
    (command.downgrade if target == "-1" else command.upgrade)(config, target)


def test_every_step_goes_up_and_down_and_takes_nothing_that_is_there(database: str) -> None:
    """No row, and nothing that the version before reads or writes: replicas are replaced one by one."""
    revisions = sorted(path.name[:4] for path in (PROJECT_DIR / "alembic" / "versions").glob("0*.py"))
    before: dict[str, list[dict[str, object]]] = {}
    shape = Shape({}, set())
    for revision in revisions:
        for target in (revision, "-1", revision):
            step(database, target)
            assert_kept(before, database)
            fill(database)
        before = content(database)
        later = Shape.of(database)
        assert not shape.taken_by(later), revision
        shape = later
    assert set(before) == tables(database) - {"cv_alembic_version"}
    assert all(before.values())


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


class TestWaitForSchema:
    """What pods do before they start beside the migrations."""

    def wait(self, database: str, monkeypatch: pytest.MonkeyPatch, *, timeout_s: float) -> int:
        for name, value in {"DATABASE_URL": database, "MINIO_ACCESS_KEY": "given", "MINIO_SECRET_KEY": "given"}.items():
            monkeypatch.setenv(name, value)
        return wait_for_schema.main(["--timeout-s", str(timeout_s)])

    def test_gives_up_where_nothing_or_an_older_version_has_run(
        self, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.wait(database, monkeypatch, timeout_s=1.0) == 1
        migrate(database)
        migrate(database, "-1")
        assert self.wait(database, monkeypatch, timeout_s=1.0) == 1
        assert "cv migrate" in capsys.readouterr().err

    def test_ends_when_the_migrations_have_run(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        migration = threading.Timer(1.5, migrate, [database])
        migration.start()
        assert self.wait(database, monkeypatch, timeout_s=60.0) == 0
        migration.join()

    def test_a_later_versions_tables_will_do(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        migrate(database)
        run(database, "UPDATE cv_alembic_version SET version_num = '9999' RETURNING version_num")
        assert self.wait(database, monkeypatch, timeout_s=10.0) == 0

    def test_waits_for_a_server_that_is_not_there_yet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.wait("postgresql://cv:secret@127.0.0.1:9/hotel", monkeypatch, timeout_s=2.0) == 1
