"""What a photo gives to training: feature rows of many views, and the views of each way of looking."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.core.features import FeatureExtractor, Features, mirror, resize
from app.core.looks import PLANS
from app.core.views import take_views
from app.types import FloatArray, Image
from app.utils.image_processing import decode_image, encode_jpeg
from app.utils.picture_limits import PictureLimits
from scripts.heads.light import relight

_MAX_PIXELS = 50_000_000
_AUGMENTED = 4
_ENLARGED_SIDES_PX = (320, 448)
_LIT_SIDE_PX = 1280
# Bumped when what is computed here changes, so that an old cache is not taken for a new one.
_CACHE_VERSION = "1"


@dataclass(frozen=True, slots=True)
class PhotoRows:
    """Pooled features of one photo, each (n, 1280).

    Attributes:
        training: whole views as they are, mirrored and altered, and under other lights where those are wanted.
        enlarged: whole views with more pixels.
        tiles: tiles of the way of looking that has any, of the photo and of it under other lights.
        wholes: by way of looking, its whole views.
        look_tiles: by way of looking, its tiles; no entry where it has none.
    """

    training: FloatArray
    enlarged: FloatArray
    tiles: FloatArray
    wholes: Mapping[str, FloatArray]
    look_tiles: Mapping[str, FloatArray]


class RowReader:
    """Computes the rows of photos, or takes them from a cache.

    Args:
        cache_dir: keeps the rows by content of the photo and backbone; None computes again.
        looks: which ways of looking are wanted.
        relit: how often a photo is also trained on under another light, see ``relight``.
    """

    def __init__(
        self, extractor: FeatureExtractor, *, looks: Iterable[str], relit: int = 0, cache_dir: Path | None
    ) -> None:
        self._extractor = extractor
        self._looks = sorted(looks)
        self._relit = relit
        self._cache_dir = cache_dir

    def read(self, path: Path) -> PhotoRows:
        """The rows of one photo. Raises ``InvalidImage`` or ``TooLarge``."""
        data = path.read_bytes()
        cached = self._cache_file(data)
        if cached and cached.is_file():
            with np.load(cached) as arrays:
                return _unpack(dict(arrays))
        rows = self._compute(
            decode_image(data, PictureLimits(_MAX_PIXELS)), seed=int(hashlib.sha256(data).hexdigest()[:8], 16)
        )
        if cached:
            cached.parent.mkdir(parents=True, exist_ok=True)
            np.savez(cached, allow_pickle=False, **_pack(rows))
        return rows

    def _cache_file(self, data: bytes) -> Path | None:
        if self._cache_dir is None:
            return None
        looks = [f"{look}={PLANS[look]}" for look in self._looks]
        key = "/".join(
            [_CACHE_VERSION, self._extractor.model_id, *looks, *([f"relit={self._relit}"] * bool(self._relit))]
        )
        return self._cache_dir / f"{hashlib.sha256(key.encode() + data).hexdigest()[:32]}.npz"

    def _compute(self, image: Image, *, seed: int) -> PhotoRows:
        rng = np.random.default_rng(seed)
        small = [image, mirror(image), *(alter(image, rng) for _ in range(_AUGMENTED))]
        enlarged = [self._pooled([image], side_px=side_px)[0] for side_px in _ENLARGED_SIDES_PX]
        views = {look: take_views(self._extractor, image, plan=PLANS[look]) for look in self._looks}
        tiled = next((look for look, item in views.items() if item.tiles), None)
        lights = [relight(_shrunk(image), rng) for _ in range(self._relit)]
        tiles = [*views[tiled].tiles] if tiled else []
        for light in lights if tiled else ():
            tiles += take_views(self._extractor, light, plan=PLANS[str(tiled)]).tiles
        return PhotoRows(
            training=np.stack(self._pooled([*small, *lights])),
            enlarged=np.stack(enlarged),
            tiles=_stack(tiles),
            wholes={look: _stack(item.wholes) for look, item in views.items()},
            look_tiles={look: _stack(item.tiles) for look, item in views.items() if item.tiles},
        )

    def _pooled(self, images: Sequence[Image], *, side_px: int | None = None) -> list[FloatArray]:
        return [item.pooled for item in self._extractor.extract(images, side_px=side_px)]


def _shrunk(image: Image) -> Image:
    """At most as large as a camera's frame: light is drawn pixel by pixel."""
    scale = _LIT_SIDE_PX / max(image.shape[:2])
    if scale >= 1:
        return image
    return resize(image, width=max(round(image.shape[1] * scale), 1), height=max(round(image.shape[0] * scale), 1))


def alter(image: Image, rng: np.random.Generator) -> Image:
    """The photo as another phone or camera may have taken it: cut, flipped, lit, tinted, blurred, compressed."""
    height, width = image.shape[:2]
    area, stretch = rng.uniform(0.5, 1.0), np.exp(rng.uniform(-0.25, 0.25))
    part_width = max(min(width, int(width * np.sqrt(area * stretch))), 1)
    part_height = max(min(height, int(height * np.sqrt(area / stretch))), 1)
    left, top = rng.integers(0, width - part_width + 1), rng.integers(0, height - part_height + 1)
    part = image[top : top + part_height, left : left + part_width]
    if rng.random() < 0.5:
        part = mirror(part)
    tone = (np.arange(256) / 255.0) ** np.exp(rng.uniform(-0.5, 0.5)) * 255.0
    tinted = tone[part] * (1.0 + rng.uniform(-0.15, 0.15, 3))
    altered: Image = np.clip(tinted, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        altered = cv2.GaussianBlur(altered, (0, 0), rng.uniform(0.3, 1.5) * max(altered.shape) / 300).astype(np.uint8)
    return decode_image(encode_jpeg(altered, quality=int(rng.integers(40, 95))), PictureLimits(_MAX_PIXELS))


def _stack(features: Sequence[Features]) -> FloatArray:
    return np.stack([item.pooled for item in features]) if features else np.empty((0, 0), np.float32)


def _pack(rows: PhotoRows) -> dict[str, FloatArray]:
    named = {f"wholes.{look}": array for look, array in rows.wholes.items()}
    named |= {f"tiles.{look}": array for look, array in rows.look_tiles.items()}
    return {"training": np.concatenate([rows.training, rows.enlarged]), "tiles": rows.tiles, **named}


def _unpack(arrays: Mapping[str, FloatArray]) -> PhotoRows:
    def of(prefix: str) -> dict[str, FloatArray]:
        return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}

    count = len(_ENLARGED_SIDES_PX)
    return PhotoRows(
        training=arrays["training"][:-count],
        enlarged=arrays["training"][-count:],
        tiles=arrays["tiles"],
        wholes=of("wholes."),
        look_tiles=of("tiles."),
    )
