"""Teaching and judging the ranker of one field: softmax over a document's candidates and "none of them"."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from app.core.ocr.extraction.candidates import plain_name
from app.core.ocr.extraction.fields import (
    CODE_FIELDS,
    DATE_FIELDS,
    MONEY_FIELDS,
    NAME_FIELDS,
    FieldCandidates,
    find_candidates,
)
from app.core.ocr.extraction.ranker import FieldRanker, Network, choose
from app.core.ocr.text import similarity
from app.types import FloatArray
from scripts.extractor.papers import GENERATED, Paper

FIELDS = (*MONEY_FIELDS, *DATE_FIELDS, *CODE_FIELDS, *NAME_FIELDS)
HIDDEN = 16
NETWORKS = 3
EPOCHS = 130
FOLDS = 5
_ALL_UNTIL, _RIVALS = 30, 12
"""From that epoch on only the likeliest values of each paper are taught beside the right ones: the others are told
apart by then, and are most of the work."""

_LEARNING_RATE = 1.2e-2
_DROP = 0.15
_L2 = 1e-4
_NEVER_VARIED = 0.02
_SAME_SELLER = 0.85


IntArray = np.ndarray[tuple[int], np.dtype[np.int_]]


@dataclass(frozen=True, slots=True)
class FieldExample:
    """The candidates of one field on one paper; none of them is right where the paper is known to lack the field."""

    paper: Paper
    field: str
    features: FloatArray
    values: tuple[Hashable, ...]
    right: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def is_judged(self) -> bool:
        return self.paper.judged and bool(self.paper.labels[self.field])


@dataclass(frozen=True, slots=True)
class JudgedChoice:
    """A choice on a paper that was left out. ``confidence`` is the ranker's: of a network alone its probability."""

    paper: Paper
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Split:
    """What is left out together: some of the groups, or one origin."""

    name: str
    by: Literal["group", "source"]
    held_out: frozenset[str]

    def holds(self, paper: Paper) -> bool:
        return (paper.group if self.by == "group" else paper.origin) in self.held_out


def examples(papers: Sequence[Paper], fields: Sequence[str], *, today: date) -> dict[str, list[FieldExample]]:
    """By field, the papers that have a candidate, and a label for it or are known to lack it."""
    found: dict[str, list[FieldExample]] = defaultdict(list)
    for paper in papers:
        candidates = find_candidates(paper.page, today=today)
        for field in fields:
            labels = paper.labels.get(field)
            features, values = _of_field(candidates, field)
            if labels is not None and values:
                right = np.array([is_right(field, value, labels) for value in values], bool)
                found[field].append(FieldExample(paper, field, features, values, right))
    return found


def _of_field(candidates: FieldCandidates, field: str) -> tuple[FloatArray, tuple[Hashable, ...]]:
    if field == "total":
        return candidates.money_features, tuple(candidates.totals)
    if field in MONEY_FIELDS:
        return candidates.money_features, tuple(item.value for item in candidates.money)
    if field in DATE_FIELDS:
        return candidates.date_features, tuple(item.value for item in candidates.dates)
    if field in CODE_FIELDS:
        return candidates.code_features, tuple(_plain_code(item.value) for item in candidates.codes)
    return candidates.name_features, tuple(plain_name(item.value) for item in candidates.names)


