"""SCRFD, the detector of insightface's packs, behind the same protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.calibration import ScoreCalibration
from app.core.features import tile_boxes
from app.core.ultraface import suppress
from app.types import Box, Face, FloatArray, Image, Session

_SETTLED_PX = 64  # a face this high in the whole picture makes ``detect_dominant`` skip the close-ups


@dataclass(frozen=True, slots=True)
class _Slot:
    """Name and shape of an input or output, as ONNX Runtime describes them."""

    name: str
    shape: list[int | str]


class _SessionLikeOnnxRuntime:
    """What ``insightface.model_zoo.SCRFD`` asks of a session, answered by ours."""

    def __init__(self, session: Session, *, input_name: str, side_px: int, output_count: int) -> None:
        self._session = session
        self._inputs = [_Slot(input_name, [1, 3, side_px, side_px])]
        self._outputs = [_Slot(str(index), ["n", 1]) for index in range(output_count)]

    def get_inputs(self) -> list[_Slot]:
        return self._inputs

    def get_outputs(self) -> list[_Slot]:
        return self._outputs

    def run(self, _names: Sequence[str], feed: dict[str, NDArray[np.float32]]) -> list[FloatArray]:
        # Some exports keep the batch of one as a first axis, and others do not.
        return [output.reshape(-1, output.shape[-1]) for output in self._session.run(feed)]


class ScrfdFaceDetector:
    """Faces by an SCRFD network with landmarks, read by insightface's own class on our session.

    Args:
        session: nine outputs in insightface's layout (scores, boxes, points of three strides).
        side_px: side of the square that pictures are fitted into.
        calibration: of the network's score.
        min_score: public; faces below are not reported.
    """

    def __init__(
        self, session: Session, *, input_name: str, side_px: int, calibration: ScoreCalibration, min_score: float
    ) -> None:
        # Imported late: 70 MB and most of a second, which only packs with this detector pay.
        from insightface.model_zoo.scrfd import SCRFD

        # Any: insightface ships no types.
        self._scrfd: Any = SCRFD(
            session=_SessionLikeOnnxRuntime(session, input_name=input_name, side_px=side_px, output_count=9)
        )
        self._scrfd.prepare(0, det_thresh=calibration.raw(min_score))
        self._side_px = side_px
        self._calibration = calibration

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """All faces of each picture, surest first."""
        return [self._merge(self._whole(image) + self._tiles(image)) for image in images]

    def detect_dominant(self, images: Sequence[Image]) -> list[list[Face]]:
        """Faces of each picture, surest first, without close-ups where the whole picture shows a large face."""
        return [self._detect_dominant(image) for image in images]

    def warm_up(self) -> None:
        """One pass on a blank picture."""
        self._whole(np.zeros((self._side_px, self._side_px, 3), np.uint8))

    def _detect_dominant(self, image: Image) -> list[Face]:
        faces = self._whole(image)
        scale = self._side_px / max(image.shape[:2])
        if max((face.box.height for face in faces), default=0.0) * scale >= _SETTLED_PX:
            return faces
        return self._merge(faces + self._tiles(image))

    def _whole(self, image: Image) -> list[Face]:
        rows, points = self._scrfd.detect(image, input_size=(self._side_px, self._side_px))
        return [
            Face(Box(*map(float, row[:4])), self._calibration.public(float(row[4])), landmarks.astype(np.float32))
            for row, landmarks in zip(rows, points, strict=True)
        ]

    def _tiles(self, image: Image) -> list[Face]:
        """What overlapping parts show of a picture that would be shrunk much."""
        height, width = image.shape[:2]
        columns, rows = (max(math.ceil(side / (1.5 * self._side_px)), 1) for side in (width, height))
        if columns == rows == 1:
            return []
        found: list[Face] = []
        for tile in tile_boxes(width=width, height=height, rows=rows, columns=columns, overlap=0.2):
            left, top = int(tile.x1), int(tile.y1)
            part = np.ascontiguousarray(image[top : round(tile.y2), left : round(tile.x2)])
            found += [_moved(face, left, top) for face in self._whole(part)]
        return found

    def _merge(self, faces: list[Face]) -> list[Face]:
        if not faces:
            return []
        boxes = np.array([[face.box.x1, face.box.y1, face.box.x2, face.box.y2] for face in faces], np.float32)
        scores = np.array([face.score for face in faces], np.float32)
        return [faces[row] for row in suppress(boxes, scores)]


def _moved(face: Face, left: int, top: int) -> Face:
    """A face of a part as a face of the whole."""
    box = Box(face.box.x1 + left, face.box.y1 + top, face.box.x2 + left, face.box.y2 + top)
    return Face(box, face.score, face.landmarks + np.array([left, top], np.float32))
