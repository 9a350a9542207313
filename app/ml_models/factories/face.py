"""From a model pack to the face engines."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.core.attack_cues import CLOSE, AttackHead
from app.core.face_covers import FaceCoverDetector
from app.core.face_detection import FaceDetector
from app.core.face_quality import FaceQualityGate
from app.core.face_recognition import FaceRecognitionEngine
from app.core.features import FeatureExtractor
from app.core.liveness import LivenessDetector, LivenessView, SecondOpinion
from app.ml_models.factories.face_detection import FaceDetectionModel
from app.ml_models.factories.face_embedding import FaceEmbeddingModel
from app.ml_models.factories.face_liveness import LivenessModel, WideLivenessModel
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import HEADS_DIR, load_heads, read_head_file
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole

LOWER_HEAD, EYES_HEAD = "face_lower_covered", "face_eyes_covered"
ATTACK_HEAD = "face_attack"


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
    loader: ModelLoader, *, min_detection_score: float = 0.9, min_liveness: float | None = 0.5
) -> FaceEngines:
    """Load the networks of the face roles.

    Args:
        loader: of the pack.
        min_detection_score: public, of the setting FACE_DETECTION_THRESHOLD.
        min_liveness: public, of the setting LIVENESS_THRESHOLD; None judges no pictures and loads no network for it.

    Raises:
        ConfigurationError: the pack lacks a role.
        ModelUnavailable: a file is missing or damaged.
    """
    embedding = loader.model(ModelRole.FACE_EMBEDDING, FaceEmbeddingModel)
    extractor = build_feature_extractor(loader) if loader.has(ModelRole.IMAGE_FEATURES) else None
    covers = _build_cover_detector(extractor)
    return FaceEngines(
        recognition=embedding.build(loader, build_face_detector(loader, min_score=min_detection_score)),
        liveness=_liveness(loader, min_score=min_liveness),
        gate=FaceQualityGate(embedding.params.quality.as_limits(), covers),
        covers=covers,
    )


def build_face_detector(loader: ModelLoader, *, min_score: float) -> FaceDetector:
    """The pack's detector, whichever kind it is. Raises as ``build_face_engines``."""
    return loader.model(ModelRole.FACE_DETECTION, FaceDetectionModel).build(loader, min_score=min_score)


def _build_cover_detector(extractor: FeatureExtractor | None) -> FaceCoverDetector | None:
    """What sees masks and dark glasses; None where the pack has no backbone, or the heads were not trained yet."""
    if extractor is None or not (HEADS_DIR / f"{LOWER_HEAD}.json").is_file():
        return None
    heads = load_heads(LOWER_HEAD, EYES_HEAD, model_id=extractor.model_id)
    return FaceCoverDetector(extractor, lower=heads[LOWER_HEAD], eyes=heads[EYES_HEAD])


def build_first_liveness(loader: ModelLoader, *, min_score: float) -> LivenessDetector:
    """The pack's liveness networks alone. Raises as ``build_face_engines``."""
    return _detector(loader, _liveness_views(loader), min_score=min_score, second=None)


def attack_head_model_id(loader: ModelLoader) -> str:
    """The network whose answers the second opinion reads."""
    return loader.spec(ModelRole.FACE_LIVENESS).model_id


def build_close_view(loader: ModelLoader) -> LivenessView:
    """The liveness network's second look, at the face alone."""
    return replace(loader.model(ModelRole.FACE_LIVENESS, LivenessModel).build_view(loader), context=CLOSE)


def _build_attack_head(loader: ModelLoader, first: LivenessView) -> AttackHead | None:
    """None where the pack has another network than the head was trained on, or it was not trained yet."""
    path = HEADS_DIR / f"{ATTACK_HEAD}.json"
    if not path.is_file():
        return None
    head = read_head_file(path)
    if head.model_id != attack_head_model_id(loader):
        return None
    return AttackHead(replace(first, context=CLOSE), head.as_head())


def _liveness(loader: ModelLoader, *, min_score: float | None) -> LivenessDetector:
    if min_score is None:
        return _detector(loader, [], min_score=0.0, second=None)
    views = _liveness_views(loader)
    return _detector(loader, views, min_score=min_score, second=_build_attack_head(loader, views[0]))


def _liveness_views(loader: ModelLoader) -> list[LivenessView]:
    views = [loader.model(ModelRole.FACE_LIVENESS, LivenessModel).build_view(loader)]
    if loader.has(ModelRole.FACE_LIVENESS_WIDE):
        views.append(loader.model(ModelRole.FACE_LIVENESS_WIDE, WideLivenessModel).build_view(loader))
    return views


def _detector(
    loader: ModelLoader, views: list[LivenessView], *, min_score: float, second: SecondOpinion | None
) -> LivenessDetector:
    first = loader.model(ModelRole.FACE_LIVENESS, LivenessModel)
    return LivenessDetector(
        views,
        calibration=first.calibration.as_calibration(),
        min_score=min_score,
        limits=first.limits,
        second=second,
    )
