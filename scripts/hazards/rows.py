"""The views of a camera frame as feature rows, computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.features import FeatureExtractor
from app.core.heads import unit
from app.core.looks import FRAME
from app.types import FloatArray, Image
from scripts.hazards.photos import HazardPhoto
from scripts.heads.photos import kept_views, open_photo


@dataclass(frozen=True, slots=True)
class FrameRows:
    """Of n photos, scaled to unit length: ``wholes`` (n, d), ``tiles`` (n, tiles, d) float32.

    ``directions`` (1280, d): in which the rows are given; None where these are the backbone's own.
    """

    wholes: FloatArray
    tiles: FloatArray
    directions: FloatArray | None = None

    def take(self, rows: NDArray[np.intp] | Sequence[int]) -> FrameRows:
        """Those photos, in that order."""
        return FrameRows(self.wholes[rows], self.tiles[rows], self.directions)

    def along(self, directions: FloatArray) -> FrameRows:
        """The same rows, given in those directions."""
        return FrameRows(self.wholes @ directions, self.tiles @ directions, directions)

    def full_weights(self, weights: NDArray[np.float64]) -> FloatArray:
        """(1280,) float32 weights of the backbone's own features that score as (d,) ``weights`` of these rows do."""
        full = weights if self.directions is None else self.directions @ weights
        return np.asarray(full, np.float32)


def read_rows(
    photos: Sequence[HazardPhoto],
    extractor: FeatureExtractor,
    *,
    cache_dir: Path | None,
    progress: Callable[[int], None] = lambda _done: None,
) -> FrameRows:
    """The rows of all photos, in order. Raises ``InvalidImage`` or ``TooLarge``."""
    rows = []
    for done, photo in enumerate(photos, start=1):
        path = photo.path
        rows.append(frame_rows(partial(open_photo, path), path.read_bytes(), extractor, cache_dir))
        progress(done)
    return joined(rows)


def joined(rows: Sequence[FrameRows]) -> FrameRows:
    """The rows one behind the other."""
    wholes, tiles = (np.concatenate([getattr(one, name) for one in rows]) for name in ("wholes", "tiles"))
    return FrameRows(wholes, tiles, rows[0].directions)


def main_directions(rows: FrameRows, *, count: int = 384) -> FloatArray:
    """(1280, count) where the views of all photos lie most: heads learn in these directions alone, which is quick.

    No label has a part in it.
    """
    views = np.concatenate([rows.wholes, rows.tiles[:, ::4].reshape(-1, rows.wholes.shape[1])])[::2]
    _, directions = np.linalg.eigh((views.T @ views).astype(np.float64))
    return np.ascontiguousarray(directions[:, ::-1][:, :count], np.float32)


def frame_rows(
    open_picture: Callable[[], Image], key: bytes, extractor: FeatureExtractor, cache_dir: Path | None
) -> FrameRows:
    """The rows of one frame; the arguments are those of ``kept_views``."""
    rows = unit(kept_views(open_picture, key, extractor, FRAME, cache_dir))
    return FrameRows(rows[None, 0], rows[None, 1:])
