"""What the models of a pack are for."""

from __future__ import annotations

from enum import StrEnum


class ModelRole(StrEnum):
    """A role of a pack; each is filled at most once. ``registry.py`` has the kinds of models that can fill it."""

    FACE_DETECTION = "face_detection"
    FACE_DETECTION_LAST = "face_detection_last"
    FACE_LANDMARKS = "face_landmarks"
    FACE_EMBEDDING = "face_embedding"
    FACE_LIVENESS = "face_liveness"
    FACE_LIVENESS_WIDE = "face_liveness_wide"
    IMAGE_FEATURES = "image_features"
    IMAGE_EMBEDDING = "image_embedding"
    IMAGE_TEXT_EMBEDDING = "image_text_embedding"
    TEXT_EMBEDDING = "text_embedding"
    PERSON_DETECTION = "person_detection"
    FIRE_SMOKE_DETECTION = "fire_smoke_detection"
    OCR_DETECTION = "ocr_detection"
    OCR_RECOGNITION_LATIN = "ocr_recognition_latin"
    OCR_RECOGNITION_VI = "ocr_recognition_vi"
    OCR_FALLBACK_VI = "ocr_fallback_vi"
    OCR_FALLBACK_EN = "ocr_fallback_en"
