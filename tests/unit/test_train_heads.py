"""Training heads: reading labels, folds, calibration, figures, and the whole way on pictures made here."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from app.core.heads import TwoSlopeCalibration
from app.ml_models.heads import HEADS_DIR, read_head, read_head_file
from scripts.heads.examples import BadData, Source, labels_of, read_examples
from scripts.heads.light import relight
from scripts.heads.logistic import fit_logistic
from scripts.heads.validation import (
    SURE,
    calibration_error,
    figures,
    fit_calibration,
    grouped_folds,
    merge_near_duplicates,
)
from scripts.rooms.recipes import ROOM_RECIPES
from scripts.rooms.rows import LOOKS
from scripts.train_heads import main

pytestmark = pytest.mark.slow


def picture(path: Path, *, noisy: bool, seed: int) -> None:
    """A pattern of its own for each seed; noisy ones lie under coloured specks."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:96, 0:128].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(5, 60)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = np.hypot(x - rng.uniform(0, 128), y - rng.uniform(0, 96))
    wave = np.sin((along if seed % 2 else across) * 2 * np.pi / period)
    colours = rng.integers(0, 255, (2, 3))
    image = np.where((wave > rng.uniform(-0.8, 0.8))[..., None], colours[0], colours[1]).astype(np.uint8)
    if noisy:
        specks = rng.random((96, 128)) < 0.3
        image[specks] = rng.integers(0, 255, (int(specks.sum()), 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def folder_of_labels(folder: Path, *, each: int) -> Path:
    for seed in range(each):
        picture(folder / "tidy" / f"{seed}.png", noisy=False, seed=seed)
        picture(folder / "untidy" / f"{seed}.png", noisy=True, seed=1000 + seed)
    return folder


def table_of_labels(folder: Path, rows: list[dict[str, str]]) -> Path:
    for index, row in enumerate(rows):
        picture(folder / row["file"], noisy=False, seed=index)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_folders_are_labels(tmp_path: Path) -> None:
    folder = folder_of_labels(tmp_path, each=2)
    examples = read_examples(Source(folder=folder, positive=frozenset({"untidy"})))
    assert [(example.path.parent.name, example.is_positive) for example in examples] == [
        ("tidy", False),
        ("tidy", False),
        ("untidy", True),
        ("untidy", True),
    ]
    assert labels_of(folder) == ["tidy", "untidy"]


def test_table_names_labels_groups_and_what_counts(tmp_path: Path) -> None:
    folder = table_of_labels(
        tmp_path,
        [
            {"file": "a.png", "bed": "1", "scene": "x", "seen": "1"},
            {"file": "b.png", "bed": "0", "scene": "x", "seen": "1"},
            {"file": "c.png", "bed": "0", "scene": "y", "seen": "0"},
            {"file": "d.png", "bed": "", "scene": "y", "seen": "1"},
        ],
    )
    source = Source(
        folder=folder,
        positive=frozenset({"1"}),
        label_column="bed",
        group_column="scene",
        where=(("seen", "1"),),
        negative_weight=0.5,
    )
    found = [(example.path.name, example.is_positive, example.weight) for example in read_examples(source)]
    assert found == [("a.png", True, 1.0), ("b.png", False, 0.5)]
    assert len({example.group for example in read_examples(source)}) == 1


def test_table_that_names_a_missing_photo_is_refused(tmp_path: Path) -> None:
    folder = table_of_labels(tmp_path, [{"file": "a.png", "label": "x"}])
    (folder / "a.png").unlink()
    with pytest.raises(BadData, match=r"a\.png"):
        read_examples(Source(folder=folder, positive=frozenset({"x"})))


def test_logistic_fit_finds_the_direction_and_shrinks_with_the_penalty() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3))
    targets = (features[:, 0] + 0.1 * rng.normal(size=200) > 0.5).astype(float)
    loose, bias = fit_logistic(features, targets, np.ones(200), l2=1e-3)
    tight, _ = fit_logistic(features, targets, np.ones(200), l2=1.0)
    assert abs(loose[0]) > 5 * np.abs(loose[1:]).max()
    assert -bias / loose[0] == pytest.approx(0.5, abs=0.1)
    assert np.linalg.norm(tight) < np.linalg.norm(loose)


def test_groups_never_stand_on_both_sides_of_a_fold() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 30, 200)
    targets = rng.random(200) < 0.3
    folds = grouped_folds(targets, groups, folds=5)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert set(folds) == set(range(5))


def test_near_duplicates_join_their_groups() -> None:
    features = np.array([[1, 0], [0.999, 0.0447], [0, 1]])
    assert merge_near_duplicates(["a", "b", "c"], features).tolist() == [0, 0, 1]


