"""Requests and responses of the face endpoints: the spec's fields, then ours."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.models.bodies import ImageData
from app.models.common import ActorName, CameraId, EmployeeId, Location, Moment, Request, Response, Text

_PICTURE = "/9j/4AAQSkZJRg…"
Score = Annotated[float, Field(ge=0, le=1)]


class PersonMetadata(Request):
    """What is known of the person; used where the service keeps its own ``employees`` table."""

    name: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    department: Annotated[Text, Field(max_length=100)] | None = None
    position: Annotated[Text, Field(max_length=100)] | None = None


class FaceRecognitionRequest(Request):
    """A frame of a check-in camera."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "image": _PICTURE,
                "camera_id": "cam_lobby_01",
                "timestamp": "2025-01-17T08:30:00Z",
                "check_liveness": True,
            }
        }
    )

    image: ImageData
    camera_id: CameraId
    timestamp: datetime | None = Field(None, description="When the frame was taken; now, if omitted")
    check_liveness: bool = True


class FaceEnrollmentRequest(Request):
    """Photos of one person."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "employee_id": "EMP001",
                "images": [_PICTURE],
                "metadata": {"name": "Nguyen Van A", "department": "reception", "position": "receptionist"},
                "replace_existing": False,
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
    enrolled_by: ActorName | None = None


class FaceVerificationRequest(Request):
    """Is this the person?"""

    model_config = ConfigDict(
        json_schema_extra={"example": {"image": _PICTURE, "employee_id": "EMP001", "check_liveness": True}}
    )

    image: ImageData
    employee_id: EmployeeId
    check_liveness: bool = True


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
    error: Literal["no_face_detected", "face_not_found", "liveness_check_failed"] | None = None
    message: str | None = None
    liveness_score: Score | None = None
    event_id: str | None = Field(None, description="The attendance event that this request wrote")
    warnings: list[str] = Field(default_factory=list)


class ImageWarning(Response):
    """A picture that was not enrolled."""

    index: int = Field(description="Its place in `images`, from 0")
    reason: str
    message: str


class FaceEnrollmentResponse(Response):
    """What was enrolled."""

    success: bool = True
    employee_id: str
    embeddings_created: int
    average_quality_score: Score
    vector_ids: list[str]
    warnings: list[ImageWarning]


class EmbeddingInfo(Response):
    """One stored template, without its vector."""

    vector_id: str
    created_at: Moment
    quality_score: float
    image_angle: str | None


class FaceEmbeddingsResponse(Response):
    """A person's templates."""

    employee_id: str
    embeddings: list[EmbeddingInfo]
    total_count: int


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
    error: Literal["no_face_detected", "face_not_found", "liveness_check_failed"] | None = None
    message: str | None = None
    warnings: list[str] = Field(default_factory=list)


class IdentifiedFaceInfo(Response):
    """One face of the frame; `employee_id` is null for a stranger."""

    face_location: Location
    employee_id: str | None
    employee_name: str | None
    confidence: Score
    is_alive: bool | None
    liveness_score: Score | None
    warnings: list[str]


class FaceIdentificationResponse(Response):
    """All faces, largest first."""

    faces: list[IdentifiedFaceInfo]
    count: int
    recognition_time_ms: int
