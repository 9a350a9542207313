"""Presentation attack detection: is a person in front of the camera, or a picture of one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

import cv2
import numpy as np

from app.core.calibration import ScoreCalibration
from app.core.face_measures import face_tones, sharpness
from app.core.features import softmax
from app.core.picture_network import PictureNetwork
from app.types import Box, Face, FloatArray, Image


class Uncertainty(StrEnum):
    """Why nothing can be said. The networks look at fine texture; where there is none they call fakes real."""

    NOT_JUDGED = "not_judged"
    TOO_SMALL = "too_small"
    TOO_TIGHT = "too_tight"
    TOO_DARK = "too_dark"
    BLURRY = "blurry"
    UNCLEAR = "unclear"


class LivenessProof(StrEnum):
    """How it was shown that a person is alive: not at all, by looking at pictures, or by a session of movements."""

    NONE = "none"
    PASSIVE = "passive"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Liveness:
    """The verdict on one face.

    Attributes:
        score: calibrated, 0 to 1, higher is more alive; None where no picture was judged.
        is_live: whether the score reaches the threshold and nothing makes it uncertain.
        uncertain: why the score does not count; None where it does.
        proof: what the verdict rests on.
    """

    score: float | None
    is_live: bool
    uncertain: Uncertainty | None = None
    proof: LivenessProof = LivenessProof.PASSIVE


@dataclass(frozen=True, slots=True)
class LivenessView:
    """One network and the part of the picture that it looks at.

    Attributes:
        network: crops → logits of at least two classes, then whatever else the network tells.
        side_px: side of the crops.
        context: side of the part, in sides of the face box.
        live_class: which class is a live face.
        outline: ``square`` takes a square with the box's area for the box; ``box`` the box as it is, squeezed.
    """

    network: PictureNetwork
    side_px: int
    context: float
    live_class: int
    outline: Literal["square", "box"]

    def look(self, image: Image, boxes: Sequence[Box]) -> list[FloatArray]:
        """Each output of the network, a row a face: (n, classes) logits first."""
        crops = [
            surroundings(image, box, context=self.context, side_px=self.side_px, outline=self.outline) for box in boxes
        ]
        # One row a face, whatever singular dimensions an export leaves.
        return [output.reshape(len(boxes), -1) for output in self.network.run(crops)]


@dataclass(frozen=True, slots=True)
class LivenessLimits:
    """Below these the verdict is uncertain.

    Attributes:
        min_face_px: height of the face.
        min_sharpness: as ``face_measures.sharpness``.
        min_context: the picture's shorter side in sides of the face; less shows nothing of what is around it.
        min_tone: mean grey value of the face, 0 to 255.
    """

    min_face_px: float
    min_sharpness: float
    min_context: float = 0.0
    min_tone: float = 0.0


class SecondOpinion(Protocol):
    """Judges faces once more, by the first network's answers and whatever else the picture shows.

    Attributes:
        attack_score: public, up to which a face is called an attack; from there to the score that passes nobody can
            tell.
    """

    attack_score: float

    def scores(
        self, image: Image, boxes: Sequence[Box], *, answers: Sequence[FloatArray], first: Sequence[float]
    ) -> list[float]:
        """Public scores of live faces.

        Args:
            answers: of the first network, as ``LivenessView.look`` has them.
            first: public scores by the networks alone.
        """
        ...


class LivenessDetector:
    """Separates live faces from printed, held-up and replayed ones.

    Args:
        views: their probabilities are averaged; without any, nobody is judged and all are uncertain.
        calibration: of that average.
        min_score: public, from which a face counts as live.
        limits: of what can be judged.
        second: has the last word where there is one.
    """

    def __init__(
        self,
        views: Sequence[LivenessView],
        *,
        calibration: ScoreCalibration,
        min_score: float,
        limits: LivenessLimits,
        second: SecondOpinion | None = None,
    ) -> None:
        self._views = tuple(views)
        self._calibration = calibration
        self._min_score = min_score
        self._limits = limits
        self._second = second

    def assess(self, image: Image, faces: Sequence[Face]) -> list[Liveness]:
        """The verdict on each face of a BGR picture, in order."""
        boxes = [face.box for face in faces]
        return [self._judge(image, box, score) for box, score in zip(boxes, self.scores(image, boxes), strict=True)]

    def check_liveness(self, image: Image, face_bbox: Sequence[float]) -> tuple[bool, float]:
        """Whether the face in ``x1, y1, x2, y2`` is live, and its score."""
        box = Box(*map(float, face_bbox))
        verdict = self._judge(image, box, self.scores(image, [box])[0])
        return verdict.is_live, verdict.score or 0.0

    def answers(self, image: Image, boxes: Sequence[Box]) -> list[FloatArray]:
        """What the first network tells, as ``LivenessView.look`` has it."""
        return self._views[0].look(image, boxes)

    def by_networks_alone(self) -> LivenessDetector:
        """The same networks without the second opinion, which knows single pictures and no faces in motion."""
        return LivenessDetector(
            self._views, calibration=self._calibration, min_score=self._min_score, limits=self._limits
        )

    def warm_up(self) -> None:
        """Every network once."""
        self.scores(np.zeros((480, 640, 3), np.uint8), [Box(200.0, 100.0, 400.0, 300.0)])

    def _judge(self, image: Image, box: Box, score: float) -> Liveness:
        uncertain = self._doubt(image, box)
        if uncertain is Uncertainty.NOT_JUDGED:
            return Liveness(None, is_live=False, uncertain=uncertain)
        if uncertain is None and self._second is not None and self._second.attack_score < score < self._min_score:
            uncertain = Uncertainty.UNCLEAR
        return Liveness(score, is_live=score >= self._min_score and uncertain is None, uncertain=uncertain)

    def _doubt(self, image: Image, box: Box) -> Uncertainty | None:
        limits = self._limits
        if not self._views:
            return Uncertainty.NOT_JUDGED
        if box.height < limits.min_face_px:
            return Uncertainty.TOO_SMALL
        if min(image.shape[:2]) < limits.min_context * box.area**0.5:
            return Uncertainty.TOO_TIGHT
        tones = face_tones(image, box)
        if float(tones.mean()) < limits.min_tone:
            return Uncertainty.TOO_DARK
        return Uncertainty.BLURRY if sharpness(tones) < limits.min_sharpness else None

    def scores(self, image: Image, boxes: Sequence[Box]) -> list[float]:
        """Public scores of the faces in those boxes."""
        if not boxes or not self._views:
            return [0.0] * len(boxes)
        answers = [view.look(image, boxes) for view in self._views]
        probabilities = [
            softmax(logits)[:, view.live_class] for (logits, *_), view in zip(answers, self._views, strict=True)
        ]
        first = [self._calibration.public(float(raw)) for raw in np.mean(probabilities, axis=0)]
        return first if self._second is None else self._second.scores(image, boxes, answers=answers[0], first=first)


def surroundings(
    image: Image, box: Box, *, context: float, side_px: int, outline: Literal["square", "box"] = "square"
) -> Image:
    """The face with what is around it, always from inside the picture.

    Where the wanted part reaches over an edge it is moved in, and made smaller where it is larger than the picture:
    an invented border would pass for the frame of a live shot (measured: 45 % of the prints were then called live).
    """
    height, width = image.shape[:2]
    wide, high = (box.width, box.height) if outline == "box" else (box.area**0.5, box.area**0.5)
    wide, high = max(wide, 1.0), max(high, 1.0)
    context = min(context, width / wide, height / high)
    wide, high = wide * context, high * context
    left = min(max((box.x1 + box.x2 - wide) / 2, 0.0), width - wide)
    top = min(max((box.y1 + box.y2 - high) / 2, 0.0), height - high)
    right, bottom = max(round(left + wide), int(left) + 1), max(round(top + high), int(top) + 1)
    return _shrunk(image[int(top) : bottom, int(left) : right], side_px=side_px)


def _shrunk(part: Image, *, side_px: int) -> Image:
    """The part at the network's size, averaged: sampled, a grainy print is called live ten times as often.

    From three times that size on it is sampled down to that first, which bounds the time.
    """
    if min(part.shape[:2]) > 3 * side_px:
        part = cv2.resize(part, (3 * side_px, 3 * side_px), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    interpolation = cv2.INTER_AREA if min(part.shape[:2]) > side_px else cv2.INTER_LINEAR
    return cv2.resize(part, (side_px, side_px), interpolation=interpolation).astype(np.uint8, copy=False)
