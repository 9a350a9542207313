"""From a model pack to the face engines."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.face_covers import FaceCoverDetector
from app.core.face_detection import FaceDetector
from app.core.face_quality import FaceQualityGate
from app.core.face_recognition import FaceRecognitionEngine
from app.core.liveness import LivenessDetector
from app.ml_models.factories.face_detection import FaceDetectionModel
from app.ml_models.factories.face_embedding import FaceEmbeddingModel
from app.ml_models.factories.face_liveness import LivenessModel, WideLivenessModel
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import HEADS_DIR, load_heads
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole

LOWER_HEAD, EYES_HEAD = "face_lower_covered", "face_eyes_covered"


@dataclass(frozen=True, slots=True)
class FaceEngines:
    """What the face workflows work with."""

    recognition: FaceRecognitionEngine
    liveness: LivenessDetector
    gate: FaceQualityGate
    covers: FaceCoverDetector | None

    def warm_up(self) -> None:
        """Run every network once."""
        self.recognition.warm_up()
        self.liveness.warm_up()
        if self.covers is not None:
            self.covers.warm_up()


def build_face_engines(
    loader: ModelLoader, *, min_detection_score: float = 0.9, min_liveness: float = 0.5
) -> FaceEngines:
    """Load the networks of the face roles.

    Args:
        loader: of the pack.
        min_detection_score: public, of the setting FACE_DETECTION_THRESHOLD.
        min_liveness: public, of the setting LIVENESS_THRESHOLD.

    Raises:
        ConfigurationError: the pack lacks a role.
        ModelUnavailable: a file is missing or damaged.
    """
    embedding = loader.model(ModelRole.FACE_EMBEDDING, FaceEmbeddingModel)
    covers = build_cover_detector(loader)
    return FaceEngines(
        recognition=embedding.build(loader, build_face_detector(loader, min_score=min_detection_score)),
        liveness=build_liveness_detector(loader, min_score=min_liveness),
        gate=FaceQualityGate(embedding.params.quality.as_limits(), covers),
        covers=covers,
    )


def build_face_detector(loader: ModelLoader, *, min_score: float) -> FaceDetector:
    """The pack's detector, whichever kind it is. Raises as ``build_face_engines``."""
    return loader.model(ModelRole.FACE_DETECTION, FaceDetectionModel).build(loader, min_score=min_score)


def build_cover_detector(loader: ModelLoader) -> FaceCoverDetector | None:
    """What sees masks and dark glasses; None where the pack has no backbone, or the heads were not trained yet."""
    if not loader.has(ModelRole.IMAGE_FEATURES) or not (HEADS_DIR / f"{LOWER_HEAD}.json").is_file():
        return None
    extractor = build_feature_extractor(loader)
    heads = load_heads(LOWER_HEAD, EYES_HEAD, model_id=extractor.model_id)
    return FaceCoverDetector(extractor, lower=heads[LOWER_HEAD], eyes=heads[EYES_HEAD])


def build_liveness_detector(loader: ModelLoader, *, min_score: float) -> LivenessDetector:
    """The pack's presentation attack detector, of one network or of two. Raises as ``build_face_engines``."""
    first = loader.model(ModelRole.FACE_LIVENESS, LivenessModel)
    views = [first.build_view(loader)]
    if loader.has(ModelRole.FACE_LIVENESS_WIDE):
        views.append(loader.model(ModelRole.FACE_LIVENESS_WIDE, WideLivenessModel).build_view(loader))
    return LivenessDetector(
        views, calibration=first.calibration.as_calibration(), min_score=min_score, limits=first.limits
    )
