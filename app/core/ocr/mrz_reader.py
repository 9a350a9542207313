"""Finding and reading a machine-readable zone on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import cv2
import numpy as np

from app.core.ocr.constrained import MRZ_LETTERS, ConstrainedReader
from app.core.ocr.mrz import Mrz, parse_mrz
from app.core.ocr.readers import LineDetector, crop_line
from app.types import FloatArray, Image

_MIN_ASPECT = 8.0
"""A zone's lines are 15 to 30 times as long as high."""

_BLURS = (0.8, 0.0, 1.4)
"""Standard deviations in px at a line height of 48; a little blur makes fillers read as fillers."""

_ENOUGH_PX = 900
"""Smaller pictures are enlarged to this width before another attempt."""


_MIN_VALID = 2
"""Checks that agree by chance once in a hundred times."""

_MIN_FILLERS = 2
_MIN_ZONE_CHARACTERS = 25
_MAX_GUESSES = 6
"""Pairs of long lines that are tried where no line reads like a zone's."""


def looks_like_zone(text: str) -> bool:
    """Whether a line, read freely, may be one of a zone: fillers, or capitals and digits without a space."""
    plain = len(text) >= _MIN_ZONE_CHARACTERS and " " not in text and text.upper() == text
    return plain or text.count("<") >= _MIN_FILLERS


@dataclass(frozen=True, slots=True, eq=False)
class _Strip:
    polygon: FloatArray
    centre: FloatArray
    length: float
    height: float
    likely: bool


@dataclass(frozen=True, slots=True)
class _Zone:
    """A zone and the strips that it was read from."""

    mrz: Mrz
    strips: Sequence[_Strip]


def read_zones(
    image: Image, polygons: Sequence[FloatArray], likely: Sequence[bool], reader: ConstrainedReader, *, today: date
) -> list[Mrz]:
    """The zone among the lines of ``image``, and another paper's of the same size where there is one; empty where no
    two or three parallel long lines form one.

    Several crops and blurs are tried until all check digits agree; else the best attempt is given.

    Args:
        likely: for each line whether it :func:`looks_like_zone`; the others are tried only where none does.
    """
    pairs = zip(polygons, likely, strict=True)
    strips = [strip for strip in (_strip(*pair) for pair in pairs) if strip is not None]
    first = _best_zone(image, strips, reader, today=today)
    if first is None:
        return []
    if not first.mrz.all_valid:
        return [first.mrz] if _is_plausible(first.mrz) else []
    rest = [strip for strip in strips if strip.likely and strip not in first.strips]
    second = _best_zone(image, rest, reader, today=today)
    others = [second.mrz] if second and second.mrz.all_valid and second.mrz.number != first.mrz.number else []
    return [first.mrz, *others]


def _best_zone(image: Image, strips: Sequence[_Strip], reader: ConstrainedReader, *, today: date) -> _Zone | None:
    groups = _groups(strips)
    promising = [group for group in groups if any(strip.likely for strip in group)]
    if promising:
        return _best_of(image, promising, _BLURS, reader, today=today)
    guess = _best_of(image, groups[:_MAX_GUESSES], _BLURS[:1], reader, today=today)
    if guess is None or guess.mrz.all_valid or len(guess.mrz.valid) < _MIN_VALID:
        return guess
    return _best_of(image, [guess.strips], _BLURS, reader, today=today)


def _best_of(
    image: Image, groups: Sequence[Sequence[_Strip]], blurs: Sequence[float], reader: ConstrainedReader, *, today: date
) -> _Zone | None:
    """The first reading of any group whose check digits all agree, else the one of which most do."""
    best: _Zone | None = None
    for group in groups:
        for sigma in blurs:
            mrz = _read_group(image, group, reader, sigma=sigma, today=today)
            if mrz is not None and (best is None or mrz.share_valid > best.mrz.share_valid):
                best = _Zone(mrz, group)
            if best is not None and best.mrz.all_valid:
                return best
    return best


