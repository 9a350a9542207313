"""From a model pack to what watches camera frames."""

from __future__ import annotations

from pathlib import Path

from app.core.anomaly_detector import HazardHeads, HeadAnomalyDetector
from app.core.flood import FloodByWords
from app.core.looks import FRAME
from app.core.object_detection import ObjectDetector
from app.ml_models.factories.clip import find_clip
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.factories.object_detection import ObjectDetectionModel
from app.ml_models.heads import load_heads, reliability_of_heads
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole

_HEADS = ("hazard_fire_or_smoke", "hazard_flames", "hazard_flood", "view_outdoors")


def build_person_detector(loader: ModelLoader) -> ObjectDetector:
    """The pack's person detector; only classes that begin with ``person`` are told, all as ``person``."""
    return loader.model(ModelRole.PERSON_DETECTION, ObjectDetectionModel).build(
        loader, rename=lambda label: "person" if label.startswith("person") else ""
    )


def build_anomaly_detector(loader: ModelLoader, *, own_heads_dir: Path | None = None) -> HeadAnomalyDetector:
    """The detector with the shipped heads, or a hotel's own ones of the same names.

    Raises:
        ConfigurationError: a head is missing, unreadable, was trained on another backbone or for other views.
    """
    extractor = build_feature_extractor(loader)
    heads = load_heads(*_HEADS, model_id=extractor.model_id, own_dir=own_heads_dir, look=FRAME)
    return HeadAnomalyDetector(
        extractor,
        heads=HazardHeads(
            fire_or_smoke=heads["hazard_fire_or_smoke"],
            flames=heads["hazard_flames"],
            flood=heads["hazard_flood"],
            outdoors=heads["view_outdoors"],
            reliability=reliability_of_heads(_HEADS, own_dir=own_heads_dir),
        ),
        persons=build_person_detector(loader),
        boxes=_build_boxes(loader),
        flood_words=_build_flood_words(loader),
    )


def _build_boxes(loader: ModelLoader) -> ObjectDetector | None:
    if not loader.has(ModelRole.FIRE_SMOKE_DETECTION):
        return None
    return loader.model(ModelRole.FIRE_SMOKE_DETECTION, ObjectDetectionModel).build(loader, rename=str)


def _build_flood_words(loader: ModelLoader) -> FloodByWords | None:
    """Only where the pack's image network reads sentences and its manifest says from when on it is believed."""
    spec = find_clip(loader)
    if spec is None or spec.params.flood_threshold is None:
        return None
    return FloodByWords(spec.build(loader), threshold=spec.params.flood_threshold)
