"""What the ranker is taught and judged on: nothing of what is left out, and a confidence learnt without it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from app.core.ocr.extraction.ranker import FieldRanker, Network
from app.core.ocr.layout import arrange
from app.types import TextLine
from evaluation.papers.left_out import FieldAnswer, answers, risk_table, shares
from scripts.extractor import calibration
from scripts.extractor.calibration import SURE, calibrated, cautious, judged_left_out, left_out, taught_once
from scripts.extractor.papers import Paper
from scripts.extractor.training import JudgedChoice, examples, group_splits, outside, source_splits

TODAY = date(2026, 6, 1)
ORIGINS = ("north", "south", "east")


def lines(*texts: str) -> list[TextLine]:
    boxes = [np.array([[50, y], [450, y], [450, y + 20], [50, y + 20]], np.float32) for y in range(50, 5000, 40)]
    return [TextLine(box, text, 0.98) for box, text in zip(boxes, texts, strict=False)]


def receipt(index: int) -> Paper:
    """A shop's receipt: the amount behind "Total" is right, the ones behind "Cash" and "Change" are not."""
    total = Decimal(1000 + 37 * index) / 100
    texts = (
        f"Shop {index} Ltd", "12 High Street", f"Date: {1 + index % 27:02d}/03/2026", f"Tea {total - 2}",
        "Bread 2.00", f"Total {total}", f"Cash {total + 10}", "Change 10.00",
    )  # fmt: skip
    labels: dict[str, frozenset[object]] = {"total": frozenset({total}), "currency": frozenset({"GBP"})}
    origin = ORIGINS[index % len(ORIGINS)]
    return Paper(f"{index}", "receipts_en", origin, f"shop {index}", True, arrange(lines(*texts)), False, labels)


@pytest.fixture(scope="module")
def papers() -> list[Paper]:
    return [receipt(index) for index in range(36)]


def test_splits_leave_every_paper_out_once(papers: Sequence[Paper]) -> None:
    for splits in (group_splits(papers), source_splits(papers)):
        assert [sum(split.holds(paper) for split in splits) for paper in papers] == [1] * len(papers)


def test_a_network_sees_nothing_of_what_is_left_out(papers: Sequence[Paper]) -> None:
    taught = examples(papers, ["total"], today=TODAY)["total"]
    north, south, east = source_splits(papers)
    assert {example.paper.origin for example in outside(taught, north, south)} == set(east.held_out)


def test_a_field_of_one_source_has_no_ranker_where_it_is_left_out(papers: Sequence[Paper]) -> None:
    taught = examples(papers[:1], ["total"], today=TODAY)
    rankers = left_out(taught, source_splits(papers)).rankers
    assert [dict(ranker) for ranker in rankers.values()] == [{}, {}, {}]


def test_totals_of_unseen_shops_are_chosen(papers: Sequence[Paper]) -> None:
    taught = examples(papers, ["total"], today=TODAY)
    judged = judged_left_out(taught, left_out(taught, source_splits(papers)))["total"]
    assert len(judged) == len(papers)
    assert sum(item.right for item in judged) >= 0.9 * len(papers)


def curve(unseen: Sequence[JudgedChoice]) -> FieldRanker:
    empty = np.zeros(1, np.float32)
    return calibrated(Network(empty, empty + 1, empty[:, None], empty, empty, 0.0), unseen)


def test_what_is_called_sure_is_wrong_once_in_fifty_at_most(papers: Sequence[Paper]) -> None:
    """Choices that a network is sure of and that are wrong once in five."""
    unseen = {"total": [JudgedChoice(papers[0], 0.97, right=index % 5 > 0) for index in range(100)]}
    assert cautious({"total": curve(unseen["total"])}, unseen)["total"].confidence(0.97) < SURE


def test_fields_are_lowered_together(papers: Sequence[Paper]) -> None:
    """One that is wrong once in ten cannot hide behind one that is always right: the last sure answer of both would be
    as risky."""
    unseen = {
        "total": [JudgedChoice(papers[0], 0.97, right=True) for _ in range(1000)],
        "seller": [JudgedChoice(papers[0], 0.9, right=index % 10 > 0) for index in range(300)],
    }
    curves = {field: curve(choices) for field, choices in unseen.items()}
    lowered = cautious(curves, unseen)
    assert lowered["total"].confidence(0.97) >= SURE > lowered["seller"].confidence(0.9)
    down = {field: curves[field].offset - lowered[field].offset for field in curves}
    assert down["total"] == pytest.approx(down["seller"])


def test_nothing_is_taught_twice(papers: Sequence[Paper], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught = examples(papers, ["total"], today=TODAY)["total"]
    first = taught_once(taught, kept=tmp_path)
    monkeypatch.setattr(calibration, "fit", lambda _: pytest.fail("taught again"))
    again = taught_once(taught, kept=tmp_path)
    assert np.array_equal(first.scores(taught[0].features), again.scores(taught[0].features))
    with pytest.raises(pytest.fail.Exception):
        taught_once(taught[1:], kept=tmp_path)


def test_answers_are_those_of_the_service(papers: Sequence[Paper]) -> None:
    made = list(answers(papers, examples(papers, ["total"], today=TODAY), by="source", today=TODAY))
    assert len(made) == 2 * len(papers)
    totals = [item for item in made if item.field == "total"]
    assert sum(item.right for item in totals) >= 0.9 * len(totals)
    currencies = [item for item in made if item.field == "currency"]
    assert not any(item.right for item in currencies)  # nothing on the paper says so
    assert [item.value for item in currencies] == [None] * len(papers)


def test_coverage_and_risk_are_counted(papers: Sequence[Paper]) -> None:
    made = [FieldAnswer(papers[0], "total", 1, right=index > 0, confidence=0.9) for index in range(4)]
    made += [FieldAnswer(papers[0], "total", None, right=False, confidence=0.0)]
    by_name = {share.name: (share.count, share.n) for share in shares(made)}
    assert by_name["receipts_en: total"] == (3, 5)
    assert by_name[f"answered with ≥ {SURE}"] == (4, 5)
    assert by_name["of those wrong"] == (1, 4)
    assert "| total | 5 |" in risk_table(made)
    assert "80%, wrong 25.0%" in risk_table(made)


def test_a_curve_is_found_through_choices_that_were_nearly_all_certain(papers: Sequence[Paper]) -> None:
    unseen = [JudgedChoice(papers[0], 1.0, right=index > 3) for index in range(200)]
    unseen += [JudgedChoice(papers[0], 0.02, right=False) for _ in range(3)]
    ranker = curve(unseen)
    assert 0.0 < ranker.slope < 5.0
    assert 0.5 < ranker.confidence(1.0) <= 1.0
    assert ranker.confidence(0.02) < 0.5
