"""Teaching and judging the ranker of one field: softmax over a document's candidates and "none of them"."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from app.core.ocr.extraction.fields import CODE_FIELDS, DATE_FIELDS, MONEY_FIELDS, FieldCandidates, find_candidates
from app.core.ocr.extraction.ranker import FieldRanker, Network, choose
from app.core.ocr.text import similarity
from app.types import FloatArray
from scripts.extractor.papers import Paper

HIDDEN = 16
EPOCHS = 130
FOLDS = 5
_LEARNING_RATE = 1.2e-2
_DROP = 0.15
_L2 = 1e-4
_NEVER_VARIED = 0.02
_SAME_SELLER = 0.85
_STEPS = 200
_SURE, _MAX_WRONG, _CAUTION = 0.8, 0.02, 0.05
"""What is called sure may be wrong once in fifty; Platt's curve is lowered in small steps until it is."""


@dataclass(frozen=True, slots=True)
class FieldExample:
    """The candidates of one field on one paper."""

    paper: Paper
    features: FloatArray
    values: tuple[Hashable, ...]
    right: np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class JudgedChoice:
    """A choice on a paper whose group was left out. ``probability`` is the network's own."""

    paper: Paper
    probability: float
    right: bool


@dataclass(frozen=True, slots=True)
class Split:
    """What is left out together."""

    name: str
    held_out: frozenset[str]


def examples(papers: Sequence[Paper], fields: Sequence[str], *, today: date) -> dict[str, list[FieldExample]]:
    """By field, the papers that have a label and a candidate for it."""
    found: dict[str, list[FieldExample]] = defaultdict(list)
    for paper in papers:
        candidates = find_candidates(paper.page, today=today)
        for field in fields:
            labels = paper.labels.get(field)
            features, values = _of_field(candidates, field)
            if labels and values:
                right = np.array([_is_right(field, value, labels) for value in values], bool)
                found[field].append(FieldExample(paper, features, values, right))
    return found


def _of_field(candidates: FieldCandidates, field: str) -> tuple[FloatArray, tuple[Hashable, ...]]:
    if field in MONEY_FIELDS:
        return candidates.money_features, tuple(item.value for item in candidates.money)
    if field in DATE_FIELDS:
        return candidates.date_features, tuple(item.value for item in candidates.dates)
    if field in CODE_FIELDS:
        return candidates.code_features, tuple(_plain_code(item.value) for item in candidates.codes)
    return candidates.name_features, tuple(item.value for item in candidates.names)


