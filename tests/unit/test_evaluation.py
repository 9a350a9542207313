"""The arithmetic of the evaluation: intervals, searches, the fit. A wrong measure is worse than none."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from app.core.active_liveness.challenges import Challenge, draw_challenges
from app.core.active_liveness.judge import SessionJudge
from app.core.active_liveness.observation import SeenFrame
from app.core.calibration import MatchCalibration
from app.types import Box, FloatArray, Image
from benchmarks.anomaly import histogram_quantile
from evaluation.faces.identification import bare_first, fit_calibration, search
from evaluation.faces.movements import acted
from evaluation.faces.pairs import People, Photo, pair_shares
from evaluation.faces.photos import on_canvas, pasted
from evaluation.faces.rendered import head_of
from evaluation.faces.sessions import Portrait, Studio
from evaluation.figures import Share, as_table
from evaluation.images.retrieval import PhotoSet, recall_of_claims
from evaluation.safety.hazards import f1, f1_interval
from scripts.evaluate import capabilities, main


def photo(*vector: float) -> Photo:
    unit: FloatArray = np.array(vector, np.float32) / np.float32(np.linalg.norm(vector))
    return Photo(template=unit, probe=unit)


def test_wilsons_interval_of_a_known_share() -> None:
    low, high = Share("x", 10, 100).interval
    assert (low, high) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))


def test_no_error_in_a_few_trials_proves_little() -> None:
    assert Share("x", 0, 60).interval[1] == pytest.approx(0.0602, abs=1e-4)


@pytest.mark.parametrize(
    ("share", "passed"),
    [
        (Share("x", 95, 100, target=0.95), True),
        (Share("x", 94, 100, target=0.95), False),
        (Share("x", 3, 100, target=0.03, better="lower"), True),
        (Share("x", 4, 100, target=0.03, better="lower"), False),
        (Share("x", 0, 100), True),
    ],
)
def test_a_target_is_a_bound_on_the_right_side(share: Share, passed: bool) -> None:
    assert share.passed is passed


def test_the_table_has_a_row_for_each_share() -> None:
    table = as_table([Share("faces found", 9, 10, target=0.95), Share("alarms", 0, 10)])
    assert "| faces found | 90.00% |" in table
    assert "≥ 95.0% ✗" in table
    assert len(table.splitlines()) == 4


def test_a_search_counts_mates_and_strangers() -> None:
    people = {
        "anna": [photo(1, 0, 0), photo(0.9, 0.1, 0)],
        "bao": [photo(0, 1, 0), photo(0.8, 0.6, 0)],  # looks more like Anna
        "stranger": [photo(0, 0, 1)],
    }
    found = search(people, enrolled=1)
    assert found.people == 2
    np.testing.assert_array_equal(found.right, [True, False])
    assert found.mates[1] == pytest.approx(0.8)
    # Each probe once more without its own person, then the stranger.
    np.testing.assert_allclose(sorted(found.strangers), sorted([0.1 / np.hypot(0.9, 0.1), 0.8, 0.0]), atol=1e-6)


def test_a_probe_without_a_face_is_a_miss() -> None:
    people: dict[str, list[Photo | None]] = {"anna": [photo(1, 0), None], "bao": [photo(0, 1), photo(0, 1)]}
    found = search(people, enrolled=1)
    np.testing.assert_array_equal(found.right, [False, True])
    assert found.mates[0] == -1.0


def test_the_best_of_several_templates_counts() -> None:
    people = {"anna": [photo(1, 0), photo(0, 1), photo(0.1, 1)], "bao": [photo(-1, 0), photo(-1, 0.1), photo(-1, 0)]}
    found = search(people, enrolled=2)
    assert found.right.all()
    assert found.mates[0] > 0.99


def test_the_fit_separates_two_kinds_of_pairs() -> None:
    rng = np.random.default_rng(3)
    people = {}
    for name in range(30):
        centre = rng.normal(size=32)
        people[str(name)] = [photo(*(centre + rng.normal(scale=0.8, size=32))) for _ in range(3)]
    fitted = fit_calibration(people)
    assert fitted.confidence(0.1) < 0.1
    assert fitted.confidence(0.7) > 0.9


def test_a_pasted_face_is_where_it_is_said_to_be() -> None:
    background, picture = np.zeros((100, 200, 3), np.uint8), np.full((20, 30, 3), 7, np.uint8)
    scene, box = pasted(background, picture, Box(5, 5, 15, 15), left=100, top=40)
    assert box == Box(105, 45, 115, 55)
    assert int(scene[40:60, 100:130].min()) == 7
    assert int(background.max()) == 0


def test_a_crop_lies_in_the_middle_of_its_canvas() -> None:
    canvas = on_canvas(np.full((150, 150, 3), 9, np.uint8))
    assert canvas.shape == (480, 640, 3)
    assert int(canvas[165:315, 245:395].max()) == 9
    assert int(canvas[0, 0, 0]) == 127


def test_every_capability_can_be_named() -> None:
    assert "face" in capabilities()


def test_without_photos_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["face", "--data", str(tmp_path / "nowhere")]) == 2
    assert "CV_EVAL_DATA" in capsys.readouterr().err


def test_f1_weighs_misses_and_false_alarms_alike() -> None:
    targets = np.array([True, True, True, False, False])
    assert f1(np.array([True, True, False, True, False]), targets) == pytest.approx(2 / 3)
    assert f1(targets, targets) == 1.0
    assert f1(np.zeros(5, bool), targets) == 0.0


def test_the_interval_of_f1_is_wide_where_scenes_are_few() -> None:
    targets = np.array([True] * 10 + [False] * 10)
    told = np.array([True] * 8 + [False] * 12)
    narrow = f1_interval(told, targets, np.arange(20).astype(str))
    wide = f1_interval(told, targets, np.array(["a"] * 5 + ["b"] * 5 + ["c"] * 10))
    assert narrow[0] < f1(told, targets) < narrow[1]
    assert wide[1] - wide[0] > narrow[1] - narrow[0]


def test_a_quantile_lies_within_its_bucket() -> None:
    cumulative = {0.1: 50.0, 0.2: 90.0, 0.5: 100.0, float("inf"): 100.0}
    assert histogram_quantile(cumulative, 0.5) == pytest.approx(0.1)
    assert histogram_quantile(cumulative, 0.95) == pytest.approx(0.35)
    assert histogram_quantile({0.1: 0.0, float("inf"): 1.0}, 0.95) == float("inf")


def test_a_find_counts_where_fewer_others_than_that_are_nearer_to_its_claim() -> None:
    finds = PhotoSet(["bag", "bag", "key"], np.array([[0.9], [0.3], [0.5]], np.float32))
    others = PhotoSet(["room"], np.array([[0.4]], np.float32))
    claims = [(np.ones(1, np.float32), "bag")]
    assert recall_of_claims(claims, finds, others=others, nearest=1) == (1, 2)
    assert recall_of_claims(claims, finds, others=others, nearest=2) == (1, 2)
    assert recall_of_claims(claims, finds, others=others, nearest=3) == (2, 2)


def test_one_groups_false_matches_are_held_against_anothers() -> None:
    apart = {name: [photo(*row)] for name, row in zip("abc", np.eye(3), strict=True)}
    alike = {"d": [photo(1, 0.1, 0)], "e": [photo(1, 0, 0)], "f": [photo(0, 0, 1)]}
    half = {"g": [photo(1, 0, 0)], "h": [photo(1, 0.2, 0)], **apart}
    calibration = MatchCalibration(slope=40.0, intercept=-20.0)
    [fmr, _] = pair_shares("f", alike, calibration, beside=half)
    assert (fmr.count, fmr.n) == (2, 6)
    assert fmr.target == pytest.approx(3 * 6 / 20)
    assert fmr.passed
    assert "1.1 times LFW's" in fmr.name
    assert pair_shares("lfw", half, calibration)[0].target is None


def test_a_kept_sequence_is_judged_without_looking_again(tmp_path: Path) -> None:
    class Observer:
        calls = 0

        def observe(self, images: Iterable[tuple[int, Image]]) -> list[SeenFrame]:
            self.calls += 1
            return [SeenFrame(at_ms, bytes(16), bytes(32), None) for at_ms, _ in images]

    observer = Observer()
    points = np.array([[20, 20], [40, 20], [30, 30], [22, 40], [38, 40]], np.float32)
    portrait = Portrait("a", np.full((60, 60, 3), 90, np.uint8), points, nose=0.68)
    moments = acted((Challenge.TURN_LEFT, Challenge.TURN_RIGHT), np.random.default_rng(1))
    films = []
    for _ in range(2):
        studio = Studio(observer, SessionJudge(MatchCalibration(slope=40.0, intercept=-20.0)), cache=tmp_path)
        films.append(list(studio.named("one").film(portrait, moments, np.random.default_rng(2))))
    assert films[0] == films[1]
    assert len(films[0]) == len(moments)
    assert observer.calls == len(list(tmp_path.iterdir())) == -(-len(moments) // 6)


@pytest.mark.parametrize("nose_px", [(0.0, 60.0), (10.0, 80.0), (-8.0, 45.0)])
def test_a_rendered_head_has_its_nose_where_the_photo_has_it(nose_px: tuple[float, float]) -> None:
    eyes_and_mouth = [(-50.0, 0.0), (50.0, 0.0), nose_px, (-41.0, 115.0), (41.0, 115.0)]
    depth = head_of(np.array(eyes_and_mouth, np.float32), nose=0.6)
    rows, columns = np.mgrid[0.1:1.1:101j, -0.5:0.5:101j]  # in distances between the eyes
    row, column = np.unravel_index(int(depth(columns, rows).argmax()), rows.shape)
    assert rows[row, column] == pytest.approx(nose_px[1] / 100, abs=0.06)
    assert columns[row, column] == pytest.approx(nose_px[0] / 100, abs=0.06)
    assert depth(columns, rows).max() == pytest.approx(0.6, abs=0.03)


def test_the_same_seed_asks_for_the_same_movements() -> None:
    assert draw_challenges(3, random.Random(5)) == draw_challenges(3, random.Random(5))


def test_masked_photos_are_searched_for_among_bare_ones() -> None:
    bare: People = {"a": [None, photo(1, 0, 0), photo(0, 1, 0)], "b": [photo(0, 0, 1)], "c": [None]}
    masked: People = {"a": [photo(1, 0.1, 0), None], "c": [photo(1, 0, 0)], "d": [photo(1, 0, 0)]}
    joined = bare_first(bare, masked)
    assert list(joined) == ["a"]
    assert joined["a"] == [bare["a"][1], *masked["a"]]
