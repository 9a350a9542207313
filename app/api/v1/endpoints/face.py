"""Face recognition, enrolment, verification and identification."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.api.accepted import BULK_TYPES, Bulk, accepted
from app.api.conditional import CONDITIONAL
from app.api.idempotency import IDEMPOTENT
from app.api.pages import Linker, linked
from app.api.routes import MarkedRoute
from app.api.security import require
from app.dependencies import Zone, resource
from app.models.bodies import RawBody, body_of, raw_of
from app.models.common import EmployeeId, PersonText
from app.models.face import (
    FaceDeletionResponse,
    FaceEmbeddingsResponse,
    FaceEnrollmentRequest,
    FaceEnrollmentResponse,
    FaceIdentificationRequest,
    FaceIdentificationResponse,
    FaceRecognitionRequest,
    FaceRecognitionResponse,
    FaceVerificationRequest,
    FaceVerificationResponse,
    PeopleResponse,
    PersonInfo,
)
from app.models.job import JobInfo
from app.models.pages import Cursor
from app.types import Scope
from app.utils import clock
from app.utils.bulk_files import ZIP_TYPES
from app.workflows.access import Caller
from app.workflows.bulk import ENROL_FACES
from app.workflows.enrolment import EnrolmentWorkflow
from app.workflows.face import FaceWorkflow
from app.workflows.face_reader import LivenessCheck
from app.workflows.liveness_sessions import SessionTicket
from app.workflows.people import PeopleDirectory

router = APIRouter(prefix="/face", tags=["face"], route_class=MarkedRoute)

Enrolments = Annotated[EnrolmentWorkflow, Depends(resource(lambda resources: resources.enrolments))]
Faces = Annotated[FaceWorkflow, Depends(resource(lambda resources: resources.faces))]
Recognizer = Annotated[Caller, Depends(require(Scope.FACE_RECOGNIZE))]
Manager = Annotated[Caller, Depends(require(Scope.FACE_MANAGE))]
People = Annotated[PeopleDirectory, Depends(resource(lambda resources: resources.people))]
EmployeePath = Annotated[EmployeeId, Path()]


def _check(request: FaceRecognitionRequest | FaceVerificationRequest, caller: Caller) -> LivenessCheck:
    is_offline = isinstance(request, FaceRecognitionRequest) and request.offline
    return LivenessCheck(request.check_liveness, _ticket(request.liveness_session_id, caller), is_offline)


def _ticket(session_id: str | None, caller: Caller) -> SessionTicket | None:
    return None if session_id is None else SessionTicket(session_id, caller.key_id)


@router.post("/recognize", response_model_exclude_unset=True, dependencies=[IDEMPOTENT])
async def recognize_face(
    caller: Recognizer,
    request: Annotated[FaceRecognitionRequest, Depends(body_of(FaceRecognitionRequest))],
    faces: Faces,
    zone: Zone,
) -> FaceRecognitionResponse:
    """Recognise the largest face of a frame and write the attendance event."""
    watch = clock.Stopwatch()
    recognition = await faces.recognize(
        request.image,
        camera_id=request.camera_id,
        taken_at=clock.to_utc(request.timestamp, zone) if request.timestamp else None,
        check=_check(request, caller),
        actor=caller.label,
    )
    return FaceRecognitionResponse.of(recognition, elapsed_ms=watch.elapsed_ms)


@router.post("/enroll", dependencies=[IDEMPOTENT])
async def enroll_face(
    caller: Manager,
    request: Annotated[FaceEnrollmentRequest, Depends(body_of(FaceEnrollmentRequest))],
    enrolments: Enrolments,
) -> FaceEnrollmentResponse:
    """Enrol a person from 1 to 10 photos: whoever is on more than half of the good ones. The others are named in
    `warnings`."""
    enrolment = await enrolments.enroll(
        request.person,
        request.images,
        terms=request.terms,
        consent=request.given_consent,
        actor=caller.signature(request.enrolled_by),
        ticket=_ticket(request.liveness_session_id, caller),
    )
    return FaceEnrollmentResponse.of(enrolment)


@router.post("/enroll/bulk", status_code=202, response_model=JobInfo, dependencies=[IDEMPOTENT])
async def bulk_enroll_faces(
    caller: Manager, body: Annotated[RawBody, Depends(raw_of(FaceEnrollmentRequest, *BULK_TYPES))], bulk: Bulk
) -> Response:
    """Enrol many people: NDJSON, each line as for `/face/enroll`, or a zip with `items.ndjson`, where `images` names
    files of the zip. `GET /jobs/{id}/items` has the outcome of each."""
    return accepted(await bulk.take_in(ENROL_FACES, body.content, is_zip=body.media_type in ZIP_TYPES, caller=caller))


@router.get("/embedding/{employee_id}", dependencies=[CONDITIONAL])
async def get_face_embeddings(_: Manager, employee_id: EmployeePath, enrolments: Enrolments) -> FaceEmbeddingsResponse:
    """A person's templates, without the vectors."""
    return FaceEmbeddingsResponse.of(employee_id, await enrolments.templates_of(employee_id))


@router.get("/people")
async def list_people(
    _: Manager,
    people: People,
    link: Linker,
    name: Annotated[PersonText | None, Query(description="A part of it, whatever its case and marks")] = None,
    department: Annotated[PersonText | None, Query()] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PeopleResponse:
    """Everybody who is enrolled, by id."""
    page = await people.list_people(name=name, department=department, cursor=cursor, limit=limit)
    return linked(PeopleResponse.listing(page, PersonInfo.of, limit=limit), link)


@router.post("/verify")
async def verify_face(
    caller: Recognizer,
    request: Annotated[FaceVerificationRequest, Depends(body_of(FaceVerificationRequest))],
    faces: Faces,
) -> FaceVerificationResponse:
    """Compare a face with one person's templates (1:1)."""
    watch = clock.Stopwatch()
    result = await faces.verify(
        request.image, employee_id=request.employee_id, check=_check(request, caller), actor=caller.label
    )
    return FaceVerificationResponse.of(request.employee_id, result, elapsed_ms=watch.elapsed_ms)


@router.post("/identify")
async def identify_faces(
    caller: Recognizer,
    request: Annotated[FaceIdentificationRequest, Depends(body_of(FaceIdentificationRequest))],
    faces: Faces,
) -> FaceIdentificationResponse:
    """Name every face of a frame (1:N). Writes no attendance."""
    watch = clock.Stopwatch()
    found = await faces.identify(request.image, check_liveness=request.check_liveness, actor=caller.label)
    return FaceIdentificationResponse.of(found, elapsed_ms=watch.elapsed_ms)


@router.get("/{employee_id}", dependencies=[CONDITIONAL])
async def get_person(_: Manager, employee_id: EmployeePath, people: People) -> PersonInfo:
    """Somebody who is enrolled."""
    return PersonInfo.of(await people.get(employee_id))


@router.delete("/{employee_id}")
async def delete_person(caller: Manager, employee_id: EmployeePath, enrolments: Enrolments) -> FaceDeletionResponse:
    """Erase a person: rows at once, vectors and crops right after."""
    deleted = await enrolments.erase(employee_id, actor=caller.label)
    return FaceDeletionResponse(employee_id=employee_id, embeddings_deleted=deleted)
