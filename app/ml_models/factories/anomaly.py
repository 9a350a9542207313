"""From a model pack to what watches camera frames."""

from __future__ import annotations

from pathlib import Path

from app.core.anomaly_detector import HazardHeads, HeadAnomalyDetector
from app.core.face_detection import FaceDetector
from app.core.yolo import YoloDetector
from app.ml_models.factories.face import build_face_detector
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import load_heads
from app.ml_models.model_loader import ModelLoader

PERSON_ROLE = "person_detection"
_MIN_FACE_SCORE = 0.9  # calibrated: the pack's shipped operating point


def build_person_detector(loader: ModelLoader) -> YoloDetector:
    """The pack's person detector; only classes that begin with ``person`` are told, all as ``person``."""
    spec = loader.spec(PERSON_ROLE)
    labels = ["person" if label.startswith("person") else "" for label in spec.params.texts("labels")]
    return YoloDetector(
        loader.session(PERSON_ROLE),
        labels=labels,
        min_score=spec.params.number("min_score"),
        max_iou=spec.params.number("max_iou"),
        input_name=spec.input.name,
        side_px=spec.input.width,
    )


def build_person_face_detector(loader: ModelLoader) -> FaceDetector:
    """The pack's face detector at the operating point at which a face stands for a person."""
    return build_face_detector(loader, min_score=_MIN_FACE_SCORE)


def build_anomaly_detector(loader: ModelLoader, *, own_heads_dir: Path | None = None) -> HeadAnomalyDetector:
    """The detector with the shipped heads, or a hotel's own ones of the same names.

    Raises:
        ConfigurationError: a head is missing, unreadable, or was trained on another backbone.
    """
    extractor = build_feature_extractor(loader)
    heads = load_heads("hazard_fire_or_smoke", "hazard_flood", model_id=extractor.model_id, own_dir=own_heads_dir)
    return HeadAnomalyDetector(
        extractor,
        heads=HazardHeads(fire_or_smoke=heads["hazard_fire_or_smoke"], flood=heads["hazard_flood"]),
        persons=build_person_detector(loader),
        faces=build_person_face_detector(loader),
    )
