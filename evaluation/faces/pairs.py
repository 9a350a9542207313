"""How often one photo matches another at the shipped threshold: of one person, of two, and by whom they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.calibration import MatchCalibration
from app.types import FloatArray
from evaluation.figures import Share

MIN_CONFIDENCE = 0.7
"""The shipped FACE_RECOGNITION_THRESHOLD."""

MAX_RATIO = 3.0
"""The threshold means the same for two groups where their FMR differ by no more."""

_DRAWS, _SEED = 2000, 0  # of people, for intervals


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo as the service would use it: ``template`` when it is enrolled, ``probe`` when it is searched with."""

    template: FloatArray
    probe: FloatArray


People = Mapping[str, Sequence[Photo | None]]
"""Each person's photos in order; None where no face was found."""


def pair_shares(
    label: str, people: People, calibration: MatchCalibration, *, beside: People | None = None
) -> list[Share]:
    """FMR and FNMR of single pairs at the shipped threshold, with intervals by drawing the people again.

    Args:
        beside: people whose FMR this one is held against: at most ``MAX_RATIO`` times as high is asked.
    """
    bar = calibration.cosine(MIN_CONFIDENCE)
    at = f"of one pair at {MIN_CONFIDENCE} (cosine {bar:.3f})"
    fmr = _fmr(people, bar)
    name, target = f"{label}: FMR {at}", None
    if beside is not None:
        other = _fmr(beside, bar)
        target = MAX_RATIO * other.rate
        low, high = np.quantile(fmr.drawn / np.maximum(other.drawn, 1e-9), (0.025, 0.975))
        name += f", {fmr.rate / other.rate:.1f} times LFW's ({low:.1f} to {high:.1f})"
    drawn = tuple(float(rate) for rate in np.quantile(fmr.drawn, (0.025, 0.975)))
    genuine, _ = pair_cosines(people)
    return [
        Share(name, fmr.matches, fmr.pairs, target=target, better="lower", drawn_interval=(drawn[0], drawn[1])),
        Share(f"{label}: FNMR {at}", int((genuine < bar).sum()), len(genuine), better="lower"),
    ]


@dataclass(frozen=True, slots=True)
class _Fmr:
    """How many pairs of two people match, and the rate where the people are drawn again, (draws,)."""

    matches: int
    pairs: int
    drawn: NDArray[np.float64]

    @property
    def rate(self) -> float:
        return self.matches / self.pairs


def _fmr(people: People, bar: float) -> _Fmr:
    matches, pairs = _pairs_by_person(people, bar)
    other = ~np.eye(len(pairs), dtype=bool)
    rng = np.random.default_rng(_SEED)
    rates = []
    for _ in range(_DRAWS):
        drawn = np.bincount(rng.integers(0, len(pairs), len(pairs)), minlength=len(pairs)).astype(np.float64)
        weights = np.outer(drawn, drawn) * other
        rates.append((weights * matches).sum() / max((weights * pairs).sum(), 1.0))
    return _Fmr(int(matches[other].sum()), int(pairs[other].sum()), np.array(rates))


def pair_cosines(people: People) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines of each photo as probe with each other one as template: of one person, and of two."""
    names, cosines = _cosines(people)
    same = names[:, None] == names[None, :]
    other_photo = ~np.eye(len(names), dtype=bool)
    return cosines[same & other_photo], cosines[~same]


def _pairs_by_person(people: People, bar: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(people, people): how many pairs of theirs match, and how many there are."""
    names, cosines = _cosines(people)
    _, owners = np.unique(names, return_inverse=True)
    of_person = np.eye(owners.max() + 1)[owners]
    counts = of_person.sum(axis=0)
    return of_person.T @ (cosines >= bar) @ of_person, np.outer(counts, counts)


def _cosines(people: People) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    photos = [(name, photo) for name, photos in people.items() for photo in photos if photo is not None]
    probes, templates = (
        np.stack([getattr(photo, part) for _, photo in photos]).astype(np.float64) for part in ("probe", "template")
    )
    return np.array([name for name, _ in photos]), probes @ templates.T
