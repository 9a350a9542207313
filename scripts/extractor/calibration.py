"""What a network's probability is worth: a curve through its choices on papers that it had not seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from app.core.ocr.extraction.ranker import FieldRanker, Network, Ranker
from scripts.extractor.training import (
    EPOCHS,
    HIDDEN,
    NETWORKS,
    FieldExample,
    JudgedChoice,
    Split,
    choices,
    fit,
    judged,
    outside,
)

_STEPS = 200
_MAX_STEP = 0.5
SURE, _MAX_WRONG, _CAUTION = 0.8, 0.02, 0.05
"""What is called sure may be wrong once in fifty; the curves of all fields are lowered together, in small steps, until
it is: so the last answer that is called sure is as risky in one field as in another."""


@dataclass(frozen=True, slots=True)
class LeftOutRankers:
    """Attributes:
    rankers: for each split one that was taught nothing of it, with curves through choices on the other splits.
    choices: by field, those of each split's networks on the papers of that split.
    """

    rankers: Mapping[Split, Ranker]
    choices: Mapping[str, Sequence[JudgedChoice]]


def calibrated(network: Network, unseen: Sequence[JudgedChoice]) -> FieldRanker:
    """The network with Platt's curve through ``unseen``, choices of networks alone; a weak prior keeps a field that was
    never wrong from being called certain."""
    bounded = np.clip([item.confidence for item in unseen], 1e-6, 1 - 1e-6)
    log_odds = np.log(bounded / (1 - bounded))
    right = np.array([item.right for item in unseen], float)
    slope, offset = 1.0, 0.0
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-np.clip(slope * log_odds + offset, -30, 30)))
        gradient = np.array(
            [((share - right) * log_odds).sum() + 0.5 * (slope - 1), (share - right).sum() + 0.5 * offset]
        )
        weight = share * (1 - share)
        mixed = (weight * log_odds).sum()
        curvature = np.array([[(weight * log_odds**2).sum() + 0.5, mixed], [mixed, weight.sum() + 0.5]])
        step = np.clip(np.linalg.solve(curvature, gradient), -_MAX_STEP, _MAX_STEP)  # far from the curve it overshoots
        slope, offset = slope - float(step[0]), offset - float(step[1])
    return FieldRanker(network, slope, offset)


def cautious(curves: Ranker, unseen: Mapping[str, Sequence[JudgedChoice]]) -> Ranker:
    """The curves, lowered until of ``unseen``, by field, what they call sure is wrong once in fifty."""
    while _wrong_when_sure(curves, unseen) > _MAX_WRONG:
        curves = {
            field: FieldRanker(curve.network, curve.slope, curve.offset - _CAUTION) for field, curve in curves.items()
        }
    return curves


def _wrong_when_sure(curves: Ranker, unseen: Mapping[str, Sequence[JudgedChoice]]) -> float:
    """The share that is wrong of what would be answered as sure."""
    sure = [
        item.right for field, curve in curves.items() for item in unseen[field]
        if curve.confidence(item.confidence) >= SURE
    ]  # fmt: skip
    return 1 - sum(sure) / len(sure) if sure else 0.0


def left_out(
    every: Mapping[str, Sequence[FieldExample]], splits: Sequence[Split], *, kept: Path | None = None
) -> LeftOutRankers:
    """Rankers that were taught without one split each.

    Args:
        every: the examples by field.
        kept: a folder that keeps what was taught, so that nothing is taught twice.
    """
    networks = {field: _networks(taught, splits, kept) for field, taught in every.items()}
    made = {
        (field, split): choices(network, [example for example in every[field] if split.holds(example.paper)])
        for field, by_split in networks.items()
        for split, network in by_split.items()
    }
    rankers: dict[Split, Ranker] = {}
    for split in splits:
        unseen = {
            field: [item for other in splits if other != split for item in made.get((field, other), ())]
            for field in every
        }
        curves = {
            field: calibrated(by_split[split], unseen[field])
            for field, by_split in networks.items()
            if split in by_split and unseen[field]
        }
        rankers[split] = cautious(curves, unseen)
    by_field = {field: [item for split in splits for item in made.get((field, split), ())] for field in every}
    return LeftOutRankers(rankers, by_field)


def judged_left_out(
    every: Mapping[str, Sequence[FieldExample]], without: LeftOutRankers
) -> dict[str, list[JudgedChoice]]:
    """By field, the choices on each split with the confidence that was learnt without it."""
    return {
        field: [
            judged(ranker[field], example)
            for split, ranker in without.rankers.items()
            if field in ranker
            for example in taught
            if example.is_judged and split.holds(example.paper)
        ]
        for field, taught in every.items()
    }


def _networks(taught: Sequence[FieldExample], splits: Sequence[Split], kept: Path | None) -> dict[Split, Network]:
    """One for each split that leaves something to teach; those that leave everything share one."""
    networks: dict[Split, Network] = {}
    of_all: Network | None = None
    for split in splits:
        teaching = outside(taught, split)
        if len(teaching) == len(taught) and teaching:
            of_all = of_all or taught_once(teaching, kept=kept)
            networks[split] = of_all
        elif teaching:
            networks[split] = taught_once(teaching, kept=kept)
    return networks


def taught_once(teaching: Sequence[FieldExample], *, kept: Path | None) -> Network:
    """``fit``, or what it made of the same examples before, from the folder ``kept``."""
    if kept is None:
        return fit(teaching)
    path = kept / f"network-{_digest(teaching)}.npz"
    if path.is_file():
        with np.load(path) as arrays:
            mean, scale, hidden, hidden_bias, out, out_bias = (arrays[name] for name in arrays.files)
        return Network(mean, scale, hidden, hidden_bias, out, float(out_bias))
    network = fit(teaching)
    np.savez(path, *astuple(network))
    return network


def _digest(teaching: Sequence[FieldExample]) -> str:
    digest = hashlib.sha256(f"{HIDDEN} {NETWORKS} {EPOCHS}".encode())
    for example in teaching:
        digest.update(f"{example.paper.key} {example.paper.group} {example.values}".encode())
        digest.update(example.features.tobytes())
        digest.update(example.right.tobytes())
    return digest.hexdigest()[:32]