def _is_plausible(mrz: Mrz) -> bool:
    """Two checks agree, or both dates are dates and the countries letters, as on specimens with invented numbers."""
    countries = (mrz.issuer + mrz.nationality).isalpha()
    return len(mrz.valid) >= _MIN_VALID or (mrz.birth is not None and mrz.expiry is not None and countries)


def read_zones_enlarged(
    image: Image,
    polygons: Sequence[FloatArray],
    likely: Sequence[bool],
    reader: ConstrainedReader,
    *,
    detector: LineDetector,
    today: date,
) -> list[Mrz]:
    """A second attempt on a small picture, enlarged; empty where the picture is large already. Arguments as for
    :func:`read_zones`, of the picture as it is."""
    scale = _ENOUGH_PX / image.shape[1]
    if scale <= 1.1:
        return []
    enlarged = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    places = [polygon * scale for polygon, is_likely in zip(polygons, likely, strict=True) if is_likely]
    found = detector.detect(enlarged)
    near = [any(_covers(place, polygon) for place in places) for polygon in found]
    return read_zones(enlarged, found, near, reader, today=today)


def _covers(place: FloatArray, polygon: FloatArray) -> bool:
    """Whether the middle of ``polygon`` lies in the upright box around ``place``."""
    middle = polygon.mean(axis=0)
    return bool((place.min(axis=0) <= middle).all() and (middle <= place.max(axis=0)).all())


def _read_group(
    image: Image, group: Sequence[_Strip], reader: ConstrainedReader, *, sigma: float, today: date
) -> Mrz | None:
    opinions = [reader.look(_blurred(crop_line(image, strip.polygon), sigma)) for strip in group]
    lines = [reader.read(opinion) for opinion in opinions]
    names_at = 2 if len(lines) == 3 else 0
    best: Mrz | None = None
    for letters in (True, False):
        attempt = list(lines)
        if letters:
            attempt[names_at] = reader.read(opinions[names_at], allowed=MRZ_LETTERS)
        if min(len(line) for line in attempt) < 12:
            continue
        mrz = parse_mrz(attempt, today=today)
        if mrz is not None and (best is None or len(mrz.valid) > len(best.valid)):
            best = mrz
    return best


def _blurred(crop: Image, sigma: float) -> Image:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma * crop.shape[0] / 48), np.uint8) if sigma else crop


def _groups(strips: Sequence[_Strip]) -> list[list[_Strip]]:
    """Sets of three, then of two, long lines below one another; the lowest on the page first."""
    strips = sorted(strips, key=lambda strip: float(strip.centre[1]))
    below = [
        next((j for j in range(i + 1, len(strips)) if _stacked(strips[i], strips[j])), None) for i in range(len(strips))
    ]
    pairs = [(i, j) for i, j in enumerate(below) if j is not None]
    triples = [(i, j, below[j]) for i, j in pairs if below[j] is not None]
    return [[strips[i] for i in group if i is not None] for group in (*reversed(triples), *reversed(pairs))]


def _strip(polygon: FloatArray, likely: bool) -> _Strip | None:
    length = float(np.linalg.norm(polygon[1] - polygon[0]))
    height = float(np.linalg.norm(polygon[3] - polygon[0]))
    if length < _MIN_ASPECT * height:
        return None
    return _Strip(polygon, polygon.mean(axis=0), length, height, likely)


def _alike(left: _Strip, right: _Strip) -> bool:
    return min(left.length, right.length) > 0.7 * max(left.length, right.length)


def _stacked(upper: _Strip, lower: _Strip) -> bool:
    """Of like length, starting at like places, and one to five line heights apart."""
    gap = float(np.linalg.norm(lower.polygon[0] - upper.polygon[0]))
    height = max(upper.height, lower.height)
    along = lower.polygon[0] - upper.polygon[0]
    direction = (upper.polygon[1] - upper.polygon[0]) / max(upper.length, 1.0)
    return (
        _alike(upper, lower) and 0.8 * height < gap < 6 * height and abs(float(along @ direction)) < 0.12 * upper.length
    )
