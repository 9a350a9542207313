"""Work that is answered with 202: when it is, and how."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Query
from fastapi.responses import JSONResponse

from app.api.middleware import API_PREFIX
from app.dependencies import resource
from app.models.job import JobInfo
from app.utils.bulk_files import NDJSON_TYPES, ZIP_TYPES
from app.workflows.bulk import BulkIntake
from app.workflows.jobs import Job

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": JobInfo, "description": "A job; its address is in `Location`"}
}
_RESPOND_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)


async def _answers_later(
    prefer: Annotated[str | None, Header(description="`respond-async` (RFC 7240): as `async`", max_length=200)] = None,
    later: Annotated[bool, Query(alias="async", description="Answer with 202 and a job")] = False,
) -> bool:
    return later or bool(_RESPOND_ASYNC.search(prefer or ""))


BULK_TYPES = (*NDJSON_TYPES, *ZIP_TYPES)
Bulk = Annotated[BulkIntake, Depends(resource(lambda resources: resources.bulk))]
Later = Annotated[bool, Depends(_answers_later)]


def accepted(job: Job) -> JSONResponse:
    """202 with the job and its address."""
    headers = {
        "Location": f"{API_PREFIX}/jobs/{job.id}",
        "Retry-After": "1",
        "Preference-Applied": "respond-async",
    }
    return JSONResponse(JobInfo.of(job).model_dump(mode="json"), HTTPStatus.ACCEPTED, headers)
