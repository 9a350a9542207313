"""From a model pack to what watches camera frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.core.anomaly_detector import HazardHeads, HeadAnomalyDetector
from app.core.face_detection import FaceDetector
from app.core.flood import FloodByWords
from app.core.looks import FRAME
from app.core.yolo import YoloDetector
from app.errors import ConfigurationError
from app.ml_models.factories.clip import TEXT_ROLE, build_clip_embedder
from app.ml_models.factories.face import build_face_detector
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import load_heads
from app.ml_models.model_loader import ModelLoader

PERSON_ROLE = "person_detection"
BOXES_ROLE = "fire_smoke_detection"
_MIN_FACE_SCORE = 0.9  # calibrated: the pack's shipped operating point


def build_person_detector(loader: ModelLoader) -> YoloDetector:
    """The pack's person detector; only classes that begin with ``person`` are told, all as ``person``."""
    labels = loader.spec(PERSON_ROLE).params.texts("labels")
    return _build_yolo(loader, PERSON_ROLE, labels=["person" if label.startswith("person") else "" for label in labels])


def _build_yolo(loader: ModelLoader, role: str, *, labels: Sequence[str]) -> YoloDetector:
    spec = loader.spec(role)
    return YoloDetector(
        loader.session(role),
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
        ConfigurationError: a head is missing, unreadable, was trained on another backbone or not for frames.
    """
    extractor = build_feature_extractor(loader)
    heads = load_heads("hazard_fire_or_smoke", "hazard_flood", model_id=extractor.model_id, own_dir=own_heads_dir)
    for name, head in heads.items():
        if FRAME not in head.calibrations:
            raise ConfigurationError(
                f"The head {name} was not trained for camera frames; train it with --looks {FRAME}."
            )
    return HeadAnomalyDetector(
        extractor,
        heads=HazardHeads(fire_or_smoke=heads["hazard_fire_or_smoke"], flood=heads["hazard_flood"]),
        persons=build_person_detector(loader),
        faces=build_person_face_detector(loader),
        boxes=_build_boxes(loader),
        flood_words=_build_flood_words(loader),
    )


def _build_boxes(loader: ModelLoader) -> YoloDetector | None:
    if not loader.has(BOXES_ROLE):
        return None
    return _build_yolo(loader, BOXES_ROLE, labels=loader.spec(BOXES_ROLE).params.texts("labels"))


def _build_flood_words(loader: ModelLoader) -> FloodByWords | None:
    """Only where the pack's image network reads sentences and its manifest says from when on it is believed."""
    spec = loader.spec("image_embedding") if loader.has(TEXT_ROLE) else None
    if spec is None or "flood_threshold" not in spec.params:
        return None
    embedder = build_clip_embedder(loader, spec, calibrations={})
    return FloodByWords(embedder, threshold=spec.params.number("flood_threshold"))
