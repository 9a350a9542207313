"""The operating point of the second opinion on liveness, and what its errors count."""

from __future__ import annotations

import numpy as np

from scripts.heads.attack_judge import judged, operating_point
from scripts.heads.attack_photos import LFW, AttackPhoto


def photo(is_attack: bool, *, source: str = "here", is_uncertain: bool = False) -> AttackPhoto:
    kind = "print" if is_attack else "webcam"
    return AttackPhoto(source, source, kind, is_attack, False, is_uncertain, np.zeros((2, 1), np.float32))


def test_the_operating_point_leaves_the_asked_errors() -> None:
    photos = [photo(is_attack=number < 100, source=f"source {number % 2}") for number in range(200)]
    scores = np.concatenate([np.arange(100.0), np.arange(-80.0, 20.0)])
    point = operating_point(photos, scores)
    shares = {s.name: s.count for s in judged(photos, scores, point, unseen=np.full(200, np.nan))}
    assert shares["all full frames: attacks that pass (APCER)"] == 13  # 0 to 12, the highest living that passes
    assert shares["all full frames: living refused (BPCER)"] == 4
    assert shares["all full frames: living in doubt"] == 3


def test_whoever_is_in_doubt_anyway_neither_passes_nor_is_refused() -> None:
    photos = [photo(is_attack=True, source=f"source {n % 2}", is_uncertain=n < 50) for n in range(100)]
    photos += [photo(is_attack=False, source=LFW, is_uncertain=True) for _ in range(10)]
    photos += [photo(is_attack=False, source=f"source {n % 2}") for n in range(90)]
    scores = np.concatenate([np.arange(100.0), np.full(100, 60.0)])
    shares = {s.name: s.count for s in judged(photos, scores, operating_point(photos, scores), unseen=scores + 99)}
    assert shares["all full frames: attacks that pass (APCER)"] == 11  # 50 to 60
    assert shares["source faces_lfw, by a head that saw none of it: living refused (BPCER)"] == 0
    assert shares["all full frames: living in doubt"] == 10
