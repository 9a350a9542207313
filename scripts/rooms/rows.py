"""The views of a photo of a room as feature rows, computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from app.core.features import FeatureExtractor
from app.core.heads import unit
from app.core.looks import DETAILED, PLANS, QUICK
from app.types import FloatArray
from scripts.heads.photos import kept_views, open_photo
from scripts.rooms.photos import LabelledRoom

LOOKS = (QUICK, DETAILED)


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
            pooled = kept_views(partial(open_photo, photo.path), photo.path.read_bytes(), extractor, look, cache_dir)
            views[look].append(unit(pooled))
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
