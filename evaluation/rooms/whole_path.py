"""The shipped path over photos that none of its heads saw: from the views of a photo to the verdict and the checklist.

For each fold of scenes all heads are trained and calibrated on the other scenes alone; the analyzer then judges the
photos that were left out. The backbone's features of a photo are computed once, so no boxes are told here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.core.features import FeatureExtractor, Features
from app.core.room_analyzer import ChecklistItem, PhotoEvidence, RoomAnalyzer, RoomClasses
from app.core.room_rules import RoomRules, RoomStatus, RoomVerdict, judge_room
from app.core.room_views import View
from app.core.views import Views
from app.ml_models.factories.room import ROOM_HEADS, room_heads
from app.types import FloatArray
from evaluation.figures import Share
from scripts.heads.validation import Figures, figures
from scripts.rooms.known import KnownRooms
from scripts.rooms.photos import LabelledRoom
from scripts.rooms.rows import LookRows, wholes_of
from scripts.rooms.training import FOLDS, JudgedHead, folds_of

_RULES = RoomRules(required=frozenset(), items_by_type={}, minutes={})
_NO_MAP = np.zeros((1280, 1, 1), np.float32)
_NO_LOGITS = np.zeros(1000, np.float32)


@dataclass(frozen=True, slots=True)
class JudgedPhoto:
    """A photo, its evidence, and the verdict on this photo alone."""

    photo: LabelledRoom
    evidence: PhotoEvidence
    verdict: RoomVerdict

    def says(self, answer: str) -> bool | None:
        """The label of that name; None where the photo has none."""
        return self.photo.answers.get(answer)

    @property
    def is_whole(self) -> bool:
        return self.says("view_detail") is not True


def judge_held_out(
    photos: Sequence[LabelledRoom],
    rows: LookRows,
    heads: Mapping[str, JudgedHead],
    extractor: FeatureExtractor,
    classes: RoomClasses,
    *,
    depth: str,
) -> list[JudgedPhoto]:
    """Every photo, each judged by heads of which none was trained on its scene."""
    _, folds = folds_of(photos, rows)
    rooms = KnownRooms(photos, rows)
    judged: list[JudgedPhoto] = []
    for fold in range(FOLDS):
        of_fold = room_heads({name: heads[name].fold_heads[fold] for name in ROOM_HEADS}, own={})
        analyzer = RoomAnalyzer(extractor, heads=of_fold, classes=classes, known=rooms.among(folds != fold))
        for index in np.flatnonzero(folds == fold):
            views = _views(rows.views[depth][index], wholes=wholes_of(depth))
            evidence = analyzer.inspect_views(views, depth=depth, width=1, height=1)
            judged.append(JudgedPhoto(photos[index], evidence, judge_room([evidence], _RULES)))
    return judged


def _views(pooled: FloatArray, *, wholes: int) -> Views:
    features = tuple(Features(row, _NO_LOGITS, _NO_MAP) for row in pooled)
    return Views(features[:wholes], features[wholes:], ())


def view_shares(judged: Sequence[JudgedPhoto], depth: str) -> list[Share]:
    """Whether the kind of room is told right, of details too, and whether details are told as such."""
    wanted = {"bedroom": View.BEDROOM, "bathroom": View.BATHROOM, "corridor": View.CORRIDOR, "other": View.OTHER_ROOM}
    shares: list[Share] = []
    right = known = 0
    for kind, room in wanted.items():
        photos = [item for item in judged if item.photo.kind == kind and item.says("room_shown")]
        told = sum(item.evidence.seen.room is room for item in photos)
        shares.append(Share(f"{depth}: {kind} told as such", told, len(photos)))
        right, known = right + told, known + len(photos)
    others = [item for item in judged if item.says("room_shown") is False]
    told = sum(item.evidence.seen.view is View.NOT_A_ROOM for item in others)
    shares.append(Share(f"{depth}: no room told as such", told, len(others)))
    shares.append(Share(f"{depth}: kind of room right, all", right + told, known + len(others), 0.93))
    for is_detail, name in ((True, "details told as such"), (False, "whole rooms told as a detail")):
        photos = [item for item in judged if item.says("view_detail") is is_detail]
        shares.append(
            Share(f"{depth}: {name}", sum(item.evidence.seen.view is View.DETAIL for item in photos), len(photos))
        )
    return shares


def tidiness_figures(judged: Sequence[JudgedPhoto], kind: str, answer: str) -> Figures:
    """Tidy against untidy, of photos of that kind of room for which the path told a probability."""
    known = [
        (item.evidence.untidy, item.says(answer))
        for item in judged
        if item.photo.kind == kind and item.says(answer) is not None and item.evidence.untidy is not None
    ]
    targets = np.array([bool(truth) for _, truth in known])
    probability = np.array([[untidy for untidy, _ in known]], np.float64)
    return figures(probability, targets, np.arange(len(known)), np.ones(len(known)))


def verdict_shares(judged: Sequence[JudgedPhoto], depth: str) -> list[Share]:
    """How verdicts are told, and what that is worth."""
    rooms = [item for item in judged if item.says("room_messy") is not None]
    certain = [item for item in rooms if item.verdict.status and not item.verdict.uncertain]
    right = [item for item in certain if (item.verdict.status is RoomStatus.DIRTY) == item.says("room_messy")]
    tidy = [item for item in rooms if item.photo.kind == "bedroom" and item.is_whole and not item.says("room_messy")]
    shown = [item for item in tidy if item.says("bed_visible") and item.says("floor_visible")]
    untidy = [item for item in rooms if item.says("room_messy")]
    never = [item for item in judged if item.photo.kind not in ("bedroom", "other") or not item.is_whole]
    bathrooms = [item for item in judged if item.says("bathroom_dirty") is not None]
    dirty = [item for item in judged if item.verdict.status is RoomStatus.DIRTY]
    return [
        Share(f"{depth}: rooms told without doubt", len(certain), len(rooms)),
        Share(f"{depth}: of these right", len(right), len(certain), 0.99),
        Share(f"{depth}: tidy bedrooms told ready, bed and floor in the photo", _ready(shown), len(shown), 0.85),
        Share(f"{depth}: tidy bedrooms told ready, all whole ones", _ready(tidy), len(tidy)),
        Share(f"{depth}: untidy rooms told ready", _ready(untidy), len(untidy), 0.0, "lower"),
        Share(f"{depth}: bathrooms told ready", _ready(bathrooms), len(bathrooms), 0.0, "lower"),
        Share(f"{depth}: corridors, details, no rooms told ready", _ready(never), len(never), 0.0, "lower"),
        Share(
            f"{depth}: dirty without a tag", sum(not item.verdict.findings for item in dirty), len(dirty), 0.0, "lower"
        ),
        _bathrooms_told(bathrooms, depth, dirty=True),
        _bathrooms_told(bathrooms, depth, dirty=False),
    ]


def _bathrooms_told(bathrooms: Sequence[JudgedPhoto], depth: str, *, dirty: bool) -> Share:
    photos = [item for item in bathrooms if item.says("bathroom_dirty") is dirty]
    told = sum(item.verdict.status is RoomStatus.DIRTY for item in photos)
    return Share(f"{depth}: {'dirty' if dirty else 'tidy'} bathrooms told dirty", told, len(photos))


def _ready(judged: Sequence[JudgedPhoto]) -> int:
    return sum(item.verdict.ready_for_guest for item in judged)


def checklist_shares(judged: Sequence[JudgedPhoto], depth: str) -> list[Share]:
    """How often an item is answered, how often that is right, and how often without its thing in the photo."""
    shares: list[Share] = []
    for item, answer, visible, holds in (
        (ChecklistItem.BED_MADE, "bed_unmade", "bed_visible", False),
        (ChecklistItem.FLOOR_CLEAN, "floor_cluttered", "floor_visible", False),
        (ChecklistItem.BATHROOM_CLEAN, "bathroom_dirty", "view_bathroom", False),
        (ChecklistItem.TOWELS_PRESENT, "towels_present", "towels_present", True),
    ):
        known = [one for one in judged if one.says(answer) is not None]
        told = [(checked.value, one.says(answer) is holds) for one in known if (checked := one.verdict.checklist[item])]
        blind = [one for one in judged if one.says(visible) is False]
        shares.append(Share(f"{depth}: {item.value} answered", len(told), len(known)))
        if told:
            shares.append(Share(f"{depth}: of these right", sum(a == b for a, b in told), len(told)))
        without = sum(one.verdict.checklist[item] is not None for one in blind)
        shares.append(Share(f"{depth}: {item.value} answered without it", without, len(blind)))
    return shares