def _plain_code(code: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", code.upper()).lstrip("0")


def is_right(field: str, value: object, labels: frozenset[object]) -> bool:
    """Codes are compared by their letters and digits, sellers fuzzily, everything else exactly."""
    if field in CODE_FIELDS:
        return _plain_code(str(value)) in {_plain_code(str(label)) for label in labels}
    if field in NAME_FIELDS:
        return any(similarity(str(value), str(label)) >= _SAME_SELLER for label in labels)
    return value in labels


def fit(teaching: Sequence[FieldExample]) -> Network:
    """Networks from several beginnings as one, whose score is their mean: what one of them made of few papers by chance
    counts less. Each seller group counts by the root of its size, so that one chain does not set the rules."""
    batch = _batch(teaching)
    parts = [_fitted(batch, seed) for seed in range(NETWORKS)]
    hidden, hidden_bias, out, out_bias = (np.concatenate(of_all, axis=-1) for of_all in zip(*parts, strict=True))
    return Network(batch.mean, batch.scale, hidden, hidden_bias, out / NETWORKS, float(out_bias.mean()))


def _fitted(batch: _Batch, seed: int) -> list[FloatArray]:
    """Hidden weights and biases, those of the score."""
    random = np.random.default_rng(seed)
    width = batch.inputs.shape[1]
    parameters: list[FloatArray] = [
        random.normal(0, width**-0.5, (width, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        random.normal(0, 0.3, HIDDEN).astype(np.float32),
        np.full(1, -2.0, np.float32),
    ]
    first = [np.zeros_like(item) for item in parameters]
    second = [np.zeros_like(item) for item in parameters]
    for epoch in range(EPOCHS):
        if epoch == _ALL_UNTIL:
            batch = batch.narrowed(parameters)
        kept = ((random.random((width, 1)) > _DROP) / (1 - _DROP)).astype(np.float32)
        gradients = batch.gradients(parameters, kept)
        rate = _LEARNING_RATE * min(1.0, (epoch + 1) / 20) * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        for index, gradient in enumerate(gradients):
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
            step = first[index] / (1 - 0.9 ** (epoch + 1))
            parameters[index] = (
                parameters[index] - rate * step / (np.sqrt(second[index] / (1 - 0.999 ** (epoch + 1))) + 1e-9)
            ).astype(np.float32)
    return parameters


@dataclass(frozen=True, slots=True)
class _Batch:
    """All candidates, those of one value on one paper beside each other. A value counts by its best candidate.

    Attributes:
        inputs: (n, d), scaled by ``mean`` and ``scale``.
        values: (v,) where each value's candidates begin; ``value_of``: (n,) its inverse.
        papers: (p,) where each paper's values begin; ``paper_of``: (v,) its inverse.
        right: (v,) 1 for a value that is right.
        weights: (v,) of its paper, 1 together over papers.
    """

    mean: FloatArray
    scale: FloatArray
    inputs: FloatArray
    values: IntArray
    value_of: IntArray
    papers: IntArray
    paper_of: IntArray
    right: FloatArray
    weights: FloatArray

    def narrowed(self, parameters: Sequence[FloatArray]) -> _Batch:
        """With the right values, and the likeliest others of each paper."""
        every = np.tanh(self.inputs @ parameters[0] + parameters[1]) @ parameters[2]
        scores = np.maximum.reduceat(every, self.values)
        order = np.lexsort((-scores, self.paper_of))
        rank = np.empty(len(order), int)
        rank[order] = np.arange(len(order)) - self.papers[self.paper_of]
        kept = (rank < _RIVALS) | (self.right > 0)
        value_of = (np.cumsum(kept) - 1)[self.value_of[kept[self.value_of]]]
        paper_of = self.paper_of[kept]
        return replace(
            self,
            inputs=self.inputs[kept[self.value_of]],
            values=np.flatnonzero(np.diff(value_of, prepend=-1)),
            value_of=value_of,
            papers=np.flatnonzero(np.diff(paper_of, prepend=-1)),
            paper_of=paper_of,
            right=self.right[kept],
            weights=self.weights[kept],
        )

    def gradients(self, parameters: Sequence[FloatArray], kept: FloatArray) -> list[FloatArray]:
        """Of the mean cross entropy of the right value, or of none where no value is right."""
        hidden = np.tanh(self.inputs @ (kept * parameters[0]) + parameters[1])
        every = hidden @ parameters[2] + parameters[3][0]
        scores = np.maximum.reduceat(every, self.values)
        best = np.flatnonzero(every == scores[self.value_of])
        best = best[np.unique(self.value_of[best], return_index=True)[1]]
        highest = np.maximum(np.maximum.reduceat(scores, self.papers), 0)
        powers = np.exp(scores - highest[self.paper_of])
        total = np.add.reduceat(powers, self.papers) + np.exp(-highest)
        of_right = np.add.reduceat(powers * self.right, self.papers)[self.paper_of]
        wanted = np.where(of_right > 0, powers * self.right / np.maximum(of_right, 1e-12), 0)
        slope = ((powers / total[self.paper_of] - wanted) * self.weights).astype(np.float32)
        active = hidden[best]
        back = np.outer(slope, parameters[2]) * (1 - active * active)
        return [
            kept * (self.inputs[best].T @ back) + _L2 * parameters[0],
            back.sum(0),
            active.T @ slope + _L2 * parameters[2],
            np.array([slope.sum()], np.float32),
        ]


def _batch(teaching: Sequence[FieldExample]) -> _Batch:
    stacked = np.concatenate([example.features for example in teaching])
    mean, scale = stacked.mean(0), stacked.std(0)
    scale[scale < _NEVER_VARIED] = np.inf
    inputs = np.clip((stacked - mean) / scale, -6, 6).astype(np.float32)
    keys = [(index, value) for index, example in enumerate(teaching) for value in example.values]
    number: dict[tuple[int, Hashable], int] = {}
    of_value = np.array([number.setdefault(key, len(number)) for key in keys])
    order = np.argsort(of_value, kind="stable")
    value_of = of_value[order]
    values = np.flatnonzero(np.diff(value_of, prepend=-1))
    paper_of = np.array([paper for paper, _ in number])
    right = np.maximum.reduceat(np.concatenate([e.right for e in teaching])[order].astype(np.float32), values)
    groups = Counter(example.paper.group for example in teaching)
    weights = np.array([groups[example.paper.group] ** -0.5 for example in teaching], np.float32)
    weights /= weights.sum()
    papers = np.flatnonzero(np.diff(paper_of, prepend=-1))
    return _Batch(
        mean.astype(np.float32), scale.astype(np.float32), inputs[order], values, value_of, papers, paper_of, right,
        weights[paper_of],
    )  # fmt: skip


def outside(every: Sequence[FieldExample], *splits: Split) -> list[FieldExample]:
    """The examples that none of the splits leaves out."""
    return [example for example in every if not any(split.holds(example.paper) for split in splits)]


def choices(network: Network, asked: Sequence[FieldExample]) -> list[JudgedChoice]:
    """With the network's own probability; papers that are only taught are left aside."""
    plain = FieldRanker(network, 1.0, 0.0)
    return [judged(plain, example) for example in asked if example.is_judged]


def judged(ranker: FieldRanker, example: FieldExample) -> JudgedChoice:
    """What the ranker chooses there."""
    chosen = choose(ranker, example.features, example.values)
    if chosen is None:
        return JudgedChoice(example.paper, 0.0, right=False)
    same = [right for value, right in zip(example.values, example.right, strict=True) if value == chosen.value]
    return JudgedChoice(example.paper, chosen.confidence, right=bool(any(same)))


def group_splits(papers: Sequence[Paper], *, folds: int = FOLDS) -> list[Split]:
    """Seller groups dealt to folds of about one size, the largest first."""
    sizes = Counter(paper.group for paper in papers if paper.origin != GENERATED)
    loads = [0] * folds
    held: list[set[str]] = [set() for _ in range(folds)]
    for group, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        lightest = loads.index(min(loads))
        loads[lightest] += size
        held[lightest].add(group)
    return [Split(f"fold {index + 1}", "group", frozenset(groups)) for index, groups in enumerate(held)]


def source_splits(papers: Sequence[Paper]) -> list[Split]:
    """Each origin by itself."""
    return [
        Split(origin, "source", frozenset({origin}))
        for origin in sorted({paper.origin for paper in papers} - {GENERATED})
    ]
