"""Kinds of face detectors, and of what finds the points of a face for them."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat, PositiveInt

from app.ml_models.data_files import FileTable, Share
from app.ml_models.factories.networks import CropModel
from app.ml_models.roles import ModelRole
from app.ml_models.specs import InputSpec, ModelSpec, ScoreCalibrationSpec

if TYPE_CHECKING:
    from app.core.face_detection import FaceDetector, LastLook
    from app.ml_models.model_loader import ModelLoader


class FaceDetectionModel(ModelSpec):
    """What can fill the role ``face_detection``."""

    calibration: ScoreCalibrationSpec

    @abstractmethod
    def build(self, loader: ModelLoader, *, min_score: float) -> FaceDetector:
        """The detector, which finds faces from the public score ``min_score`` on."""


class _UltrafaceParams(FileTable):
    coarse_side_px: PositiveInt
    fine_scale: PositiveFloat
    max_fine_pixels: PositiveInt
    min_proposal: Share


class UltrafaceModel(FaceDetectionModel, CropModel):
    """Boxes in two passes; the points come from the model of the role ``face_landmarks``. Where the pack fills
    ``face_detection_last``, that one looks at pictures in which nothing was found."""

    kind: Literal["ultraface"]
    params: _UltrafaceParams

    def build(self, loader: ModelLoader, *, min_score: float) -> FaceDetector:
        from app.core.face_detection import PyramidFaceDetector, PyramidScales

        last = ModelRole.FACE_DETECTION_LAST
        return PyramidFaceDetector(
            self.open_network(loader),
            loader.model(ModelRole.FACE_LANDMARKS, LandmarksModel).open_network(loader),
            calibration=self.calibration.as_calibration(),
            min_score=min_score,
            min_proposal=self.params.min_proposal,
            scales=PyramidScales(
                coarse_side_px=self.params.coarse_side_px,
                fine_scale=self.params.fine_scale,
                max_fine_pixels=self.params.max_fine_pixels,
            ),
            last_look=loader.model(last, YunetModel).build(loader) if loader.has(last) else None,
        )


class ScrfdModel(FaceDetectionModel):
    """Boxes and points in one pass."""

    kind: Literal["scrfd"]
    input: InputSpec

    def build(self, loader: ModelLoader, *, min_score: float) -> FaceDetector:
        from app.core.face_detection_scrfd import ScrfdFaceDetector

        return ScrfdFaceDetector(
            loader.session(self.role),
            input_name=self.input.name,
            side_px=self.input.width,
            calibration=self.calibration.as_calibration(),
            min_score=min_score,
        )


class YunetModel(CropModel):
    """Boxes in one pass over the whole picture."""

    kind: Literal["yunet"]
    calibration: ScoreCalibrationSpec

    def build(self, loader: ModelLoader) -> LastLook:
        """The network, and what its scores are worth."""
        from app.core.face_detection import LastLook
        from app.core.yunet import YunetProposer

        proposer = YunetProposer(self.open_network(loader), side_px=self.input.width)
        return LastLook(proposer, self.calibration.as_calibration())


class LandmarksModel(CropModel):
    """Sixty-eight points of a face."""

    kind: Literal["landmarks68"]


KINDS = (UltrafaceModel, ScrfdModel)
LANDMARKS_KINDS = (LandmarksModel,)
LAST_KINDS = (YunetModel,)
