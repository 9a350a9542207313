"""Requests and responses of the face endpoints: the spec's fields, then ours."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator

from app.core.face_covers import Cover
from app.core.gallery_advice import GalleryGap
from app.core.liveness import Liveness, Uncertainty
from app.models.bodies import ImageData
from app.models.common import (
    ActorName,
    CameraId,
    EmployeeId,
    Location,
    Moment,
    Request,
    Response,
    Score,
    SessionId,
    Text,
    not_blank,
)
from app.models.pages import ListPage
from app.services.stores.face_store import StoredTemplate
from app.services.stores.people_store import EnrolledPerson
from app.services.stores.privacy_store import Consent
from app.utils import clock
from app.workflows.enrolment import Enrolment, EnrolmentTerms, Person, RejectedImage
from app.workflows.face import IdentifiedFace, Recognition, Verification
from app.workflows.face_reader import Outcome

FaceError = Literal["no_face_detected", "face_not_found", "liveness_check_failed", "liveness_required"]

_PICTURE = "picture:face.jpg"

_MESSAGES = {
    Outcome.NO_FACE: "No face detected in image",
    Outcome.UNKNOWN: "No matching face found in database",
    Outcome.NOT_LIVE: "Photo/video spoofing detected",
    Outcome.LIVENESS_REQUIRED: "Show by a liveness session that a person is there, and send its id",
}
_COVERED = {
    Cover.MASK: "No match: mouth or nose are covered; take off the mask, scarf or hand, and try again",
    Cover.EYES: "No match: the eyes are covered; take off dark glasses or push up the cap, and try again",
}
_OTHER_PERSON = "The liveness session was somebody else's"
_DOUBTS = {
    Uncertainty.NOT_JUDGED: "Liveness is not judged by pictures here; send a liveness_session_id",
    Uncertainty.TOO_SMALL: "Liveness could not be judged: the face is too small; come closer",
    Uncertainty.TOO_TIGHT: "Liveness could not be judged: the face fills the picture; step back",
    Uncertainty.TOO_DARK: "Liveness could not be judged: the face is too dark; add light",
    Uncertainty.BLURRY: "Liveness could not be judged: the face is blurred; hold still, or come closer",
    Uncertainty.UNCLEAR: "Liveness could not be judged: look straight into the camera, in other light, and try again",
}


def _message(result: Recognition | Verification) -> str:
    if result.outcome is Outcome.UNKNOWN and result.covered is not None:
        return _COVERED[result.covered]
    if "liveness_of_another_person" in result.warnings:
        return _OTHER_PERSON
    doubt = result.liveness.uncertain if result.liveness else None
    return _DOUBTS[doubt] if result.outcome is Outcome.NOT_LIVE and doubt else _MESSAGES[result.outcome]


_SESSION = Field(
    None, description="A liveness session that was passed (`/face/liveness/sessions`); it vouches for the picture, once"
)


def _is_alive(liveness: Liveness | None) -> bool | None:
    """Null where nobody can tell: neither a false "live" nor an accusation."""
    return None if liveness is None or liveness.uncertain else liveness.is_live


class PersonMetadata(Request):
    """What is known of the person; used where the service keeps its own ``employees`` table."""

    name: Annotated[Text, Field(max_length=200), AfterValidator(not_blank)] | None = None
    department: Annotated[Text, Field(max_length=100)] | None = None
    position: Annotated[Text, Field(max_length=100)] | None = None


class ConsentInput(Request):
    """That the person agreed, in writing, before the enrolment. Kept, and shown in the person's export."""

    given_on: date = Field(description="The day of the signature")
    text_version: Annotated[
        Text, Field(min_length=1, max_length=50, description="Which text was signed", examples=["2025-01 vi"])
    ]

    @field_validator("given_on")
    @classmethod
    def _has_come(cls, day: date) -> date:
        if day > clock.now().date() + timedelta(days=1):  # somewhere it is tomorrow already
            raise ValueError("this day has not come yet")
        return day


