"""Kinds of face embedders."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveInt

from app.core.calibration import MatchCalibration
from app.ml_models.data_files import FileTable, Share
from app.ml_models.factories.networks import CropModel
from app.ml_models.specs import LogisticSpec, ModelSpec

if TYPE_CHECKING:
    from app.core.face_detection import FaceDetector
    from app.core.face_quality import QualityLimits
    from app.core.face_recognition import FaceRecognitionEngine
    from app.ml_models.model_loader import ModelLoader


class _QualityParams(FileTable):
    """As ``core.face_quality.QualityLimits`` describes them."""

    max_rival_area: Share
    min_face_px: NonNegativeFloat
    min_tone: NonNegativeFloat
    max_bright_share: Share
    min_sharpness: NonNegativeFloat
    max_yaw_deg: NonNegativeFloat
    max_pitch_deg: NonNegativeFloat
    frontal_yaw_deg: NonNegativeFloat
    min_norm: NonNegativeFloat
    fair_norm: NonNegativeFloat
    norm_slope: NonNegativeFloat
    poor_agreement: Share
    good_agreement: Share

    def as_limits(self) -> QualityLimits:
        """For the gate that enrolments pass."""
        from app.core.face_quality import QualityLimits

        return QualityLimits(**self.model_dump())


class EmbeddingParams(FileTable):
    """``dimension`` is the length of the vectors, ``quality`` what is enrolled."""

    dimension: PositiveInt
    quality: _QualityParams


class FaceEmbeddingModel(ModelSpec):
    """What can fill the role ``face_embedding``."""

    params: EmbeddingParams
    calibration: LogisticSpec

    @abstractmethod
    def build(self, loader: ModelLoader, detector: FaceDetector) -> FaceRecognitionEngine:
        """The engine that embeds what ``detector`` finds."""


class ArcfaceModel(FaceEmbeddingModel, CropModel):
    """A network over faces that are aligned as ArcFace wants them."""

    kind: Literal["arcface"]

    def build(self, loader: ModelLoader, detector: FaceDetector) -> FaceRecognitionEngine:
        from app.core.face_recognition import FaceRecognitionEngine

        return FaceRecognitionEngine(
            detector,
            self.open_network(loader),
            model_id=self.model_id,
            dimension=self.params.dimension,
            calibration=MatchCalibration(slope=self.calibration.slope, intercept=self.calibration.intercept),
            plain_norm=self.params.quality.fair_norm,
        )


KINDS = (ArcfaceModel,)
