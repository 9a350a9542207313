"""The SQL of jobs: work that goes on after its request was answered, on whichever replica has the job's lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.services.database import Connection, Row, affected


class JobState(StrEnum):
    """The state of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """A row of ``jobs``.

    Attributes:
        key_id: of the API key that it belongs to.
        params: what the request asked for beside its file.
        input_key, input_seal: where its file is stored, and the key to it; None once it has ended.
        done, total: how far it is, in pages or items; ``total`` is None until it is known.
        outcome: what came of it as a whole.
        problem: why it failed: ``code`` and ``detail``.
    """

    id: str
    kind: str
    state: JobState
    key_id: int | None
    actor: str | None
    request_id: str | None
    params: Mapping[str, Any]  # as free as JSON
    input_key: str | None
    input_seal: bytes | None
    done: int
    total: int | None
    outcome: Mapping[str, Any] | None
    problem: Mapping[str, str] | None
    cancel_requested: bool
    attempts: int
    number: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobItem:
    """What became of one part, counted from 0."""

    position: int
    outcome: Mapping[str, Any]


_NAMES = tuple(column.name for column in fields(Job))


def _job(row: Row) -> Job:
    return Job(**{name: row[name] for name in _NAMES} | {"state": JobState(row["state"])})


async def insert_job(
    connection: Connection,
    job_id: str,
    *,
    kind: str,
    key_id: int | None,
    actor: str | None,
    request_id: str | None,
    params: Mapping[str, object],
    input_key: str,
    input_seal: bytes,
    total: int | None,
) -> Job:
    [row] = await connection.fetch(
        "INSERT INTO jobs (id, kind, key_id, actor, request_id, params, input_key, input_seal, total) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *",
        job_id,
        kind,
        key_id,
        actor,
        request_id,
        dict(params),
        input_key,
        input_seal,
        total,
    )
    return _job(row)


async def count_open_jobs(connection: Connection, key_id: int | None) -> int:
    """How many jobs of a key wait or run."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND key_id IS NOT DISTINCT FROM $1", key_id
        )
    )


async def find_job(connection: Connection, job_id: str) -> Job | None:
    row = await connection.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id)
    return _job(row) if row else None


async def list_jobs(
    connection: Connection, *, key_id: int | None, of_all_keys: bool, state: str | None, before: int | None, limit: int
) -> list[Job]:
    """Jobs of a key or of all, newest first, with numbers below ``before``."""
    rows = await connection.fetch(
        "SELECT * FROM jobs WHERE ($1 OR key_id IS NOT DISTINCT FROM $2) AND ($3::text IS NULL OR state = $3) "
        "AND ($4::bigint IS NULL OR number < $4) ORDER BY number DESC LIMIT $5",
        of_all_keys,
        key_id,
        state,
        before,
        limit,
    )
    return [_job(row) for row in rows]


async def take_job(connection: Connection, *, token: bytes, lease_s: float) -> Job | None:
    """The next job that nobody works on, for the caller alone during the lease; keys with fewer running jobs first."""
    row = await connection.fetchrow(
        "UPDATE jobs SET state = 'running', token = $1, leased_until = NOW() + $2 * INTERVAL '1 second', "
        "attempts = attempts + 1, started_at = COALESCE(started_at, NOW()) WHERE id = (SELECT j.id FROM jobs j "
        "WHERE j.finished_at IS NULL AND (j.leased_until IS NULL OR j.leased_until < NOW()) ORDER BY (SELECT count(*) "
        "FROM jobs r WHERE r.finished_at IS NULL AND r.leased_until >= NOW() AND r.token IS NOT NULL "
        "AND r.key_id IS NOT DISTINCT FROM j.key_id), j.number LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *",
        token,
        lease_s,
    )
    return _job(row) if row else None


async def hold_job(
    connection: Connection, job_id: str, *, token: bytes, lease_s: float, done: int, total: int | None
) -> bool | None:
    """Renew the lease and note the progress: whether the job shall end, None where it is another's now."""
    wanted: bool | None = await connection.fetchval(
        "UPDATE jobs SET leased_until = NOW() + $3 * INTERVAL '1 second', done = $4, total = COALESCE($5, total) "
        "WHERE id = $1 AND token = $2 RETURNING cancel_requested",
        job_id,
        token,
        lease_s,
        done,
        total,
    )
    return wanted


async def owns_job(connection: Connection, job_id: str, token: bytes) -> bool:
    """Whether the token is still the job's; it stays so until the transaction ends."""
    found = await connection.fetchval("SELECT TRUE FROM jobs WHERE id = $1 AND token = $2 FOR SHARE", job_id, token)
    return bool(found)


async def give_job_back(connection: Connection, job_id: str, token: bytes, *, after_s: float, attempts: int) -> None:
    """Let somebody go on with the job, after a while."""
    await connection.execute(
        "UPDATE jobs SET state = 'queued', token = NULL, leased_until = NOW() + $3 * INTERVAL '1 second', "
        "attempts = $4 WHERE id = $1 AND token = $2",
        job_id,
        token,
        after_s,
        attempts,
    )


async def finish_job(
    connection: Connection,
    job_id: str,
    *,
    token: bytes | None,
    state: JobState,
    done: int,
    outcome: Mapping[str, object] | None = None,
    problem: Mapping[str, str] | None = None,
) -> Job | None:
    """End a job that waits (``token`` None) or is the token's; None where it is not."""
    row = await connection.fetchrow(
        "UPDATE jobs SET state = $3, done = $4, outcome = $5, problem = $6, finished_at = NOW(), token = NULL, "
        "leased_until = NULL, input_seal = NULL WHERE id = $1 AND token IS NOT DISTINCT FROM $2 "
        "AND finished_at IS NULL RETURNING *",
        job_id,
        token,
        state.value,
        done,
        dict(outcome) if outcome is not None else None,
        dict(problem) if problem is not None else None,
    )
    return _job(row) if row else None


async def request_cancel(connection: Connection, job_id: str) -> None:
    await connection.execute("UPDATE jobs SET cancel_requested = TRUE WHERE id = $1 AND finished_at IS NULL", job_id)


async def note_item(connection: Connection, job_id: str, position: int, outcome: Mapping[str, object]) -> None:
    """What became of a part; what was noted of it before is replaced."""
    await connection.execute(
        "INSERT INTO job_items (job_id, position, outcome) VALUES ($1, $2, $3) "
        "ON CONFLICT (job_id, position) DO UPDATE SET outcome = $3",
        job_id,
        position,
        dict(outcome),
    )


async def note_effect(connection: Connection, job_id: str, position: int, outcome: Mapping[str, object]) -> bool:
    """Note that a part takes effect; False where it did before."""
    status = await connection.execute(
        "INSERT INTO job_items (job_id, position, outcome) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        job_id,
        position,
        dict(outcome),
    )
    return affected(status) == 1


async def items_of(connection: Connection, job_id: str, *, after: int = -1, limit: int | None = None) -> list[JobItem]:
    """The parts that are done, by their position, those beyond ``after``."""
    rows = await connection.fetch(
        "SELECT position, outcome FROM job_items WHERE job_id = $1 AND position > $2::bigint "
        "ORDER BY position LIMIT $3",
        job_id,
        after,
        limit,
    )
    return [JobItem(**row) for row in rows]


async def delete_old_jobs(connection: Connection, *, days: int) -> int:
    """Remove jobs that ended ``days`` ago; how many there were."""
    return affected(
        await connection.execute("DELETE FROM jobs WHERE finished_at < NOW() - $1 * INTERVAL '1 day'", days)
    )
