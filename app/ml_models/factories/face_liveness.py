"""Kinds of networks that tell live faces from pictures of faces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat

from app.ml_models.data_files import FileTable
from app.ml_models.factories.networks import CropModel
from app.ml_models.specs import ScoreCalibrationSpec

if TYPE_CHECKING:
    from app.core.liveness import LivenessLimits, LivenessView
    from app.ml_models.model_loader import ModelLoader


class _ViewParams(FileTable):
    context: PositiveFloat
    outline: Literal["square", "box"]
    live_class: NonNegativeInt


class _LivenessParams(_ViewParams):
    min_face_px: NonNegativeFloat
    min_sharpness: NonNegativeFloat
    min_context: NonNegativeFloat = 0.0
    min_tone: NonNegativeFloat = 0.0


class WideLivenessModel(CropModel):
    """One of the networks whose verdicts are averaged."""

    kind: Literal["fasnet128", "minifasnet"]
    params: _ViewParams

    def build_view(self, loader: ModelLoader) -> LivenessView:
        """The network, and the part of the picture that it looks at."""
        from app.core.liveness import LivenessView

        return LivenessView(
            network=self.open_network(loader),
            side_px=self.input.width,
            context=self.params.context,
            live_class=self.params.live_class,
            outline=self.params.outline,
        )


class LivenessModel(WideLivenessModel):
    """The first of them, which also says what can be judged, and how the average is calibrated."""

    params: _LivenessParams
    calibration: ScoreCalibrationSpec

    @property
    def limits(self) -> LivenessLimits:
        """Below these the verdict is uncertain."""
        from app.core.liveness import LivenessLimits

        params = self.params
        return LivenessLimits(
            min_face_px=params.min_face_px,
            min_sharpness=params.min_sharpness,
            min_context=params.min_context,
            min_tone=params.min_tone,
        )


KINDS = (LivenessModel,)
WIDE_KINDS = (WideLivenessModel,)
