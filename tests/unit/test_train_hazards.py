"""Hazard heads: judged by heads that never saw the source, and fitted to the spot that shows the hazard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.heads import LinearHead, Pooling, unit
from app.ml_models.heads import HEADS_DIR, read_head_file
from scripts.hazards.made import MadeFrames
from scripts.hazards.photos import HazardPhoto
from scripts.hazards.recipes import HAZARD_RECIPES
from scripts.hazards.rows import FrameRows, main_directions
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


def test_no_head_judges_a_photo_of_whose_pixels_it_learnt() -> None:
    """A frame that was made of photos of two sources teaches the heads of the third alone."""
    given = photos(20)
    rows, question = rows_with_a_spot(given), replace(SPOT, made_share=0.5)
    frames = rows_with_a_spot(given[:2])
    of_a_and_b = (given[0], given[20])

    def heads(flip: bool) -> Mapping[str, LinearHead]:
        made = MadeFrames(frames, np.array([True, False]) != flip, [of_a_and_b, of_a_and_b])
        return judge(question, given, rows, made).heads

    before, after = heads(False), heads(True)
    for source in ("a", "b"):
        assert after[source].weights == pytest.approx(before[source].weights, abs=1e-6)
    assert np.abs(after["c"].weights - before["c"].weights).max() > 1e-3


def test_made_frames_teach_what_no_photo_shows() -> None:
    """The hazard of the photos shows in direction 0, that of the made frames in direction 1 alone."""
    given = photos(30)
    rows, made = rows_with_a_spot(given), rows_with_a_spot(given)
    swapped = FrameRows(made.wholes, made.tiles[..., [1, 0, *range(2, 16)]])
    targets = np.array([bool(photo.burning) for photo in given])
    frames = MadeFrames(swapped, targets, [(photo,) for photo in given])
    plain = judge(SPOT, given, rows).final
    taught = judge(replace(SPOT, made_share=1.0), given, rows, frames).final
    assert taught.weights[1] > plain.weights[1] + 1


def test_of_made_frames_without_a_fire_no_flames_are_asked() -> None:
    frames = MadeFrames(rows_with_a_spot(photos(2)), np.array([True, False] * 3), [()] * 6)
    assert frames.burning.targets.all()
    assert frames.burning.rows.wholes.shape == (3, 16)


def test_tiles_have_weights_of_their_own_where_that_is_asked() -> None:
    """The whole shows little of this hazard, one of its tiles all of it."""
    given = photos(60)
    judged = judge(replace(SPOT, tiles_apart=True), given, rows_with_a_spot(given))
    assert judge(SPOT, given, rows_with_a_spot(given)).final.tile_weights is None
    assert judged.final.tile_weights is not None
    assert judged.final.tile_weights[0] > 1.5 * judged.final.weights[0] > 0
    assert (judged.told == judged.targets).mean() > 0.9


def test_a_head_learnt_along_few_directions_scores_all_features_the_same() -> None:
    given = photos(60)
    rows = rows_with_a_spot(given)
    directions = main_directions(rows, count=10)
    assert directions.T @ directions == pytest.approx(np.eye(10), abs=1e-5)
    judged = judge(replace(SPOT, tiles_apart=True), given, rows.along(directions))
    assert judged.final.weights.shape == (16,)
    assert judged.final.tile_weights is not None
    inside = directions @ (directions.T @ judged.final.tile_weights)
    assert inside == pytest.approx(judged.final.tile_weights, abs=1e-5)
    assert (judged.told == judged.targets).mean() > 0.9


def test_an_alert_is_kept_from_what_is_named_as_hard() -> None:
    """Photos of one kind look like the hazard: without a bound of their own they hide in the mean over data sets."""
    given = photos(60)
    rows = rows_with_a_spot(given)
    hard = [replace(photo, kind="shiny") if not photo.burning and int(photo.scene) < 20 else photo for photo in given]
    for row, photo in enumerate(hard):
        if photo.kind == "shiny":
            rows.tiles[row, 0] = unit(rows.tiles[row, :1] + np.eye(16, dtype=np.float32)[:1] * 0.7)[0]

    def alerted(question: HazardQuestion) -> int:
        judged = judge(question, hard, rows)
        return sum(
            bool(said) for said, photo in zip(judged.alerted, judged.photos, strict=True) if photo.kind == "shiny"
        )

    loose = replace(SPOT, max_false_alerts=0.2)
    assert alerted(replace(loose, max_hard_alerts={"shiny": 0.0})) < alerted(loose)
    bound = judge(replace(loose, max_hard_alerts={"shiny": 0.0}), hard, rows).final
    assert bound.alert_threshold is not None
    assert bound.alert_threshold > (judge(loose, hard, rows).final.alert_threshold or 0)


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
