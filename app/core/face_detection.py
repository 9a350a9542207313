"""Where the faces are.

``FaceDetector`` is what the engines need; ``PyramidFaceDetector`` is the compact pack's: a small fully convolutional
network proposes on one or two scales, looks at each proposal again in close-up, and a second network places the
landmarks. Where that finds nothing, a proposer of another kind has the last look. ``face_detection_scrfd.py`` holds the
detector of the full pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from app.core.calibration import ScoreCalibration
from app.core.crops import Square, cut_square, resize_fast, spread_tones
from app.core.face_alignment import five_points
from app.core.picture_network import PictureNetwork
from app.core.ultraface import anchors_of, decode, on_canvas, refine, suppress
from app.types import Box, Face, FloatArray, Image


class FaceDetector(Protocol):
    """Finds faces; thread-safe."""

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """All faces of each picture, surest first."""
        ...

    def detect_dominant(self, images: Sequence[Image]) -> list[list[Face]]:
        """As ``detect``, but small faces beside a much larger one may be left out where that saves time."""
        ...

    def warm_up(self) -> None:
        """Run every network once."""
        ...


class FaceProposer(Protocol):
    """Where faces may be."""

    def propose(self, image: Image) -> tuple[FloatArray, FloatArray]:
        """Corner boxes (n, 4) float32 px of the BGR image, and raw scores (n,), 0 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class LastLook:
    """Who looks where nothing else found a face, and what its scores are worth."""

    proposer: FaceProposer
    calibration: ScoreCalibration


_MAX_FACES = 100  # looked at again
_LOOKS_AT_ONCE = 16

# The second look: the proposed face this high in the middle of a picture this large. Measured with 32/64 and 64/128 as
# well; this one separates faces from other things as well as any and places the box best.
_LOOK_FACE_PX, _LOOK_PX = 44, 96

_LANDMARK_PX = 64


@dataclass(frozen=True, slots=True)
class PyramidScales:
    """How large a picture is made for the network; see ``packs/compact.toml`` for the measurements.

    Attributes:
        coarse_side_px: longer side of the first pass. Smaller pictures are not enlarged.
        fine_scale: of the second pass; None of it for pictures that the first pass shows almost as large.
        max_fine_pixels: bound of the second pass.
        settled_px: a face this high in the first pass makes ``detect_dominant`` skip the second.
        max_fine_px: faces higher than this in the second pass are left to the first, which shows them whole.
    """

    coarse_side_px: int = 320
    fine_scale: float = 0.55
    max_fine_pixels: int = 650_000
    settled_px: float = 45.0
    max_fine_px: float = 160.0

    def coarse(self, width: int, height: int) -> float:
        """The scale of the first pass."""
        return min(self.coarse_side_px / max(width, height), 1.0)

    def fine(self, width: int, height: int) -> float | None:
        """The scale of the second pass, where it would show much more."""
        scale = min(self.fine_scale, (self.max_fine_pixels / (width * height)) ** 0.5)
        return scale if scale > 1.3 * self.coarse(width, height) else None