class FaceRecognitionRequest(Request):
    """A frame of a check-in camera."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "image": _PICTURE,
                "camera_id": "cam_lobby_01",
                "timestamp": "2025-01-17T08:30:00Z",
                "check_liveness": False,
            }
        }
    )

    image: ImageData
    camera_id: CameraId
    timestamp: datetime | None = Field(
        None, description="When the frame was taken; now, if omitted. Attendance counts by it, where it can be right"
    )
    check_liveness: bool = True
    liveness_session_id: SessionId | None = _SESSION
    offline: bool = Field(
        False,
        description="The device kept the frame while it had no connection. Where liveness has to be shown and cannot "
        "be any more, `warnings` has `attendance_unconfirmed`, and a person confirms it (`/attendance`)",
    )


class FaceEnrollmentRequest(Request):
    """Photos of one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "employee_id": "EMP001",
                "images": [_PICTURE],
                "metadata": {"name": "Nguyen Van A", "department": "reception", "position": "receptionist"},
                "replace_existing": False,
                "consent": {"given_on": "2025-01-10", "text_version": "2025-01 vi"},
            }
        }
    )

    employee_id: EmployeeId
    images: Annotated[list[ImageData], Field(min_length=1, max_length=10)]
    metadata: PersonMetadata = PersonMetadata()
    replace_existing: bool = Field(False, description="Swap all earlier templates for these, or add to them")
    allow_duplicate: bool = Field(False, description="Enrol although the face is somebody else's already (twins)")
    allow_mismatch: bool = Field(
        False, description="Add it although it does not match the person's earlier templates (changed a lot)"
    )
    allow_similar_id: bool = Field(False, description="Enrol although an id is there that differs only in case")
    enrolled_by: ActorName | None = None
    liveness_session_id: SessionId | None = _SESSION
    consent: ConsentInput | None = None

    @property
    def person(self) -> Person:
        """Whose photos these are."""
        about = self.metadata
        return Person(self.employee_id, about.name, about.department, about.position)

    @property
    def given_consent(self) -> Consent | None:
        """What is written down of the consent, where the caller tells of one."""
        return Consent(self.consent.given_on, self.consent.text_version) if self.consent else None

    @property
    def terms(self) -> EnrolmentTerms:
        """What shall become of templates that are there already."""
        return EnrolmentTerms(
            replace_existing=self.replace_existing,
            allow_duplicate=self.allow_duplicate,
            allow_mismatch=self.allow_mismatch,
            allow_similar_id=self.allow_similar_id,
        )


class FaceVerificationRequest(Request):
    """Is this the person?"""

    model_config = ConfigDict(
        json_schema_extra={"example": {"image": _PICTURE, "employee_id": "EMP001", "check_liveness": False}}
    )

    image: ImageData
    employee_id: EmployeeId
    check_liveness: bool = True
    liveness_session_id: SessionId | None = _SESSION


class FaceIdentificationRequest(Request):
    """A frame with any number of people."""

    model_config = ConfigDict(json_schema_extra={"example": {"image": _PICTURE, "check_liveness": False}})

    image: ImageData
    check_liveness: bool = False


class FaceRecognitionResponse(Response):
    """Fields that do not apply to an outcome are absent, as in the spec's samples."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "employee_id": "EMP001",
                "employee_name": "Nguyen Van A",
                "confidence": 0.98,
                "is_alive": True,
                "recognition_time_ms": 25,
                "face_location": {"x": 120, "y": 80, "width": 150, "height": 180},
                "timestamp": "2025-01-17T08:30:00.125Z",
                "liveness_score": 0.97,
                "event_id": "0d9f7a3e-2f7b-4c62-9d5e-8f0f4f1f7f10",
                "warnings": [],
            }
        }
    )

    success: bool
    employee_id: str | None = None
    employee_name: str | None = None
    confidence: Score | None = None
    is_alive: bool | None = None
    recognition_time_ms: int
    face_location: Location | None = None
    timestamp: Moment | None = None
    error: FaceError | None = None
    message: str | None = None
    liveness_score: Score | None = None
    covered: Cover | None = Field(
        None, description="What covers the face: `mask` (a mask, scarf or hand), `eyes` (dark glasses, a low cap)"
    )
    event_id: str | None = Field(None, description="The attendance event that this request wrote")
    warnings: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, recognition: Recognition, *, elapsed_ms: int) -> FaceRecognitionResponse:
        answer: dict[str, object] = {
            "success": recognition.match is not None,
            "is_alive": None,  # stands there in any case, as in the contract
            "recognition_time_ms": elapsed_ms,
            "timestamp": clock.now(),
        }
        if recognition.box is not None:
            answer["face_location"] = Location.of(recognition.box)
        if recognition.liveness is not None:
            answer["liveness_score"] = recognition.liveness.score
            answer["is_alive"] = _is_alive(recognition.liveness)
        if recognition.outcome not in (Outcome.NOT_LIVE, Outcome.LIVENESS_REQUIRED):
            answer["confidence"] = recognition.confidence
        if recognition.match is None:
            answer["error"] = recognition.outcome.value
            answer["message"] = _message(recognition)
        else:
            answer["employee_id"] = recognition.match.identity.employee_id
            answer["employee_name"] = recognition.match.identity.name
        if recognition.event_id is not None:
            answer["event_id"] = recognition.event_id
        if recognition.covered is not None:
            answer["covered"] = recognition.covered
        if recognition.warnings:
            answer["warnings"] = list(recognition.warnings)
        return cls.model_validate(answer)


class ImageWarning(Response):
    """A picture that was not enrolled."""

    index: int = Field(description="Its place in `images`, from 0")
    reason: str
    message: str

    @classmethod
    def of(cls, rejected: RejectedImage) -> ImageWarning:
        return cls.like(rejected)


class GalleryAdviceInfo(Response):
    """What would make the person easier to recognise."""

    reason: GalleryGap
    message: str


class FaceEnrollmentResponse(Response):
    """What was enrolled."""

    success: bool = True
    employee_id: str
    embeddings_created: int
    average_quality_score: Score
    vector_ids: list[str]
    warnings: list[ImageWarning]
    advice: list[GalleryAdviceInfo] = Field(
        description="What the person's photos still lack, by all templates that count and the light of those sent now"
    )

    @classmethod
    def of(cls, enrolment: Enrolment) -> FaceEnrollmentResponse:
        return cls(
            employee_id=enrolment.employee_id,
            embeddings_created=len(enrolment.templates),
            average_quality_score=enrolment.average_quality,
            vector_ids=[template.vector_id for template in enrolment.templates],
            warnings=[ImageWarning.of(rejected) for rejected in enrolment.rejected],
            advice=[GalleryAdviceInfo.like(one) for one in enrolment.advice],
        )


class EmbeddingInfo(Response):
    """One stored template, without its vector."""

    vector_id: str
    created_at: Moment
    quality_score: float
    image_angle: str | None

    @classmethod
    def of(cls, template: StoredTemplate) -> EmbeddingInfo:
        return cls.like(template, image_angle=template.angle)


class FaceEmbeddingsResponse(Response):
    """A person's templates."""

    employee_id: str
    embeddings: list[EmbeddingInfo]
    total_count: int

    @classmethod
    def of(cls, employee_id: str, templates: list[StoredTemplate]) -> FaceEmbeddingsResponse:
        embeddings = [EmbeddingInfo.of(template) for template in templates]
        return cls(employee_id=employee_id, embeddings=embeddings, total_count=len(embeddings))