def _plain_code(code: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", code.upper()).lstrip("0")


def _is_right(field: str, value: Hashable, labels: frozenset[object]) -> bool:
    if field in CODE_FIELDS:
        return value in {_plain_code(str(label)) for label in labels}
    if field == "seller":
        return any(similarity(str(value), str(label)) >= _SAME_SELLER for label in labels)
    return value in labels


def fit(teaching: Sequence[FieldExample], *, seed: int = 0) -> Network:
    """A network; each seller group counts by the root of its size, so that one chain does not set the rules."""
    random = np.random.default_rng(seed)
    stacked = np.concatenate([example.features for example in teaching])
    mean, scale = stacked.mean(0), stacked.std(0)
    scale[scale < _NEVER_VARIED] = np.inf
    inputs = np.clip((stacked - mean) / scale, -6, 6).astype(np.float32)
    sizes = [len(example.values) for example in teaching]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)
    document = np.repeat(np.arange(len(teaching)), sizes)
    right = np.concatenate([example.right for example in teaching]).astype(np.float32)
    answerable = np.array([example.right.any() for example in teaching])
    groups = Counter(example.paper.group for example in teaching)
    weights = np.array([groups[example.paper.group] ** -0.5 for example in teaching], np.float32)
    weights /= weights.sum()
    width = inputs.shape[1]
    parameters: list[FloatArray] = [
        random.normal(0, width**-0.5, (width, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        random.normal(0, 0.3, HIDDEN).astype(np.float32),
        np.full(1, -2.0, np.float32),
    ]
    first = [np.zeros_like(item) for item in parameters]
    second = [np.zeros_like(item) for item in parameters]
    for epoch in range(EPOCHS):
        kept = ((random.random((width, 1)) > _DROP) / (1 - _DROP)).astype(np.float32)
        hidden = np.tanh(inputs @ (kept * parameters[0]) + parameters[1])
        scores = hidden @ parameters[2] + parameters[3][0]
        highest = np.maximum(np.maximum.reduceat(scores, starts), 0)
        powers = np.exp(scores - highest[document])
        total = np.add.reduceat(powers, starts) + np.exp(-highest)
        of_right = np.add.reduceat(powers * right, starts)
        wanted = np.where(answerable[document], powers * right / np.maximum(of_right[document], 1e-12), 0)
        slope = (powers / total[document] - wanted) * weights[document]
        back = np.outer(slope, parameters[2]) * (1 - hidden * hidden)
        gradients = [
            kept * (inputs.T @ back) + _L2 * parameters[0],
            back.sum(0),
            hidden.T @ slope + _L2 * parameters[2],
            np.array([slope.sum()], np.float32),
        ]
        rate = _LEARNING_RATE * min(1.0, (epoch + 1) / 20) * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        for index, gradient in enumerate(gradients):
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
            step = first[index] / (1 - 0.9 ** (epoch + 1))
            parameters[index] = (
                parameters[index] - rate * step / (np.sqrt(second[index] / (1 - 0.999 ** (epoch + 1))) + 1e-9)
            ).astype(np.float32)
    return Network(
        mean.astype(np.float32), scale.astype(np.float32), parameters[0], parameters[1], parameters[2],
        float(parameters[3][0]),
    )  # fmt: skip


def judge(every: Sequence[FieldExample], splits: Sequence[Split], *, by: str) -> list[JudgedChoice]:
    """The choice on each judged paper by a network that has seen nothing of its split."""
    made = []
    for split in splits:
        teaching = [example for example in every if getattr(example.paper, by) not in split.held_out]
        asked = [e for e in every if getattr(e.paper, by) in split.held_out and e.paper.judged]
        if teaching and asked:
            plain = FieldRanker(fit(teaching), 1.0, 0.0)
            made += [_judged(plain, example) for example in asked]
    return made


def _judged(ranker: FieldRanker, example: FieldExample) -> JudgedChoice:
    chosen = choose(ranker, example.features, example.values)
    if chosen is None:
        return JudgedChoice(example.paper, 0.0, right=False)
    same = [right for value, right in zip(example.values, example.right, strict=True) if value == chosen.value]
    return JudgedChoice(example.paper, chosen.confidence, right=bool(any(same)))


def group_splits(papers: Sequence[Paper], *, folds: int = FOLDS) -> list[Split]:
    """Seller groups dealt to folds of about one size, the largest first."""
    sizes = Counter(paper.group for paper in papers)
    loads = [0] * folds
    held: list[set[str]] = [set() for _ in range(folds)]
    for group, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        lightest = loads.index(min(loads))
        loads[lightest] += size
        held[lightest].add(group)
    return [Split(f"fold {index + 1}", frozenset(groups)) for index, groups in enumerate(held)]


def source_splits(papers: Sequence[Paper]) -> list[Split]:
    """Each source by itself; sets of one source count as one."""
    return [Split(name, frozenset(sources)) for name, sources in _kin({paper.source for paper in papers})]


def _kin(sources: set[str]) -> Iterator[tuple[str, set[str]]]:
    families: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        families[source.rstrip("0123456789")].add(source)
    yield from sorted(families.items())


def calibrated(network: Network, judged: Sequence[JudgedChoice]) -> FieldRanker:
    """The network with Platt's curve through its choices on sellers that it had not seen; a weak prior keeps a field
    that was never wrong from being called certain."""
    bounded = np.clip([item.probability for item in judged], 1e-6, 1 - 1e-6)
    log_odds = np.log(bounded / (1 - bounded))
    right = np.array([item.right for item in judged], float)
    slope, offset = 1.0, 0.0
    for _ in range(_STEPS):
        share = 1 / (1 + np.exp(-(slope * log_odds + offset)))
        gradient = np.array(
            [((share - right) * log_odds).sum() + 0.5 * (slope - 1), (share - right).sum() + 0.5 * offset]
        )
        weight = share * (1 - share)
        mixed = (weight * log_odds).sum()
        curvature = np.array([[(weight * log_odds**2).sum() + 0.5, mixed], [mixed, weight.sum() + 0.5]])
        step = np.linalg.solve(curvature, gradient)
        slope, offset = slope - float(step[0]), offset - float(step[1])
    while _wrong_when_sure(FieldRanker(network, slope, offset), judged) > _MAX_WRONG:
        offset -= _CAUTION
    return FieldRanker(network, slope, offset)


def _wrong_when_sure(ranker: FieldRanker, judged: Sequence[JudgedChoice]) -> float:
    """The share that is wrong of what would be answered as sure."""
    sure = [item.right for item in judged if ranker.confidence(item.probability) >= _SURE]
    return 1 - sum(sure) / len(sure) if sure else 0.0
