"""The labelled photos of shared data sets, and their features, computed once and kept."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from app.core.features import FeatureExtractor
from app.core.looks import PLANS
from app.core.views import take_views
from app.types import FloatArray, Image
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from scripts.heads.examples import PICTURES, BadData

_MAX_PIXELS = 50_000_000


def labelled_photos(folder: Path, table: str = "labels.csv") -> Iterator[tuple[Path, Mapping[str, str]]]:
    """Each photo of a data set with its row of labels. Raises ``BadData`` where there is no table."""
    if not (folder / table).is_file():
        raise BadData(f"There is no {folder / table}.")
    with (folder / table).open(newline="", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            yield folder / row["file"], row


def some_photos(folder: Path, most: int) -> list[Path]:
    """At most so many photos of a data set, spread over it."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    return paths[:: max(len(paths) // most, 1)][:most]


def open_photo(path: Path) -> Image:
    """A photo of the data. Raises ``InvalidImage`` or ``TooLarge``."""
    return decode_image(path.read_bytes(), PictureLimits(_MAX_PIXELS))


def kept_views(
    open_picture: Callable[[], Image], key: bytes, extractor: FeatureExtractor, look: str, cache_dir: Path | None
) -> FloatArray:
    """(views, 1280) pooled features of a picture by that way of looking.

    Args:
        open_picture: called only where they are not kept yet.
        key: what no other picture has; under it they are kept.
    """
    named = f"{extractor.model_id}/{PLANS[look].summary}".encode() + key
    kept = cache_dir / f"{hashlib.sha256(named).hexdigest()[:32]}.npy" if cache_dir else None
    if kept is not None and kept.is_file():
        known: FloatArray = np.load(kept).astype(np.float32)
        return known
    pooled = np.stack([item.pooled for item in take_views(extractor, open_picture(), plan=PLANS[look]).all])
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, pooled.astype(np.float16))
    return pooled
