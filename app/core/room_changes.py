"""What changed in a scene since its reference photo was taken: missing, added, moved.

The reference is laid over the photo. Each place of the photo is then looked for near the same place of the reference,
and the other way round: what is in the photo and nowhere near in the reference was added, the reverse is missing. Light
is taken out first; some pixels of shift are allowed, as things at other depths lie elsewhere from another position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from app.core.scene_pictures import Alignment, ScenePicture, align
from app.types import Box, FloatArray, Image
from app.utils.image_processing import crop

# Set on generated changes in the photos of ``rooms`` and judged on ``rooms_places``, see docs/benchmarks.md.
_CHANGED = 2.0  # a place that differs so much has changed
_AROUND = 1.3  # and so has what is around it and differs this much
_EITHER = 0.05  # the two directions must differ by this share to say which it is
_ALIKE = 0.6  # the correlation from which a missing thing and an added one are the same
_MIN_AREA = 16  # of half-size pixels

_SHIFT = 4
_TILE = 9
_LIGHT_PX = 49
_MAX_CHANGES = 8
_MIN_OVERLAP = 0.25
_HALF = 0.5
_SCALES_OF_MOVED = (0.8, 1.0, 1.25)
_GONE_SHARE, _THERE_SHARE = 0.5, 0.15


class ChangeKind(StrEnum):
    """``CHANGED``: something is otherwise, and it is not clear what."""

    MISSING = "missing"
    ADDED = "added"
    MOVED = "moved"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """A change; ``box`` in pixels of the photo, ``reference_box`` of the reference, ``confidence`` 0 to 1.

    Both are the same place, but of a thing that moved: ``reference_box`` is where it stood before.
    """

    kind: ChangeKind
    confidence: float
    box: Box
    reference_box: Box


@dataclass(frozen=True, slots=True)
class SceneComparison:
    """A photo beside its reference; ``overlap`` is the share of the photo that the reference shows too."""

    matches: int
    overlap: float
    changes: tuple[Change, ...]
    alignment: Alignment
    _differing: npt.NDArray[np.bool_]
    _valid: npt.NDArray[np.bool_]
    _factors: tuple[float, float]

    def holds(self, reference_box: Box) -> bool | None:
        """Whether that place of the reference is as it was; None where it cannot be seen, or it is not clear."""
        place = self.place(reference_box).scale(self._factors[1] * _HALF)
        height, width = self._valid.shape
        inside = place.clip(width, height)
        rows = slice(round(inside.y1), max(round(inside.y2), round(inside.y1) + 1))
        columns = slice(round(inside.x1), max(round(inside.x2), round(inside.x1) + 1))
        if inside.area < _THERE_SHARE * place.area or not self._valid[rows, columns].size:
            return None
        if self._valid[rows, columns].mean() < 1 - _THERE_SHARE:
            return None
        share = float(self._differing[rows, columns].mean())
        return None if _THERE_SHARE < share < _GONE_SHARE else share <= _THERE_SHARE

    def place(self, reference_box: Box) -> Box:
        """Where that place of the reference lies in the photo, in pixels of each."""
        first, second = self._factors
        return self.alignment.project(reference_box.scale(first)).scale(1 / second)


def compare_best(references: Sequence[ScenePicture], photo: ScenePicture) -> tuple[int, SceneComparison] | None:
    """What changed against the reference that shows the same view best, and its number; None where none does."""
    found = [(number, alignment) for number, one in enumerate(references) if (alignment := align(one, photo))]
    for number, alignment in sorted(found, key=lambda item: -item[1].matches):
        compared = _lay_over(references[number], photo, alignment)
        if compared is not None:
            return number, compared
    return None


def compare(reference: ScenePicture, photo: ScenePicture) -> SceneComparison | None:
    """What changed; None where the two do not show the same, or too little of it."""
    best = compare_best([reference], photo)
    return best[1] if best else None


def _lay_over(reference: ScenePicture, photo: ScenePicture, alignment: Alignment) -> SceneComparison | None:
    height, width = photo.image.shape[:2]
    laid = cv2.warpPerspective(
        reference.image, alignment.homography, (width, height), borderMode=cv2.BORDER_REPLICATE
    ).astype(np.uint8)
    now, before = _without_light(photo.image), _without_light(laid)
    valid = _shown_by_both(reference.image, alignment, now.shape[:2], (width, height))
    if valid.mean() < _MIN_OVERLAP:
        return None
    added = np.where(valid, _unlike(now, before), 0).astype(np.float32)
    missing = np.where(valid, _unlike(before, now), 0).astype(np.float32)
    differing, regions = _regions(added, missing)
    changes = _pair_moved([_Region(*region) for region in regions], photo.image, laid)
    back = alignment.inverse
    return SceneComparison(
        matches=alignment.matches,
        overlap=float(valid.mean()),
        changes=tuple(
            Change(
                kind,
                region.confidence,
                region.box.scale(1 / photo.factor),
                back.project(source.box).scale(1 / reference.factor),
            )
            for kind, region, source in changes
        ),
        alignment=alignment,
        _differing=differing,
        _valid=valid,
        _factors=(reference.factor, photo.factor),
    )


@dataclass(frozen=True, slots=True)
class _Region:
    """A part that differs; ``box`` in pixels of what was compared. ``leaning``: above 0 it was added, below missing."""

    box: Box
    peak: float
    leaning: float

    @property
    def confidence(self) -> float:
        return float(self.peak / (self.peak + 1 / self.peak**2)) if self.peak > 0 else 0.0

    @property
    def kind(self) -> ChangeKind:
        if abs(self.leaning) < _EITHER:
            return ChangeKind.CHANGED
        return ChangeKind.ADDED if self.leaning > 0 else ChangeKind.MISSING


def _without_light(image: Image) -> FloatArray:
    """(h/2, w/2, 4): lightness and edges beside what is around them, and colour beside that of the whole picture."""
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB).astype(np.float32)
    light = lab[..., 0]
    window = (_LIGHT_PX, _LIGHT_PX)
    mean = cv2.blur(light, window)
    spread = np.sqrt(np.maximum(cv2.blur(light * light, window) - mean * mean, 0)) + 12
    smooth = cv2.GaussianBlur(light, (0, 0), 1)
    edges = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)) / spread / 3
    colour = (lab[..., 1:] - np.median(lab[..., 1:], axis=(0, 1))) / 14
    looks = np.dstack([(light - mean) / spread, edges, colour]).clip(-2.5, 2.5)
    height, width = light.shape
    size = (max(width // 2, 1), max(height // 2, 1))
    return cv2.resize(looks, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _shown_by_both(
    reference: Image, alignment: Alignment, shape: tuple[int, ...], size: tuple[int, int]
) -> npt.NDArray[np.bool_]:
    """(h/2, w/2): where the reference covers the photo, without its rim."""
    whole = np.full(reference.shape[:2], 255, np.uint8)
    laid = cv2.erode(cv2.warpPerspective(whole, alignment.homography, size), np.ones((9, 9), np.uint8))
    covered: npt.NDArray[np.bool_] = cv2.resize(laid, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    return covered


def _unlike(looks: FloatArray, others: FloatArray) -> FloatArray:
    """(h, w): how much the tile around each pixel differs from the likest one near the same place of ``others``."""
    height, width = looks.shape[:2]
    least = np.full((height, width), np.inf, np.float32)
    padded = cv2.copyMakeBorder(others, _SHIFT, _SHIFT, _SHIFT, _SHIFT, cv2.BORDER_REPLICATE)
    total = np.ones((1, looks.shape[2]), np.float32)
    for dy in range(2 * _SHIFT + 1):
        for dx in range(2 * _SHIFT + 1):
            shifted = padded[dy : dy + height, dx : dx + width]
            differing = cv2.blur(cv2.transform(cv2.absdiff(looks, shifted), total), (_TILE, _TILE))
            # Of two that are alike the nearer one.
            cv2.min(least, differing + np.float32(0.01 * np.hypot(dy - _SHIFT, dx - _SHIFT)), least)
    return least


def _regions(added: FloatArray, missing: FloatArray) -> tuple[npt.NDArray[np.bool_], list[tuple[Box, float, float]]]:
    """Where something changed, and the parts of it, the surest first: box, peak, leaning."""
    most = np.maximum(added, missing)
    count, labels = cv2.connectedComponents((most > _AROUND).astype(np.uint8))
    differing = np.zeros(most.shape, np.bool_)
    found: list[tuple[Box, float, float]] = []
    for label in range(1, count):
        part = labels == label
        peak = float(most[part].max())
        if peak < _CHANGED or part.sum() < _MIN_AREA:
            continue
        differing |= part
        ys, xs = np.nonzero(part)
        core = part & (most > (_AROUND + peak) / 2)
        new, old = float(added[core].mean()), float(missing[core].mean())
        box = Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)).scale(1 / _HALF)
        found.append((box, peak, (new - old) / max(new, old)))
    return differing, sorted(found, key=lambda region: -region[1])[:_MAX_CHANGES]


def _pair_moved(regions: Sequence[_Region], photo: Image, laid: Image) -> list[tuple[ChangeKind, _Region, _Region]]:
    """Each change with its kind, its region, and the region where the thing was before."""
    pairs = sorted(
        (
            (_likeness(laid, source.box, photo, target.box), number, other)
            for number, target in enumerate(regions)
            for other, source in enumerate(regions)
            if number != other and target.kind is not ChangeKind.MISSING and source.kind is not ChangeKind.ADDED
        ),
        reverse=True,
    )
    moved: dict[int, int] = {}
    for likeness, target, source in pairs:
        known = {*moved, *moved.values()}
        if likeness >= _ALIKE and not known & {target, source}:
            moved[target] = source
    known = {*moved, *moved.values()}
    return [(ChangeKind.MOVED, regions[target], regions[source]) for target, source in moved.items()] + [
        (region.kind, region, region) for number, region in enumerate(regions) if number not in known
    ]


def _likeness(first: Image, box: Box, second: Image, other: Box) -> float:
    """How well the middle of the first box is found in the second, as a correlation, -1 to 1."""
    x, y = box.width * 0.2, box.height * 0.2
    pattern = crop(first, Box(box.x1 + x, box.y1 + y, box.x2 - x, box.y2 - y))
    place = crop(second, Box(other.x1 - x, other.y1 - y, other.x2 + x, other.y2 + y))
    best = -1.0
    for scale in _SCALES_OF_MOVED:
        size = (round(pattern.shape[1] * scale), round(pattern.shape[0] * scale))
        if min(size) < 4 or size[0] > place.shape[1] or size[1] > place.shape[0]:
            continue
        found = cv2.matchTemplate(place, cv2.resize(pattern, size), cv2.TM_CCOEFF_NORMED)
        best = max(best, float(found.max()))
    return best
