"""Presentation attacks: prints and held-up photos against live faces, clear and degraded.

The photos show no screens and no masks, and the live ones come from the web: the figures flatter the detector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.core.liveness import Liveness, LivenessDetector
from app.types import Face, Image
from evaluation.faces.photos import read_image, read_labels, scaled
from evaluation.figures import Share

_BLURS = (0.01, 0.02, 0.03, 0.05)
_HEIGHTS_PX = (96, 64, 48, 36)


@dataclass(frozen=True, slots=True)
class Sample:
    """A photo with its largest face; ``face`` is None where none was found, which lets nobody in."""

    image: Image
    face: Face | None
    is_live: bool


def evaluate_attacks(engine: FaceRecognitionEngine, detector: LivenessDetector, folder: Path) -> list[Share]:
    """APCER: attacks that pass. BPCER: live faces that do not, for whatever reason."""
    samples = [_read(engine, folder / row["file"], is_live=row["label"] == "live") for row in read_labels(folder)]
    shares = _error_rates("clear photos", samples, detector, lambda sample: sample, max_apcer=0.03, max_bpcer=0.02)
    for half in (0, 1):
        shares += _error_rates(
            f"every second clear photo, from {half}", samples[half::2], detector, lambda sample: sample
        )
    for sigma in _BLURS:
        shares += _degraded(f"blurred by {sigma:.0%} of the face's height", samples, detector, _blurrer(sigma))
    for height_px in _HEIGHTS_PX:
        shares += _degraded(f"face of {height_px} px", samples, detector, _shrinker(height_px))
    return shares


def _read(engine: FaceRecognitionEngine, path: Path, *, is_live: bool) -> Sample:
    image = read_image(path)
    return Sample(image, largest_face(engine.detect_dominant_faces(image)), is_live)


def _error_rates(
    label: str,
    samples: Sequence[Sample],
    detector: LivenessDetector,
    degrade: Callable[[Sample], Sample],
    *,
    max_apcer: float | None = None,
    max_bpcer: float | None = None,
) -> list[Share]:
    verdicts = [(sample.is_live, _judge(detector, degrade(sample))) for sample in samples]
    attacks = [verdict for is_live, verdict in verdicts if not is_live]
    live = [verdict for is_live, verdict in verdicts if is_live]
    return [
        Share(f"{label}: APCER", sum(map(_passes, attacks)), len(attacks), target=max_apcer, better="lower"),
        Share(f"{label}: BPCER", sum(not _passes(v) for v in live), len(live), target=max_bpcer, better="lower"),
    ]


def _degraded(
    label: str, samples: Sequence[Sample], detector: LivenessDetector, degrade: Callable[[Sample], Sample]
) -> list[Share]:
    verdicts = [(sample.is_live, _judge(detector, degrade(sample))) for sample in samples]
    attacks = [verdict for is_live, verdict in verdicts if not is_live]
    doubted = [verdict is not None and verdict.uncertain is not None for _, verdict in verdicts]
    return [
        Share(f"{label}: APCER", sum(map(_passes, attacks)), len(attacks), better="lower"),
        Share(f"{label}: uncertain", sum(doubted), len(doubted)),
    ]


def _judge(detector: LivenessDetector, sample: Sample) -> Liveness | None:
    return None if sample.face is None else detector.assess(sample.image, [sample.face])[0]


def _passes(verdict: Liveness | None) -> bool:
    return verdict is not None and verdict.is_live


def _blurrer(sigma: float) -> Callable[[Sample], Sample]:
    def blur(sample: Sample) -> Sample:
        if sample.face is None:
            return sample
        image = cv2.GaussianBlur(sample.image, (0, 0), sample.face.box.height * sigma).astype(np.uint8)
        return Sample(image, sample.face, sample.is_live)

    return blur


def _shrinker(height_px: int) -> Callable[[Sample], Sample]:
    def shrink(sample: Sample) -> Sample:
        if sample.face is None or sample.face.box.height <= height_px:
            return sample
        factor = height_px / sample.face.box.height
        # Half a pixel more, so that rounding does not push the face under a limit of just that height.
        box = sample.face.box.scale(factor * (1 + 0.5 / height_px))
        face = Face(box, sample.face.score, sample.face.landmarks * np.float32(factor))
        return Sample(scaled(sample.image, factor), face, sample.is_live)

    return shrink
