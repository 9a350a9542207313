"""Frames that are made of photos, because hardly any exist: small flames in harmless places, and cameras' light.

They teach; they never judge, and teach no head that judges a photo that they were made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.features import FeatureExtractor
from app.types import FloatArray, Image
from scripts.hazards.camera_light import under_camera_light
from scripts.hazards.drawn_flames import CutFlames, cut_flames, set_in
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.rows import FrameRows, frame_rows, joined
from scripts.heads.photos import open_photo

_SET_IN = 200
_SHARES = (0.003, 0.04)  # of the frame
_SCENES = ("cctv_normal", "rooms_places", "rooms_places", "lookalikes")
_FLAMES = ("fire_indoor", "hazards_outdoor")
# So many of each under another light.
_LIT = {"cctv_normal": 45, "rooms_places": 15, "lookalikes": 40, "fire_indoor": 20, "hazards_outdoor": 10}


@dataclass(frozen=True, slots=True)
class MadeFrames:
    """``rows`` of n frames, ``targets`` (n,) whether something burns in each, and the photos that each is made of."""

    rows: FrameRows
    targets: NDArray[np.bool_]
    made_of: Sequence[tuple[HazardPhoto, ...]]

    def along(self, directions: FloatArray) -> MadeFrames:
        """The same frames, their rows given in those directions."""
        return MadeFrames(self.rows.along(directions), self.targets, self.made_of)

    @property
    def burning(self) -> MadeFrames:
        """Those in which something burns, and always with flames."""
        chosen = np.flatnonzero(self.targets)
        return MadeFrames(self.rows.take(chosen), self.targets[chosen], [self.made_of[row] for row in chosen])


@dataclass(frozen=True, slots=True)
class _Plan:
    """A frame that is to be made."""

    make: Callable[[], Image]
    burns: bool
    made_of: tuple[HazardPhoto, ...]


def make_frames(
    photos: Sequence[HazardPhoto],
    extractor: FeatureExtractor,
    *,
    cache_dir: Path | None,
    progress: Callable[[int], None] = lambda _done: None,
) -> MadeFrames:
    """The frames of these photos, the same ones each time. Raises ``InvalidImage`` or ``TooLarge``."""
    plans = [*_with_flames(photos), *_in_other_light(photos)]
    rows = []
    for done, plan in enumerate(plans, start=1):
        picture = plan.make()
        rows.append(frame_rows(partial(np.asarray, picture), picture.tobytes(), extractor, cache_dir))
        progress(done)
    return MadeFrames(joined(rows), np.array([plan.burns for plan in plans]), [plan.made_of for plan in plans])


def _with_flames(photos: Sequence[HazardPhoto]) -> Iterator[_Plan]:
    cuts: dict[str, list[tuple[HazardPhoto, CutFlames]]] = {folder: [] for folder in _FLAMES}
    for photo in photos:
        cut = cut_flames(open_photo(photo.path)) if photo.flames and photo.folder in _FLAMES else None
        if cut is not None:
            cuts[photo.folder].append((photo, cut))
    indoors = {
        folder: [one for one in photos if one.folder == folder and one.burning is False and not one.outdoors]
        for folder in _SCENES
    }
    rng = np.random.default_rng(0)
    for number in range(_SET_IN):
        flames = cuts[_FLAMES[number % len(_FLAMES)]]
        scenes = [one for one in indoors[_SCENES[number // len(_FLAMES) % len(_SCENES)]] if one.kind != "fire_picture"]
        if not flames or not scenes:
            continue
        of, cut = flames[int(rng.integers(len(flames)))]
        scene = scenes[int(rng.integers(len(scenes)))]
        share = float(np.exp(rng.uniform(*np.log(_SHARES))))
        yield _Plan(_Burning(scene, cut, share, seed=number), burns=True, made_of=(scene, of))


def _in_other_light(photos: Sequence[HazardPhoto]) -> Iterator[_Plan]:
    rng = np.random.default_rng(1)
    for folder, most in _LIT.items():
        here = [one for one in photos if one.folder == folder and one.burning is not None and one.flames is not False]
        chosen = rng.choice(len(here), min(most, len(here)), replace=False)
        for index in chosen.tolist():
            yield _Plan(_Lit(here[index], seed=index), burns=bool(here[index].burning), made_of=(here[index],))


@dataclass(frozen=True, slots=True)
class _Burning:
    scene: HazardPhoto
    flames: CutFlames
    share: float
    seed: int

    def __call__(self) -> Image:
        rng = np.random.default_rng(self.seed)
        at = (float(rng.uniform(0, 1)), float(rng.uniform(0.35, 0.9)))
        return set_in(open_photo(self.scene.path), self.flames, share=self.share, at=at, rng=rng)


@dataclass(frozen=True, slots=True)
class _Lit:
    photo: HazardPhoto
    seed: int

    def __call__(self) -> Image:
        return under_camera_light(open_photo(self.photo.path), np.random.default_rng(self.seed))
