"""From a model pack to the face engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.core.calibration import MatchCalibration, ScoreCalibration
from app.core.face_detection import FaceDetector, PyramidFaceDetector, PyramidScales
from app.core.face_detection_scrfd import ScrfdFaceDetector
from app.core.face_quality import FaceQualityGate, QualityLimits
from app.core.face_recognition import FaceRecognitionEngine
from app.core.liveness import LivenessDetector, LivenessLimits, LivenessView
from app.core.picture_network import PictureNetwork
from app.errors import ConfigurationError
from app.ml_models.manifest import ModelSpec
from app.ml_models.model_loader import ModelLoader
from app.ml_models.tables import Table

DETECTION, LANDMARKS, EMBEDDING = "face_detection", "face_landmarks", "face_embedding"
LIVENESS = ("face_liveness", "face_liveness_wide")
"""The second is filled by packs whose verdict is the mean of two networks."""

_LIVENESS_KINDS = ("fasnet128", "minifasnet")


@dataclass(frozen=True, slots=True)
class FaceEngines:
    """What the face workflows work with."""

    recognition: FaceRecognitionEngine
    liveness: LivenessDetector
    gate: FaceQualityGate

    def warm_up(self) -> None:
        """Run every network once."""
        self.recognition.warm_up()
        self.liveness.warm_up()


def build_face_engines(
    loader: ModelLoader, *, min_detection_score: float = 0.9, min_liveness: float = 0.5
) -> FaceEngines:
    """Load the networks of the face roles.

    Args:
        loader: of the pack.
        min_detection_score: public, of the setting FACE_DETECTION_THRESHOLD.
        min_liveness: public, of the setting LIVENESS_THRESHOLD.

    Raises:
        ConfigurationError: the pack lacks a role or a figure, or names a kind that no engine reads.
        ModelUnavailable: a file is missing or damaged.
    """
    return FaceEngines(
        recognition=_build_recognition(loader, min_score=min_detection_score),
        liveness=build_liveness_detector(loader, min_score=min_liveness),
        gate=FaceQualityGate(_read_limits(loader.spec(EMBEDDING).params.table("quality"))),
    )


def build_face_detector(loader: ModelLoader, *, min_score: float) -> FaceDetector:
    """The pack's detector, whichever kind it is. Raises as ``build_face_engines``."""
    spec = loader.spec(DETECTION)
    calibration = _read_score_calibration(spec)
    if spec.kind == "ultraface":
        return PyramidFaceDetector(
            _open_network(loader, DETECTION),
            _open_network(loader, LANDMARKS),
            calibration=calibration,
            min_score=min_score,
            min_proposal=spec.params.number("min_proposal"),
            scales=PyramidScales(
                coarse_side_px=spec.params.integer("coarse_side_px"),
                fine_scale=spec.params.number("fine_scale"),
                max_fine_pixels=spec.params.integer("max_fine_pixels"),
            ),
        )
    if spec.kind == "scrfd":
        return ScrfdFaceDetector(
            loader.session(DETECTION),
            input_name=spec.input.name,
            side_px=spec.input.width,
            calibration=calibration,
            min_score=min_score,
        )
    raise _unknown_kind(spec, "ultraface", "scrfd")


def build_liveness_detector(loader: ModelLoader, *, min_score: float) -> LivenessDetector:
    """The pack's presentation attack detector. Raises as ``build_face_engines``."""
    params = loader.spec(LIVENESS[0]).params
    return LivenessDetector(
        [_open_view(loader, role) for role in LIVENESS if role == LIVENESS[0] or loader.has(role)],
        calibration=_read_score_calibration(loader.spec(LIVENESS[0])),
        min_score=min_score,
        limits=LivenessLimits(min_face_px=params.number("min_face_px"), min_sharpness=params.number("min_sharpness")),
    )


def _build_recognition(loader: ModelLoader, *, min_score: float) -> FaceRecognitionEngine:
    spec = loader.spec(EMBEDDING)
    if spec.kind != "arcface":
        raise _unknown_kind(spec, "arcface")
    return FaceRecognitionEngine(
        build_face_detector(loader, min_score=min_score),
        _open_network(loader, EMBEDDING),
        model_id=spec.model_id,
        calibration=MatchCalibration(
            slope=spec.calibration.number("slope"), intercept=spec.calibration.number("intercept")
        ),
    )


def _open_view(loader: ModelLoader, role: str) -> LivenessView:
    spec = loader.spec(role)
    if spec.kind not in _LIVENESS_KINDS:
        raise _unknown_kind(spec, *_LIVENESS_KINDS)
    return LivenessView(
        network=_open_network(loader, role),
        side_px=spec.input.width,
        context=spec.params.number("context"),
        live_class=spec.params.integer("live_class"),
        outline=_read_outline(spec.params),
    )


def _open_network(loader: ModelLoader, role: str) -> PictureNetwork:
    wanted = loader.spec(role).input
    if len({*wanted.mean}) > 1 or len({*wanted.scale}) > 1:
        raise ConfigurationError(f"{role}: face networks take one mean and one scale for all channels.")
    return PictureNetwork(
        loader.session(role),
        input_name=wanted.name,
        mean=wanted.mean[0],
        scale=wanted.scale[0],
        rgb=wanted.colour == "RGB",
    )


def _read_score_calibration(spec: ModelSpec) -> ScoreCalibration:
    return ScoreCalibration(
        raw_threshold=spec.calibration.number("raw_threshold"),
        public_threshold=spec.calibration.number("public_threshold"),
    )


def _read_limits(quality: Table) -> QualityLimits:
    return QualityLimits(**{name: quality.number(name) for name in QualityLimits.__dataclass_fields__})


def _read_outline(params: Table) -> Literal["square", "box"]:
    match params.text("outline"):
        case "square":
            return "square"
        case "box":
            return "box"
        case other:
            raise ConfigurationError(f"{params.place}: outline must be square or box, and is {other}.")


def _unknown_kind(spec: ModelSpec, *known: str) -> ConfigurationError:
    return ConfigurationError(f"{spec.role}: no engine reads the kind {spec.kind}; known are {', '.join(known)}.")