def test_calibration_is_not_sure_where_its_mistakes_lie() -> None:
    rng = np.random.default_rng(2)
    scores = np.concatenate([rng.normal(2, 0.5, 60), rng.normal(-2, 0.5, 60), [-1.5]])
    targets = np.concatenate([np.ones(60, bool), np.zeros(60, bool), [True]])
    calibration = fit_calibration(scores, targets, np.ones(121))
    assert 1 - calibration.probability(-1.5) < SURE
    assert 1 - calibration.probability(-2.5) > SURE
    assert calibration.slope_above > calibration.slope_below


def test_calibration_error_of_honest_and_of_boastful_probabilities() -> None:
    rng = np.random.default_rng(3)
    honest = rng.random(4000)
    targets = rng.random(4000) < honest
    weights = np.ones(4000)
    assert calibration_error(honest, targets, weights) < 0.03
    assert calibration_error(np.where(honest > 0.5, 0.99, 0.01), targets, weights) > 0.2


def test_figures_count_what_was_found() -> None:
    probability = np.array([0.95, 0.6, 0.2, 0.05, 0.02, 0.7])
    targets = np.array([True, True, True, False, False, False])
    found = figures(probability[None], targets, np.arange(6), np.ones(6))
    assert (found.positives, found.negatives, found.groups) == (3, 3, 6)
    assert found.sensitivity == pytest.approx(2 / 3)
    assert found.specificity == pytest.approx(2 / 3)
    assert found.balanced_accuracy == pytest.approx(2 / 3)
    assert found.sure_share == pytest.approx(0.5)
    assert found.sure_accuracy == 1.0
    assert found.interval[0] <= found.balanced_accuracy <= found.interval[1]


def test_figures_of_repeats_are_their_mean() -> None:
    targets = np.array([True, True, False, False])
    probability = np.array([[0.95, 0.6, 0.05, 0.3], [0.95, 0.4, 0.05, 0.95]])
    found = figures(probability, targets, np.arange(4), np.ones(4))
    assert found.sensitivity == pytest.approx(0.75)
    assert found.specificity == pytest.approx(0.75)
    assert found.sure_share == pytest.approx(5 / 8)
    assert found.sure_accuracy == pytest.approx(4 / 5)


def test_a_folder_of_photos_becomes_a_head_with_a_card(tmp_path: Path) -> None:
    photos = folder_of_labels(tmp_path / "photos", each=20)
    (photos / "tidy" / "broken.jpg").write_bytes(b"not a picture")
    out = tmp_path / "heads"
    status = main([str(photos), "--name", "wall", "--positive", "untidy", "--looks", "quick", "--out", str(out)])
    assert status == 0
    file = read_head_file(out / "wall.json")
    head = read_head(out / "wall.json", model_id=file.model_id)
    assert isinstance(head.calibrations["quick"], TwoSlopeCalibration)
    facts: Any = file.facts
    assert facts["photos"] == 40
    assert file.views == {"quick": "320 px"}
    assert facts["cross_validated"]["quick"]["balanced_accuracy"] > 0.9
    card = (out / "wall.md").read_text()
    assert "untidy" in card
    assert "broken.jpg" in card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "x", "--positive", "nothing"], "labels are tidy, untidy"),
        (["--name", "../x", "--positive", "tidy"], "letters, digits"),
        (["--positive", "tidy"], "--name"),
        (["--name", "x", "--positive", "tidy"], "8 different scenes"),
    ],
)
def test_what_cannot_be_trained_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    photos = folder_of_labels(tmp_path / "photos", each=3)
    assert main([str(photos), *arguments, "--looks", "quick", "--out", str(tmp_path / "heads")]) == 1
    last_line = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in last_line
    assert not (tmp_path / "heads").exists()


def test_every_recipe_has_a_shipped_head_whose_figures_hold() -> None:
    for recipe in ROOM_RECIPES:
        facts: Any = read_head_file(HEADS_DIR / f"{recipe.question.name}.json").facts
        assert (HEADS_DIR / f"{recipe.question.name}.md").is_file()
        for look in LOOKS:
            found = facts["cross_validated"][look]
            assert found["balanced_accuracy"] > 0.6, recipe.question.name
            assert found["calibration_error"] <= 0.08, recipe.question.name


def test_another_light_keeps_the_picture_and_differs_each_time() -> None:
    photo = np.random.default_rng(1).integers(40, 200, (60, 90, 3)).astype(np.uint8)
    lit = [relight(photo, np.random.default_rng(seed)) for seed in range(20)]
    assert all(one.shape == photo.shape and one.dtype == np.uint8 for one in lit)
    assert len({one.tobytes() for one in lit}) == 20
    alike = [np.corrcoef(photo.mean(axis=2).ravel(), one.mean(axis=2).ravel())[0, 1] for one in lit]
    assert min(alike) > 0.2, "what the photo shows must still be there"
    assert np.array_equal(lit[0], relight(photo, np.random.default_rng(0)))
