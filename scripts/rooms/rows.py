"""The views of a photo of a room as feature rows, computed once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.features import FeatureExtractor
from app.core.heads import unit
from app.core.looks import DETAILED, PLANS, QUICK
from app.core.views import take_views
from app.types import FloatArray
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from scripts.rooms.photos import LabelledRoom

LOOKS = (QUICK, DETAILED)
_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class LookRows:
    """Of n photos, by way of looking, scaled to unit length.

    ``views`` (n, views, d): each view by itself. ``means`` (n, d): what a head with mean pooling scores, exactly.
    """

    views: Mapping[str, FloatArray]
    means: Mapping[str, FloatArray]


def read_look_rows(
    photos: Sequence[LabelledRoom],
    extractor: FeatureExtractor,
    *,
    cache_dir: Path | None,
    progress: Callable[[int], None] = lambda _done: None,
) -> LookRows:
    """The rows of all photos, in order. Raises ``InvalidImage`` or ``TooLarge``."""
    views: dict[str, list[FloatArray]] = {look: [] for look in LOOKS}
    for done, photo in enumerate(photos, start=1):
        for look in LOOKS:
            views[look].append(unit(_pooled(photo.path, extractor, look, cache_dir)))
        progress(done)
    stacked = {look: np.stack(items) for look, items in views.items()}
    return LookRows(stacked, {look: _mean(items, wholes_of(look)) for look, items in stacked.items()})


def _mean(views: FloatArray, wholes: int) -> FloatArray:
    """As ``pool_scores`` weighs them: whole views one half, tiles the other."""
    whole = views[:, :wholes].mean(axis=1)
    mean: FloatArray = whole if views.shape[1] == wholes else (whole + views[:, wholes:].mean(axis=1)) / 2
    return mean


def wholes_of(look: str) -> int:
    """How many of a look's views are of the whole photo; these come first."""
    plan = PLANS[look]
    return len(plan.whole_sides_px) * (2 if plan.mirrored else 1)


def _pooled(path: Path, extractor: FeatureExtractor, look: str, cache_dir: Path | None) -> FloatArray:
    kept = _cache_file(path, extractor, look, cache_dir) if cache_dir else None
    if kept is not None and kept.is_file():
        known: FloatArray = np.load(kept).astype(np.float32)
        return known
    picture = decode_image(path.read_bytes(), PictureLimits(_MAX_PIXELS))
    pooled = np.stack([item.pooled for item in take_views(extractor, picture, plan=PLANS[look]).all])
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, pooled.astype(np.float16))
    return pooled


def _cache_file(path: Path, extractor: FeatureExtractor, look: str, cache_dir: Path) -> Path:
    key = f"{extractor.model_id}/{PLANS[look].summary}".encode() + path.read_bytes()
    return cache_dir / f"{hashlib.sha256(key).hexdigest()[:32]}.npy"
