"""The shipped path over rooms that none of its heads saw: from the photo to the verdict and the checklist.

For each fold of rooms all five heads are trained by their recipes on the other rooms alone, with their own
cross-validation and calibration inside these; the analyzer then looks at the photos that were left out.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.features import FeatureExtractor
from app.core.heads import LinearHead
from app.core.room_analyzer import DEPTHS, ChecklistItem, RoomAnalyzer, RoomClasses, RoomHeads
from app.core.room_rules import RoomRules, RoomStatus, RoomVerdict, judge_room
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from evaluation.figures import Share
from scripts.heads.recipes import Recipe
from scripts.heads.training import Collected, train
from scripts.heads.validation import Figures, figures, grouped_folds

_FOLDS = 5
_MAX_PIXELS = 50_000_000
_RULES = RoomRules(required=frozenset(), items_by_type={}, minutes={})


@dataclass(frozen=True, slots=True)
class Judged:
    """A photo and what was said of it: the probability that it is untidy, and the verdict on this photo alone."""

    path: Path
    is_messy: bool
    untidy: float
    verdict: RoomVerdict


def judge_held_out(
    recipes: Mapping[str, Recipe], collected: Mapping[str, Collected], extractor: FeatureExtractor, classes: RoomClasses
) -> dict[str, list[Judged]]:
    """By depth, every photo of ``room_messy``, each judged by heads of which none was trained on it."""
    rooms = collected["room_messy"]
    folds = grouped_folds(rooms.targets, rooms.groups, folds=_FOLDS)
    judged: dict[str, list[Judged]] = {depth: [] for depth in DEPTHS}
    for fold in np.unique(folds):
        left_out = [rooms.examples[index] for index in np.flatnonzero(folds == fold)]
        heads = _heads_without({example.path for example in left_out}, recipes, collected)
        analyzer = RoomAnalyzer(extractor, heads=heads, classes=classes)
        for depth in DEPTHS:
            judged[depth] += [
                _judge(analyzer, example.path, is_messy=example.is_positive, depth=depth) for example in left_out
            ]
    return judged


def _heads_without(paths: set[Path], recipes: Mapping[str, Recipe], collected: Mapping[str, Collected]) -> RoomHeads:
    heads: dict[str, LinearHead] = {}
    for name, items in collected.items():
        kept = [index for index, example in enumerate(items.examples) if example.path not in paths]
        heads[name] = train(recipes[name].question, items.take(np.array(kept))).head
    return RoomHeads(
        shown=heads["room_shown"],
        messy=heads["room_messy"],
        bed_visible=heads["bed_visible"],
        bed_unmade=heads["bed_unmade"],
        floor_cluttered=heads["floor_cluttered"],
        own={},
    )


def _judge(analyzer: RoomAnalyzer, path: Path, *, is_messy: bool, depth: str) -> Judged:
    image = decode_image(path.read_bytes(), PictureLimits(_MAX_PIXELS))
    [evidence] = analyzer.inspect([image], depth=depth)
    # Told as dirty without any confidence, so it counts as dirty here.
    untidy = 0.51 if evidence.untidy is None else evidence.untidy
    return Judged(path, is_messy, untidy, judge_room([evidence], _RULES))


def verdict_figures(judged: Sequence[Judged]) -> Figures:
    """Clean against messy."""
    targets = np.array([item.is_messy for item in judged])
    weights = np.where(targets, 1 / targets.sum(), 1 / (~targets).sum())
    probability = np.array([[item.untidy for item in judged]])
    return figures(probability, targets, np.arange(len(judged)), weights)


def verdict_shares(judged: Sequence[Judged], depth: str) -> list[Share]:
    """How verdicts are told, and what that is worth."""
    certain = [item for item in judged if not item.verdict.uncertain]
    right = [item for item in certain if (item.verdict.status is RoomStatus.DIRTY) is item.is_messy]
    clean = [item for item in judged if not item.is_messy]
    messy = [item for item in judged if item.is_messy]
    return [
        Share(f"{depth}: told without doubt", len(certain), len(judged)),
        Share(f"{depth}: of these right", len(right), len(certain), 0.99),
        Share(f"{depth}: tidy rooms told ready", _ready(clean), len(clean)),
        Share(f"{depth}: untidy rooms told ready", _ready(messy), len(messy), 0.0, "lower"),
    ]


def _ready(judged: Sequence[Judged]) -> int:
    return sum(item.verdict.ready_for_guest for item in judged)


def checklist_shares(judged: Sequence[Judged], depth: str, labels: Mapping[str, Mapping[str, str]]) -> list[Share]:
    """The checklist against labels by eye: how often it is answered, and how often that is right."""
    shares: list[Share] = []
    for item, column, visible in (
        (ChecklistItem.BED_MADE, "bed_made", "bed_visible"),
        (ChecklistItem.FLOOR_CLEAN, "floor_clear", "floor_clear"),
        (ChecklistItem.TOWELS_PRESENT, "towels_visible", "towels_visible"),
    ):
        told = [(one.verdict.checklist[item], labels[f"{one.path.parent.name}/{one.path.name}"]) for one in judged]
        known = [(answer, eye[column] == "1") for answer, eye in told if eye[column]]
        answered = [(answer.value, truth) for answer, truth in known if answer is not None]
        shares.append(Share(f"{depth}: {item.value} answered", len(answered), len(known)))
        if answered:
            right = sum(value == truth for value, truth in answered)
            shares.append(Share(f"{depth}: {item.value} right where answered", right, len(answered)))
        if visible != column:
            absent = [answer for answer, eye in told if eye[visible] == "0"]
            answers = sum(answer is not None for answer in absent)
            shares.append(Share(f"{depth}: {item.value} answered though none is in sight", answers, len(absent)))
    return shares


def read_labels_by_eye(folder: Path) -> dict[str, dict[str, str]]:
    """The rows of ``labels_by_eye.csv`` by file."""
    with (folder / "labels_by_eye.csv").open(newline="", encoding="utf-8-sig") as lines:
        return {row["file"]: row for row in csv.DictReader(lines)}


def other_pictures(analyzer: RoomAnalyzer, data: Path, folders: Sequence[str], depth: str) -> list[Share]:
    """Pictures of no room, of folders that no head was trained on: none may be told without doubt, nor ready."""
    shares = []
    for folder in folders:
        paths = sorted(path for path in (data / folder).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        judged = [_judge(analyzer, path, is_messy=True, depth=depth) for path in paths[:: max(len(paths) // 100, 1)]]
        certain = sum(not item.verdict.uncertain for item in judged)
        shares += [
            Share(f"{depth}: {folder}, told without doubt", certain, len(judged), 0.01, "lower"),
            Share(f"{depth}: {folder}, told ready", _ready(judged), len(judged), 0.0, "lower"),
        ]
    return shares
