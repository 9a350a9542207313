"""Faces in a camera's frame: read on an inference thread, named by the gallery afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.face_recognition import FaceRecognitionEngine
from app.core.liveness import Liveness, LivenessDetector
from app.types import Box, Face, FloatArray, Image
from app.workflows.face import FaceWorkflow

_MAX_FACES = 8


@dataclass(frozen=True, slots=True)
class SeenFace:
    """A face of one frame. ``vector``: (d,) float32 of unit norm."""

    face: Face
    liveness: Liveness
    vector: FloatArray


class FaceReader:
    """Detects, checks and embeds the faces of a frame; synchronous."""

    def __init__(self, engine: FaceRecognitionEngine, liveness: LivenessDetector) -> None:
        self._engine = engine
        self._liveness = liveness

    def read(self, image: Image) -> list[SeenFace]:
        """The largest faces, at most eight."""
        faces = sorted(self._engine.detect_faces(image), key=lambda face: -face.box.area)[:_MAX_FACES]
        if not faces:
            return []
        return [
            SeenFace(face, liveness, probe.vector)
            for face, liveness, probe in zip(
                faces, self._liveness.assess(image, faces), self._engine.embed_probes(image, faces), strict=True
            )
        ]


async def staff_boxes(workflow: FaceWorkflow, seen: Sequence[SeenFace]) -> list[Box]:
    """Where the faces are that are both live and enrolled."""
    live = [one for one in seen if one.liveness.is_live]
    named = await workflow.match([one.vector for one in live])
    return [one.face.box for one, (match, _) in zip(live, named, strict=True) if match is not None]


def belongs_to(face: Box, person: Box) -> bool:
    """Whether a face is that of a person's box: its centre lies in the upper half."""
    x, y = (face.x1 + face.x2) / 2, (face.y1 + face.y2) / 2
    return person.x1 <= x <= person.x2 and person.y1 <= y <= person.y1 + person.height / 2