class FaceDeletionResponse(Response):
    """What was removed."""

    success: bool = True
    employee_id: str
    embeddings_deleted: int


class FaceVerificationResponse(Response):
    """`verified` is true when the match probability reaches FACE_RECOGNITION_THRESHOLD."""

    success: bool
    verified: bool
    employee_id: str
    confidence: Score
    is_alive: bool | None = None
    liveness_score: Score | None = None
    face_location: Location | None = None
    recognition_time_ms: int
    error: FaceError | None = None
    message: str | None = None
    covered: Cover | None = Field(
        None, description="What covers the face: `mask` (a mask, scarf or hand), `eyes` (dark glasses, a low cap)"
    )
    warnings: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, employee_id: str, result: Verification, *, elapsed_ms: int) -> FaceVerificationResponse:
        failed = result.outcome is not Outcome.RECOGNISED
        return cls(
            success=not failed,
            verified=result.verified,
            employee_id=employee_id,
            confidence=result.confidence,
            is_alive=_is_alive(result.liveness),
            liveness_score=result.liveness.score if result.liveness else None,
            face_location=Location.of_any(result.box),
            recognition_time_ms=elapsed_ms,
            error=result.outcome.value if failed else None,
            message=_message(result) if failed else None,
            covered=result.covered,
            warnings=list(result.warnings),
        )


class IdentifiedFaceInfo(Response):
    """One face of the frame; `employee_id` is null for a stranger."""

    face_location: Location
    employee_id: str | None
    employee_name: str | None
    confidence: Score
    is_alive: bool | None
    liveness_score: Score | None
    covered: Cover | None
    warnings: list[str]

    @classmethod
    def of(cls, found: IdentifiedFace) -> IdentifiedFaceInfo:
        identity, liveness = found.match.identity if found.match else None, found.liveness
        return cls(
            face_location=Location.of(found.face.box),
            employee_id=identity.employee_id if identity else None,
            employee_name=identity.name if identity else None,
            confidence=found.confidence,
            is_alive=_is_alive(liveness),
            liveness_score=liveness.score if liveness else None,
            covered=found.covered,
            warnings=["liveness_uncertain"] if liveness and liveness.uncertain else [],
        )


class FaceIdentificationResponse(Response):
    """All faces, largest first."""

    faces: list[IdentifiedFaceInfo]
    count: int
    recognition_time_ms: int

    @classmethod
    def of(cls, found: list[IdentifiedFace], *, elapsed_ms: int) -> FaceIdentificationResponse:
        faces = [IdentifiedFaceInfo.of(one) for one in found]
        return cls(faces=faces, count=len(faces), recognition_time_ms=elapsed_ms)


class PersonInfo(Response):
    """Somebody who is enrolled. What the hotel's own table of employees does not have is null."""

    employee_id: str
    name: str | None
    department: str | None
    position: str | None
    templates: int
    enrolled_at: Moment = Field(description="The first template that counts")
    last_enrolled_at: Moment

    @classmethod
    def of(cls, person: EnrolledPerson) -> PersonInfo:
        return cls.like(person)


class PeopleResponse(ListPage):
    """People by id."""

    items: list[PersonInfo]