class PyramidFaceDetector:
    """Faces by an UltraFace network on several scales and a 68-point network.

    Args:
        detector: outputs ``scores`` (n, anchors, 2) and ``offsets`` (n, anchors, 4) for pictures of any size.
        landmarker: grey (n, 64, 64) crops of the box squared to its height → (n, 136) points relative to the crop.
        calibration: of the score that the second look gives.
        min_score: public; faces below are not reported.
        min_proposal: raw score from which a place is looked at again.
        scales: of the passes.
        last_look: at pictures without a face; its boxes are as high as the first network's.
    """

    def __init__(
        self,
        detector: PictureNetwork,
        landmarker: PictureNetwork,
        *,
        calibration: ScoreCalibration,
        min_score: float,
        min_proposal: float = 0.3,
        scales: PyramidScales | None = None,
        last_look: LastLook | None = None,
    ) -> None:
        self._detector = detector
        self._landmarker = landmarker
        self._calibration = calibration
        self._min_score = min_score
        self._min_proposal = min_proposal
        self._scales = scales or PyramidScales()
        self._last_look = last_look

    def detect(self, images: Sequence[Image]) -> list[list[Face]]:
        """All faces of each picture, surest first."""
        return [self._detect_all(image) for image in images]

    def detect_dominant(self, images: Sequence[Image]) -> list[list[Face]]:
        """Faces of each picture, surest first, without the fine pass where the coarse one shows a large face."""
        return [self._detect_dominant(image) for image in images]

    def warm_up(self) -> None:
        """Every network once, in the shapes of a camera frame with one face."""
        frame = np.zeros((480, 640, 3), np.uint8)
        box = np.array([[200.0, 100.0, 400.0, 300.0]], np.float32)
        self.detect([frame])
        self._look_again(frame, box)
        self._look_last(frame)
        self._landmarks(frame, box)

    def _detect_all(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        coarse, fine = self._scales.coarse(width, height), self._scales.fine(width, height)
        proposals = [self._propose(image, coarse)]
        if fine is not None:
            proposals.append(self._propose_small(image, fine))
        return self._settle(image, proposals) or self._retreat(image)

    def _detect_dominant(self, image: Image) -> list[Face]:
        height, width = image.shape[:2]
        coarse, fine = self._scales.coarse(width, height), self._scales.fine(width, height)
        proposals = [self._propose(image, coarse)]
        faces = self._settle(image, proposals)
        highest_px = max((face.box.height for face in faces), default=0.0) * coarse
        if fine is not None and highest_px < self._scales.settled_px:
            faces = self._settle(image, [*proposals, self._propose_small(image, fine)])
        return faces or self._retreat(image)

    def _retreat(self, image: Image) -> list[Face]:
        """Where nothing was found: with the tones spread, where they are dull, and from further away, as a face that
        fills the whole picture is larger than the largest anchor."""
        height, width = image.shape[:2]
        scale = self._scales.coarse(width, height)
        spread = spread_tones(image)
        faces = [] if spread is None else self._settle(spread, [self._propose(spread, scale)])
        image = image if spread is None else spread
        return faces or self._settle(image, [self._propose(image, scale / 2)]) or self._look_last(image)

    def _look_last(self, image: Image) -> list[Face]:
        if self._last_look is None:
            return []
        boxes, raw_scores = self._last_look.proposer.propose(image)
        likely = raw_scores >= self._min_proposal
        scores = np.array([self._last_look.calibration.public(float(raw)) for raw in raw_scores[likely]], np.float32)
        return self._sure_faces(image, boxes[likely], scores)

    def _propose(self, image: Image, scale: float) -> FloatArray:
        """(n, 5) float32: corners in pixels of the image, raw score."""
        height, width = image.shape[:2]
        picture = on_canvas(
            resize_fast(image, width=max(round(width * scale), 1), height=max(round(height * scale), 1))
        )
        scores, offsets = self._detector.run([picture])
        rows = np.flatnonzero(scores[0, :, 1] >= self._min_proposal)
        anchors = anchors_of(picture.shape[1], picture.shape[0])
        boxes = decode(anchors[rows], offsets[0, rows]) / np.float32(scale)
        return np.column_stack([boxes, scores[0, rows, 1]]).astype(np.float32)

    def _propose_small(self, image: Image, scale: float) -> FloatArray:
        """Proposals of the fine pass, which cuts large faces to pieces."""
        rows = self._propose(image, scale)
        small: FloatArray = rows[(rows[:, 3] - rows[:, 1]) * scale <= self._scales.max_fine_px]
        return small

    def _settle(self, image: Image, proposals: Sequence[FloatArray]) -> list[Face]:
        """From proposals to faces: suppress, look again, keep the sure ones, place their landmarks."""
        rows = np.concatenate(proposals)
        boxes, raw_scores = self._look_again(image, rows[suppress(rows[:, :4], rows[:, 4])[:_MAX_FACES], :4])
        scores = np.array([self._calibration.public(float(raw)) for raw in raw_scores], np.float32)
        return self._sure_faces(image, boxes, scores)

    def _sure_faces(self, image: Image, boxes: FloatArray, scores: FloatArray) -> list[Face]:
        """Those with a sufficient public score, each once, with their landmarks."""
        boxes, scores = boxes[scores >= self._min_score], scores[scores >= self._min_score]
        kept = suppress(boxes, scores)
        return [
            Face(box=Box(*map(float, box)), score=float(score), landmarks=points)
            for box, score, points in zip(boxes[kept], scores[kept], self._landmarks(image, boxes[kept]), strict=True)
        ]

    def _look_again(self, image: Image, boxes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Each proposed box in close-up: the box as it is then seen, and its score (0 where it is gone)."""
        anchors = anchors_of(_LOOK_PX, _LOOK_PX)
        seen, sure = np.empty_like(boxes), np.zeros(len(boxes), np.float32)
        for start in range(0, len(boxes), _LOOKS_AT_ONCE):
            batch = boxes[start : start + _LOOKS_AT_ONCE]
            windows = [_window(box, share=_LOOK_PX / _LOOK_FACE_PX) for box in batch]
            scores, offsets = self._detector.run([cut_square(image, window, side_px=_LOOK_PX) for window in windows])
            for row, window in enumerate(windows):
                near = np.flatnonzero(scores[row, :, 1] >= self._min_proposal)
                corners = decode(anchors[near], offsets[row, near]).reshape(-1, 2, 2) / np.float32(_LOOK_PX)
                around = window.to_image(corners).reshape(-1, 4)
                seen[start + row], sure[start + row] = refine(batch[row], around, scores[row, near, 1])
        return seen, sure

    def _landmarks(self, image: Image, boxes: FloatArray) -> FloatArray:
        """(n, 5, 2) float32, pixels of the image."""
        if not len(boxes):
            return np.empty((0, 5, 2), np.float32)
        windows = [_window(box, share=1.0) for box in boxes]
        [output] = self._landmarker.run([_grey(cut_square(image, window, side_px=_LANDMARK_PX)) for window in windows])
        points = output.reshape(len(boxes), -1, 2)
        return five_points(np.stack([window.to_image(p) for window, p in zip(windows, points, strict=True)]))


def _window(box: FloatArray, *, share: float) -> Square:
    """The square around a box whose side is ``share`` times the box's height."""
    return Square.around(float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2, float(box[3] - box[1]) * share)


def _grey(crop: Image) -> Image:
    return cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
