"""Jobs: who takes them in, and who does the work of each kind."""

from __future__ import annotations

from collections.abc import Mapping

from app.composition.backends import Backends
from app.config import Settings
from app.core.inference import Priority
from app.errors import InvalidInput
from app.models.bodies import validated
from app.models.face import FaceEnrollmentRequest, FaceEnrollmentResponse
from app.models.image import ImageIndexRequest
from app.types import Scope
from app.utils.bulk_files import BulkLimits
from app.workflows.bulk import ENROL_FACES, INDEX_IMAGES, BulkIntake, BulkWork
from app.workflows.enrolment import EnrolmentWorkflow
from app.workflows.image import ImageWorkflow
from app.workflows.jobs import JobBook, JobWork
from app.workflows.long_invoices import READ_INVOICE, LongInvoiceWork

_SCOPES: Mapping[str, Scope] = {kind.name: kind.scope for kind in (INDEX_IMAGES, ENROL_FACES, READ_INVOICE)}


def compose_jobs(settings: Settings, backends: Backends) -> JobBook:
    """The book of all jobs."""
    return JobBook(backends.database, backends.storage, scopes=_SCOPES, max_open=settings.JOBS_PER_KEY)


_PICTURES_AT_ONCE = 4


def bulk_limits(settings: Settings) -> BulkLimits:
    """Of one bulk request; a picture in a zip may be as large as one that comes by itself."""
    return BulkLimits(settings.BULK_MAX_ITEMS, settings.MAX_BODY_BYTES)


def compose_bulk(settings: Settings, jobs: JobBook) -> BulkIntake:
    """The way in for files of many items."""
    return BulkIntake(jobs, bulk_limits(settings))


def compose_works(
    settings: Settings, *, images: ImageWorkflow, enrolments: EnrolmentWorkflow, invoices: LongInvoiceWork
) -> Mapping[str, JobWork]:
    """Who does the work, by the kind of job."""

    async def index_image(fields: Mapping[str, object], actor: str | None) -> Mapping[str, object]:
        request = validated(ImageIndexRequest, fields)
        indexed = await images.index(
            request.image,
            request.metadata.details,
            actor=request.metadata.photographer or actor,
            allow_duplicate=request.allow_duplicate,
            priority=Priority.BULK,
        )
        image_id = indexed.image.image_id
        return {
            "image_id": image_id,
            "duplicate_of": image_id if indexed.is_duplicate else None,
            "near_duplicates": [copy.image_id for copy in indexed.near_copies],
        }

    async def enrol_face(fields: Mapping[str, object], actor: str | None) -> Mapping[str, object]:
        request = validated(FaceEnrollmentRequest, fields)
        if request.liveness_session_id is not None:
            raise InvalidInput("A liveness session enrols one person by itself.", code="session_in_bulk")
        enrolment = await enrolments.enroll(
            request.person,
            request.images,
            terms=request.terms,
            consent=request.given_consent,
            actor=request.enrolled_by or actor,
            priority=Priority.BULK,
        )
        return FaceEnrollmentResponse.of(enrolment).model_dump(mode="json", exclude={"success"})

    limits = bulk_limits(settings)
    return {
        INDEX_IMAGES.name: BulkWork(index_image, limits, at_once=_PICTURES_AT_ONCE),
        # One after another: whether a face is somebody else's is asked of those that were enrolled before.
        ENROL_FACES.name: BulkWork(enrol_face, limits),
        READ_INVOICE.name: invoices,
    }
