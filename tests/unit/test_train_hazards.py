"""Hazard heads: judged by heads that never saw the source, and fitted to the spot that shows the hazard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.heads import Pooling, unit
from app.ml_models.heads import HEADS_DIR, read_head_file
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.recipes import HAZARD_RECIPES
from scripts.hazards.rows import FrameRows
from scripts.hazards.training import HazardQuestion, judge, source_weights

SPOT = HazardQuestion("hazard_fire_or_smoke", Pooling.SPOT, frozenset(), l2=1e-3, max_false=0.05, max_false_alerts=0.01)


def photos(each: int) -> list[HazardPhoto]:
    return [
        HazardPhoto(Path(f"{source}{index}"), source, source, str(index), "", burning=index % 2 == 0)
        for source in ("a", "b", "c")
        for index in range(each)
    ]


def rows_with_a_spot(of: list[HazardPhoto]) -> FrameRows:
    """Noise everywhere; a hazard adds one direction to one of the tiles, and little of it to the whole."""
    rng = np.random.default_rng(0)
    wholes, tiles = rng.normal(size=(len(of), 16)), rng.normal(size=(len(of), 6, 16))
    for row, photo in enumerate(of):
        if photo.burning:
            tiles[row, row % 6, 0] += 12
            wholes[row, 0] += 1.5
    return FrameRows(unit(wholes.astype(np.float32)), np.stack([unit(item.astype(np.float32)) for item in tiles]))


def test_a_spot_is_learnt_that_the_whole_hardly_shows() -> None:
    given = photos(60)
    judged = judge(SPOT, given, rows_with_a_spot(given))
    assert (judged.told == judged.targets).mean() > 0.9


def test_no_head_judges_a_source_that_it_saw() -> None:
    given = photos(20)
    rows = rows_with_a_spot(given)
    before = judge(SPOT, given, rows).heads["a"]
    changed = [  # other answers in the source that is left out change nothing about its judge
        HazardPhoto(photo.path, photo.folder, photo.source, photo.scene, "", burning=not photo.burning)
        if photo.source == "a" and photo.scene in {"0", "1"}
        else photo
        for photo in given
    ]
    after = judge(SPOT, changed, rows).heads["a"]
    assert after.weights == pytest.approx(before.weights, abs=1e-6)


def test_a_large_source_does_not_decide_alone() -> None:
    given = [HazardPhoto(Path("x"), s, s, "", "", burning=True) for s in ["large"] * 100 + ["small"] * 4]
    weights = source_weights(given, np.ones(104, bool))
    assert weights[:100].sum() / weights[100:].sum() == pytest.approx(5)


def test_photos_that_answer_neither_teach_nothing() -> None:
    given = [*photos(20), HazardPhoto(Path("candle"), "a", "a", "candle", "controlled candles", burning=None)]
    assert len(judge(SPOT, given, rows_with_a_spot(given)).photos) == 60


def test_every_recipe_has_a_shipped_head_with_a_card() -> None:
    for recipe in HAZARD_RECIPES:
        file = read_head_file(HEADS_DIR / f"{recipe.question.name}.json")
        facts: Any = file.facts
        assert facts["left_out"], recipe.question.name
        assert (HEADS_DIR / f"{recipe.question.name}.md").is_file()
        assert file.alert_threshold is None or file.alert_threshold >= file.threshold
