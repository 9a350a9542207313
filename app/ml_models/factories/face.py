"""From a model pack to the face engines."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.calibration import MatchCalibration, ScoreCalibration
from app.core.face_detection import PyramidFaceDetector
from app.core.face_quality import FaceQualityGate, QualityLimits
from app.core.face_recognition import FaceRecognitionEngine
from app.core.liveness import LivenessDetector, LivenessLimits, LivenessView
from app.core.picture_network import PictureNetwork
from app.ml_models.model_loader import ModelLoader


@dataclass(frozen=True, slots=True)
class FaceEngines:
    """What face check-in runs on."""

    recognition: FaceRecognitionEngine
    liveness: LivenessDetector
    gate: FaceQualityGate

    def warm_up(self) -> None:
        """Every network once."""
        self.recognition.warm_up()
        self.liveness.warm_up()


def build_face_engines(loader: ModelLoader, *, min_detection_score: float, min_liveness: float) -> FaceEngines:
    """The engines of the loader's pack; both thresholds are public scores."""
    detector = PyramidFaceDetector(
        _network(loader, "face_detection"),
        _network(loader, "face_landmarks"),
        calibration=ScoreCalibration(raw_threshold=0.7, public_threshold=0.9),
        min_score=min_detection_score,
    )
    return FaceEngines(
        recognition=FaceRecognitionEngine(
            detector,
            _network(loader, "face_embedding"),
            model_id=loader.spec("face_embedding").model_id,
            calibration=MatchCalibration(slope=30.33, intercept=-9.29),
        ),
        liveness=LivenessDetector(
            [LivenessView(_network(loader, "face_liveness"), side_px=128, context=2.7, live_class=0, outline="square")],
            calibration=ScoreCalibration(raw_threshold=0.62, public_threshold=0.5),
            min_score=min_liveness,
            limits=LivenessLimits(min_face_px=64.0, min_sharpness=0.2),
        ),
        gate=FaceQualityGate(
            QualityLimits(
                min_face_px=50.0,
                min_sharpness=0.15,
                min_brightness=40.0,
                max_brightness=235.0,
                max_yaw_deg=50.0,
                frontal_yaw_deg=15.0,
                min_norm=2.5,
                good_norm=4.0,
            )
        ),
    )


def _network(loader: ModelLoader, role: str) -> PictureNetwork:
    spec = loader.spec(role)
    return PictureNetwork(
        loader.session(role),
        input_name=spec.input.name,
        mean=spec.input.mean[0],
        scale=spec.input.scale[0],
        rgb=spec.input.colour == "RGB",
    )
