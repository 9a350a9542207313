"""Face recognition, enrolment, verification and identification."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from app.api.security import require
from app.dependencies import Zone, resource
from app.models.bodies import body_of
from app.models.common import EmployeeId, Location
from app.models.face import (
    EmbeddingInfo,
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
    IdentifiedFaceInfo,
    ImageWarning,
)
from app.utils import clock
from app.workflows.access import Caller
from app.workflows.enrolment import EnrolmentTerms, EnrolmentWorkflow, Person
from app.workflows.face import FaceWorkflow, Outcome, Recognition

router = APIRouter(prefix="/face", tags=["face"])

Enrolments = Annotated[EnrolmentWorkflow, Depends(resource(lambda resources: resources.enrolments))]
Faces = Annotated[FaceWorkflow, Depends(resource(lambda resources: resources.faces))]
Recognizer = Annotated[Caller, Depends(require("face:recognize"))]
Manager = Annotated[Caller, Depends(require("face:manage"))]
EmployeePath = Annotated[EmployeeId, Path()]

_MESSAGES = {
    Outcome.NO_FACE: "No face detected in image",
    Outcome.UNKNOWN: "No matching face found in database",
    Outcome.NOT_LIVE: "Photo/video spoofing detected",
}
_UNCERTAIN = "Liveness could not be judged: the face is too small or blurred; come closer"


def _message(outcome: Outcome, warnings: tuple[str, ...]) -> str:
    return _UNCERTAIN if "liveness_uncertain" in warnings else _MESSAGES[outcome]


def _elapsed_ms(started_at: float) -> int:
    return round((time.perf_counter() - started_at) * 1000)


@router.post("/recognize", response_model_exclude_unset=True)
async def recognize_face(
    caller: Recognizer,
    request: Annotated[FaceRecognitionRequest, Depends(body_of(FaceRecognitionRequest))],
    faces: Faces,
    zone: Zone,
) -> FaceRecognitionResponse:
    """Recognise the largest face of a frame and write the attendance event."""
    started_at = time.perf_counter()
    recognition = await faces.recognize(
        request.image,
        camera_id=request.camera_id,
        taken_at=clock.to_utc(request.timestamp or clock.now(), zone),
        check_liveness=request.check_liveness,
        actor=caller.label,
    )
    return _recognition_response(recognition, _elapsed_ms(started_at))


def _recognition_response(recognition: Recognition, elapsed_ms: int) -> FaceRecognitionResponse:
    answer: dict[str, object] = {
        "success": recognition.match is not None,
        "recognition_time_ms": elapsed_ms,
        "timestamp": clock.now(),
    }
    if recognition.box is not None:
        answer["face_location"] = Location.of(recognition.box)
    if recognition.liveness is not None:
        answer["liveness_score"] = round(recognition.liveness.score, 4)
        # Null where nobody can tell: neither a false "live" nor an accusation.
        answer["is_alive"] = None if recognition.liveness.uncertain else recognition.liveness.is_live
    if recognition.outcome is not Outcome.NOT_LIVE:
        answer["confidence"] = round(recognition.confidence, 4)
    if recognition.match is None:
        answer["error"] = recognition.outcome.value
        answer["message"] = _message(recognition.outcome, recognition.warnings)
    else:
        answer["employee_id"] = recognition.match.identity.employee_id
        answer["employee_name"] = recognition.match.identity.name
    if recognition.event_id is not None:
        answer["event_id"] = recognition.event_id
    if recognition.warnings:
        answer["warnings"] = list(recognition.warnings)
    return FaceRecognitionResponse.model_validate(answer)


@router.post("/enroll")
async def enroll_face(
    caller: Manager,
    request: Annotated[FaceEnrollmentRequest, Depends(body_of(FaceEnrollmentRequest))],
    enrolments: Enrolments,
) -> FaceEnrollmentResponse:
    """Enrol a person from 1 to 10 photos; bad ones are named in `warnings`."""
    person = Person(request.employee_id, request.metadata.name, request.metadata.department, request.metadata.position)
    enrolment = await enrolments.enroll(
        person,
        request.images,
        terms=EnrolmentTerms(
            replace_existing=request.replace_existing,
            allow_duplicate=request.allow_duplicate,
            allow_mismatch=request.allow_mismatch,
        ),
        actor=request.enrolled_by or caller.label[:20],
    )
    return FaceEnrollmentResponse(
        employee_id=enrolment.employee_id,
        embeddings_created=len(enrolment.templates),
        average_quality_score=round(enrolment.average_quality, 4),
        vector_ids=[template.vector_id for template in enrolment.templates],
        warnings=[ImageWarning(index=r.index, reason=r.reason, message=r.message) for r in enrolment.rejected],
    )


@router.get("/embedding/{employee_id}")
async def get_face_embeddings(_: Manager, employee_id: EmployeePath, enrolments: Enrolments) -> FaceEmbeddingsResponse:
    """A person's templates, without the vectors."""
    templates = await enrolments.templates_of(employee_id)
    return FaceEmbeddingsResponse(
        employee_id=employee_id,
        embeddings=[
            EmbeddingInfo(
                vector_id=t.vector_id, created_at=t.created_at, quality_score=t.quality_score, image_angle=t.angle
            )
            for t in templates
        ],
        total_count=len(templates),
    )


