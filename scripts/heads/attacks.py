"""Train the second opinion on liveness, judge it leave-one-source-out, and write it with its card.

    python -m scripts.train_heads pad --data DIR

DIR holds spoof, spoof2 and the collections of faces. All photos train, tight crops too; full frames alone are judged,
each by a head that saw nothing of its source. LFW alone, whose 150 px crops nothing else resembles, is left out by
parts of its people, and once more as a whole. Classes weigh the same, and in them a source by a low power of its
photos' number.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.attack_cues import LOOK, cue_blocks
from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.ml_models.factories.face import ATTACK_HEAD, attack_head_model_id
from app.ml_models.heads import HEADS_DIR
from scripts.heads.attack_card import attack_card
from scripts.heads.attack_judge import OperatingPoint, judged, operating_point
from scripts.heads.attack_photos import LFW, AttackPhoto, read_photos
from scripts.heads.logistic import fit_logistic
from scripts.heads.shipped import open_models, write_with_card

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]

_L2 = 3e-4
_WEIGHTS = {"logits": 3.0, "score": 2.0, "inner": 3.0, "close": 3.0, "spectrum": 1.0, "colours": 1.0, "focus": 1.0}
"""How much each part of the cues counts: its columns are scaled to this length together."""
_FIRST = 0.7  # of the network's own log odds beside the head: it errs elsewhere, and knows what the head never saw
_POWER = 0.25
_STEPS = 100  # of the search; with 120 no count differed from that with 300


def main(arguments: Sequence[str]) -> int:
    """Exit status 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=HEADS_DIR)
    parser.add_argument("--cache", type=Path, help="folder that keeps computed cues, for the next time")
    options = parser.parse_args(arguments)
    loader = open_models()
    photos = read_photos(loader, options.data, options.cache)
    trainer = _Trainer(photos)
    scores = trainer.left_out(trainer.folds)
    unseen = trainer.left_out(trainer.sources, only=LFW)
    point = operating_point(photos, scores)
    shares = judged(photos, scores, point, unseen=unseen)
    facts = {
        "title": "Presentation attacks",
        "classes": {"positive": "a picture of a face", "negative": "a face"},
        "trained_at": datetime.now(UTC).date().isoformat(),
        "leave_one_source_out": {share.name: [share.count, share.n] for share in shares},
    }
    model_id, card = attack_head_model_id(loader), attack_card(photos, shares)
    write_with_card(options.out, trainer.head(point), card, model_id=model_id, facts=facts)
    return 0


class _Trainer:
    """Fits heads on parts of the photos."""

    def __init__(self, photos: Sequence[AttackPhoto]) -> None:
        self._cues = np.stack([photo.cues for photo in photos]).astype(np.float64)
        self._attack = np.array([photo.is_attack for photo in photos])
        self._group = np.array([f"{photo.is_attack} {photo.source} {photo.kind}" for photo in photos])
        self.folds = np.array([photo.fold for photo in photos])
        self.sources = np.array([photo.source for photo in photos])
        blocks = cue_blocks(self._cues.shape[2])
        self._scale = np.concatenate([np.full(n, _WEIGHTS[name] / n**0.5) for name, n in blocks.items()])
        self._score = int(blocks["logits"])

    def left_out(self, parts: NDArray[np.str_], *, only: str | None = None) -> Floats:
        """(n,) scores of the photos as they are, each by a head that saw nothing of its part; NaN where not asked."""
        scores = np.full(len(parts), np.nan)
        for part in tqdm(sorted(set(parts)) if only is None else [only], unit="part"):
            inside = parts == part
            weights, bias = self.fit(~inside)
            scores[inside] = self._cues[inside, 0] @ weights + bias
        return scores

    def fit(self, chosen: Chosen) -> tuple[Floats, float]:
        """Weights and bias on the cues as they are: what standardises them is folded in."""
        rows = self._cues[chosen]
        mean, spread = rows[:, 0].mean(axis=0), rows[:, 0].std(axis=0) + 1e-6
        flat = ((rows - mean) / spread * self._scale).transpose(1, 0, 2).reshape(-1, rows.shape[2])
        targets = self._attack[chosen].astype(np.float64)
        weights, bias = fit_logistic(
            flat, np.tile(targets, 2), np.tile(self._importance(chosen), 2), l2=_L2, max_steps=_STEPS
        )
        folded = weights * self._scale / spread
        folded[self._score] -= _FIRST
        return folded, bias - float(mean @ (weights * self._scale / spread))

    def head(self, point: OperatingPoint) -> LinearHead:
        """The head on all photos."""
        weights, bias = self.fit(np.ones(len(self._attack), bool))
        calibration = {LOOK: TwoSlopeCalibration(midpoint=point.passes, slope_below=1.0, slope_above=1.0)}
        return LinearHead(
            ATTACK_HEAD, weights.astype(np.float32), bias, Pooling.MEAN, calibration, alert_threshold=point.alert
        )

    def _importance(self, chosen: Chosen) -> Floats:
        importance = np.zeros(len(self._attack))
        for side in (False, True):
            of_side = chosen & (self._attack == side)
            for group in set(self._group[of_side]):
                members = of_side & (self._group == group)
                importance[members] = members.sum() ** (_POWER - 1)
            importance[of_side] /= importance[of_side].sum()
        return importance[chosen]
