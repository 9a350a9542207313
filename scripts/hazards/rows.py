"""The views of a camera frame as feature rows, computed once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.features import FeatureExtractor
from app.core.heads import unit
from app.core.looks import FRAME, PLANS
from app.core.views import take_views
from app.types import FloatArray, Image
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from scripts.hazards.photos import HazardPhoto

_MAX_PIXELS = 50_000_000


@dataclass(frozen=True, slots=True)
class FrameRows:
    """Of n photos, scaled to unit length: ``wholes`` (n, d), ``tiles`` (n, tiles, d) float32."""

    wholes: FloatArray
    tiles: FloatArray


def read_rows(
    photos: Sequence[HazardPhoto],
    extractor: FeatureExtractor,
    *,
    cache_dir: Path | None,
    progress: Callable[[int], None] = lambda _done: None,
) -> FrameRows:
    """The rows of all photos, in order. Raises ``InvalidImage`` or ``TooLarge``."""
    wholes, tiles = [], []
    for done, photo in enumerate(photos, start=1):
        whole, parts = _rows_of(photo.path, extractor, cache_dir)
        wholes.append(whole)
        tiles.append(parts)
        progress(done)
    return FrameRows(np.stack(wholes), np.stack(tiles))


def open_photo(path: Path) -> Image:
    """A photo of the data."""
    return decode_image(path.read_bytes(), PictureLimits(_MAX_PIXELS))


def _rows_of(path: Path, extractor: FeatureExtractor, cache_dir: Path | None) -> tuple[FloatArray, FloatArray]:
    kept = _cache_file(path, extractor, cache_dir) if cache_dir else None
    if kept is not None and kept.is_file():
        pooled = np.load(kept).astype(np.float32)
    else:
        views = take_views(extractor, open_photo(path), plan=PLANS[FRAME])
        pooled = np.stack([item.pooled for item in views.all])
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            np.save(kept, pooled.astype(np.float16))
    rows = unit(pooled)
    return rows[0], rows[1:]


def _cache_file(path: Path, extractor: FeatureExtractor, cache_dir: Path) -> Path:
    key = f"{extractor.model_id}/{PLANS[FRAME]}".encode() + path.read_bytes()
    return cache_dir / f"{hashlib.sha256(key).hexdigest()[:32]}.npy"
