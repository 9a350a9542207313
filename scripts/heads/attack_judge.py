"""How often the second opinion errs: passed, refused, or in doubt, by source and type."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.figures import Share
from scripts.heads.attack_photos import LFW, AttackPhoto

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]

# Of all living people in full frames: so many do not pass, and so many are called attacks. The point rests on people,
# of whom many sources were at hand; set by the attacks that pass, it would rest on the one source whose attacks do.
_NOT_PASSED, _BPCER = 0.07, 0.045
_FAMILIES = {"screens": ("phone", "tablet", "monitor"), "prints": ("print", "print_or_paper")}


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Who passes, and who is called an attack.

    Attributes:
        passes: the score up to which a face passes.
        doubt: how much more than that is in doubt; what lies above is an attack.
    """

    passes: float
    doubt: float

    @property
    def alert(self) -> float:
        """The probability from which a face is called an attack, by a slope of 1."""
        return 1.0 / (1.0 + math.exp(-self.doubt))


def reached_by(scores: Floats, chosen: Chosen, share: float, *, of: int) -> float:
    """The score above which that share lies.

    Args:
        of: how many the share is of.
    """
    highest = np.sort(scores[chosen])[::-1]
    return float(highest[int(share * of)])


def operating_point(photos: Sequence[AttackPhoto], scores: Floats, *, without: str | None = None) -> OperatingPoint:
    """The point of ``_NOT_PASSED`` and ``_BPCER``, by the sources but one."""
    attack, source, full, doubt = _labels(photos)
    living = full & ~attack & (source != (without or ""))
    passes, accused = (
        reached_by(scores, living & ~doubt, share, of=int(living.sum())) for share in (_NOT_PASSED, _BPCER)
    )
    return OperatingPoint(passes, accused - passes)


def judged(photos: Sequence[AttackPhoto], scores: Floats, point: OperatingPoint, *, unseen: Floats) -> list[Share]:
    """The errors at the operating point, and at points set without a source.

    Args:
        unseen: scores of LFW's photos by a head that saw none of them.
    """
    _, source, full, _ = _labels(photos)
    over = scores - point.passes
    shares = []
    for name, chosen in _groups(photos, source, full):
        shares += _errors(name, chosen, over, point.doubt, photos)
    fair, margin = over.copy(), np.full(len(photos), point.doubt)
    for one in set(source[full]):
        own = source == one
        other = operating_point(photos, scores, without=one)
        fair[own] = scores[own] - other.passes
        margin[own] = other.doubt
    shares += _errors("all full frames, point of the other sources", full, fair, margin, photos)
    lfw = source == LFW
    over_unseen = np.where(lfw, np.nan_to_num(unseen) - point.passes, over)
    return shares + _errors("source faces_lfw, by a head that saw none of it", lfw, over_unseen, point.doubt, photos)


def _labels(photos: Sequence[AttackPhoto]) -> tuple[Chosen, NDArray[np.str_], Chosen, Chosen]:
    """Of each photo: an attack, its source, a full frame, in doubt whatever its score."""
    return (
        np.array([photo.is_attack for photo in photos]),
        np.array([photo.source for photo in photos]),
        np.array([not photo.is_tight for photo in photos]),
        np.array([photo.is_uncertain for photo in photos]),
    )


def _errors(
    name: str, chosen: Chosen, over: Floats, margin: float | Floats, photos: Sequence[AttackPhoto]
) -> list[Share]:
    attack, _, _, doubt = _labels(photos)
    attacks, living = chosen & attack, chosen & ~attack
    passed, accused = ~doubt & (over <= 0), ~doubt & (over > margin)
    counts = {
        "attacks that pass (APCER)": (attacks & passed, attacks),
        "living refused (BPCER)": (living & accused, living),
        "living in doubt": (living & ~passed & ~accused, living),
    }
    return [
        Share(f"{name}: {what}", int(rows.sum()), int(of.sum()), better="lower")
        for what, (rows, of) in counts.items()
        if of.any()
    ]


def _groups(photos: Sequence[AttackPhoto], source: NDArray[np.str_], full: Chosen) -> Iterator[tuple[str, Chosen]]:
    kinds = np.array([photo.kind for photo in photos])
    attack = np.array([photo.is_attack for photo in photos])
    yield "all full frames", full
    yield "webcams and phones", full & ~attack & np.isin(kinds, ("webcam", "phone"))
    yield "photos from the web and the press", full & ~attack & np.isin(kinds, ("web", "none"))
    for one in sorted(set(source[full])):
        yield f"source {one}", full & (source == one)
    for kind in sorted(set(kinds[full & attack])):
        yield f"type {kind}", full & attack & (kinds == kind)
    for family, members in _FAMILIES.items():
        yield family, full & attack & np.isin(kinds, members)
    yield "all tight crops", ~full
