"""Work that goes on after its request was answered: how far it is, what came of it, and its end."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.api.conditional import CONDITIONAL
from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import Identified
from app.dependencies import resource
from app.models.job import JobInfo, JobItemInfo, JobItemsResponse, JobsResponse
from app.models.pages import Cursor
from app.workflows.jobs import JobBook, JobState
from app.workflows.long_invoices import InvoiceIntake

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=MarkedRoute)

Jobs = Annotated[JobBook, Depends(resource(lambda resources: resources.jobs))]
Invoices = Annotated[InvoiceIntake, Depends(resource(lambda resources: resources.invoices))]
JobId = Annotated[str, Path(pattern=r"^[0-9a-f\-]{36}$", examples=["0d9f7a3e-2f7b-4c62-9d5e-8f0f4f1f7f10"])]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("")
async def list_jobs(
    caller: Identified,
    jobs: Jobs,
    link: Linker,
    state: JobState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> JobsResponse:
    """Jobs of this API key, newest first, without their results; an admin's key sees those of all."""
    page = await jobs.list_jobs(caller, state=state, cursor=cursor, limit=limit)
    return linked(JobsResponse.listing(page, JobInfo.of, limit=limit), link)


@router.get("/{job_id}", dependencies=[CONDITIONAL])
async def get_job(job_id: JobId, caller: Identified, jobs: Jobs, invoices: Invoices) -> JobInfo:
    """A job: how far it is and, at its end, what came of it."""
    job = await jobs.get(job_id, caller)
    return JobInfo.of(job, await invoices.result_of(job, caller))


@router.get("/{job_id}/items")
async def list_job_items(
    job_id: JobId, caller: Identified, jobs: Jobs, link: Linker, cursor: Cursor = None, limit: Limit = 100
) -> JobItemsResponse:
    """What became of each item of a bulk request, in their order."""
    page = await jobs.items(job_id, caller, cursor=cursor, limit=limit)
    return linked(JobItemsResponse.listing(page, JobItemInfo.of, limit=limit), link)


@router.post("/{job_id}/cancel", dependencies=[IDEMPOTENT])
async def cancel_job(job_id: JobId, caller: Identified, jobs: Jobs) -> JobInfo:
    """End a job: one that waits at once, one that runs within a second or two. What it has done stays."""
    return JobInfo.of(await jobs.cancel(job_id, caller))
