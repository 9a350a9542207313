"""Answers about jobs, and the pages of lists."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from app.models.common import Moment, Response
from app.models.invoice import InvoiceResponse
from app.models.pages import ListPage
from app.workflows.jobs import Job, JobItem, JobState
from app.workflows.ocr import InvoiceResult


class JobError(Response):
    """Why a job failed; the codes are those of the same request answered at once."""

    code: str
    message: str


class BulkResult(Response):
    """How many items there were of either kind; `GET /jobs/{id}/items` has each."""

    succeeded: int
    failed: int


class JobInfo(Response):
    """A job. `done` and `total` count pages or items; `total` is null until it is known."""

    job_id: str
    kind: str = Field(description="`ocr.invoice`, `image.index` or `face.enroll`")
    state: JobState
    done: int
    total: int | None
    cancel_requested: bool
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    result: InvoiceResponse | BulkResult | None = Field(None, description="What the request would have been answered")
    error: JobError | None = None

    @classmethod
    def of(cls, job: Job, read: InvoiceResult | None = None) -> JobInfo:
        """The job.

        Args:
            read: what a job that reads invoices has read.
        """
        error = JobError(code=job.problem["code"], message=job.problem["detail"]) if job.problem else None
        return cls.like(job, job_id=job.id, result=_result(job, read), error=error)


def _result(job: Job, read: InvoiceResult | None) -> InvoiceResponse | BulkResult | None:
    if read is not None and job.finished_at is not None and job.started_at is not None:
        elapsed = job.finished_at - job.started_at
        return InvoiceResponse.of(read, elapsed_ms=round(elapsed.total_seconds() * 1000))
    counts = job.outcome or {}
    return BulkResult.model_validate(counts) if "succeeded" in counts else None


class JobsResponse(ListPage):
    """Jobs, newest first."""

    items: list[JobInfo]


class JobItemInfo(Response):
    """What became of an item: the ids of what it made, or an `error` as its own request would have had."""

    index: int = Field(description="Its line in the request, from 0; empty lines do not count")
    success: bool
    error: str | None
    message: str | None
    result: dict[str, Any]  # by the kind of job

    @classmethod
    def of(cls, item: JobItem) -> JobItemInfo:
        outcome = dict(item.outcome)
        error, message = outcome.pop("error", None), outcome.pop("message", None)
        return cls(index=item.position, success=error is None, error=error, message=message, result=outcome)


class JobItemsResponse(ListPage):
    """What became of a job's items until now, in their order."""

    items: list[JobItemInfo]
