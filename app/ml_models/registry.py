"""Which kinds of models can fill which role. The class of a kind reads its manifest entry and builds its engine.

A kind imports its engine where it builds it, so that commands which only read manifests start at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from app.ml_models.factories import (
    clip,
    face_detection,
    face_embedding,
    face_liveness,
    features,
    image,
    object_detection,
    ocr_networks,
)
from app.ml_models.roles import ModelRole
from app.ml_models.specs import ModelSpec

KINDS: Mapping[ModelRole, tuple[type[ModelSpec], ...]] = {
    ModelRole.FACE_DETECTION: face_detection.KINDS,
    ModelRole.FACE_DETECTION_LAST: face_detection.LAST_KINDS,
    ModelRole.FACE_LANDMARKS: face_detection.LANDMARKS_KINDS,
    ModelRole.FACE_EMBEDDING: face_embedding.KINDS,
    ModelRole.FACE_LIVENESS: face_liveness.KINDS,
    ModelRole.FACE_LIVENESS_WIDE: face_liveness.WIDE_KINDS,
    ModelRole.IMAGE_FEATURES: features.KINDS,
    ModelRole.IMAGE_EMBEDDING: image.KINDS,
    ModelRole.IMAGE_TEXT_EMBEDDING: clip.TEXT_KINDS,
    ModelRole.TEXT_EMBEDDING: image.TEXT_KINDS,
    ModelRole.PERSON_DETECTION: object_detection.KINDS,
    ModelRole.FIRE_SMOKE_DETECTION: object_detection.KINDS,
    ModelRole.OCR_DETECTION: ocr_networks.DETECTION_KINDS,
    ModelRole.OCR_RECOGNITION_LATIN: ocr_networks.RECOGNITION_KINDS,
    ModelRole.OCR_RECOGNITION_VI: ocr_networks.RECOGNITION_KINDS,
    ModelRole.OCR_FALLBACK_VI: ocr_networks.FALLBACK_KINDS,
    ModelRole.OCR_FALLBACK_EN: ocr_networks.FALLBACK_KINDS,
}


def kinds_of(role: ModelRole) -> dict[str, type[ModelSpec]]:
    """The classes that fill a role, by the names of the kinds that they read."""
    return {name: model for model in KINDS[role] for name in get_args(model.model_fields["kind"].annotation)}