@router.delete("/{employee_id}")
async def delete_face(caller: Manager, employee_id: EmployeePath, enrolments: Enrolments) -> FaceDeletionResponse:
    """Erase a person: rows at once, vectors and crops right after."""
    deleted = await enrolments.erase(employee_id, actor=caller.label)
    return FaceDeletionResponse(employee_id=employee_id, embeddings_deleted=deleted)


@router.post("/verify")
async def verify_face(
    caller: Recognizer,
    request: Annotated[FaceVerificationRequest, Depends(body_of(FaceVerificationRequest))],
    faces: Faces,
) -> FaceVerificationResponse:
    """Compare a face with one person's templates (1:1)."""
    started_at = time.perf_counter()
    result = await faces.verify(
        request.image, employee_id=request.employee_id, check_liveness=request.check_liveness, actor=caller.label
    )
    failed = result.outcome is not Outcome.RECOGNISED
    return FaceVerificationResponse(
        success=not failed,
        verified=result.verified,
        employee_id=request.employee_id,
        confidence=round(result.confidence, 4),
        is_alive=None if result.liveness is None or result.liveness.uncertain else result.liveness.is_live,
        liveness_score=None if result.liveness is None else round(result.liveness.score, 4),
        face_location=None if result.box is None else Location.of(result.box),
        recognition_time_ms=_elapsed_ms(started_at),
        error=result.outcome.value if failed else None,
        message=_message(result.outcome, result.warnings) if failed else None,
        warnings=list(result.warnings),
    )


@router.post("/identify")
async def identify_faces(
    caller: Recognizer,
    request: Annotated[FaceIdentificationRequest, Depends(body_of(FaceIdentificationRequest))],
    faces: Faces,
) -> FaceIdentificationResponse:
    """Name every face of a frame (1:N). Writes no attendance."""
    started_at = time.perf_counter()
    found = await faces.identify(request.image, check_liveness=request.check_liveness, actor=caller.label)
    return FaceIdentificationResponse(
        faces=[
            IdentifiedFaceInfo(
                face_location=Location.of(one.face.box),
                employee_id=one.match.identity.employee_id if one.match else None,
                employee_name=one.match.identity.name if one.match else None,
                confidence=round(one.confidence, 4),
                is_alive=None if one.liveness is None or one.liveness.uncertain else one.liveness.is_live,
                liveness_score=None if one.liveness is None else round(one.liveness.score, 4),
                warnings=["liveness_uncertain"] if one.liveness is not None and one.liveness.uncertain else [],
            )
            for one in found
        ],
        count=len(found),
        recognition_time_ms=_elapsed_ms(started_at),
    )
