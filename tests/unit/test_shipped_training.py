"""What the scripts that train shipped heads have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.heads.examples import BadData
from scripts.heads.photos import labelled_photos, some_photos
from scripts.heads.shipped import Training, train_shipped


def _never(_training: Training) -> None:
    raise AssertionError("trained without photos")


def test_without_photos_one_line_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("CV_EVAL_DATA", raising=False)

    status = train_shipped("Train.", _never, [])

    assert status == 1
    assert capsys.readouterr().err.endswith(": Say where the photos are: --data DIR.\n")


def test_photos_come_with_their_labels(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,label\na.jpg,tidy\nb.jpg,untidy\n", encoding="utf-8-sig")

    labels = {path: row["label"] for path, row in labelled_photos(tmp_path)}

    assert labels == {tmp_path / "a.jpg": "tidy", tmp_path / "b.jpg": "untidy"}
    with pytest.raises(BadData, match=r"other\.csv"):
        list(labelled_photos(tmp_path, "other.csv"))


def test_some_photos_are_spread_over_the_set(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.jpg").touch()
    (tmp_path / "labels.csv").touch()

    assert [path.stem for path in some_photos(tmp_path, 3)] == ["0", "3", "6"]
    assert len(some_photos(tmp_path, 20)) == 9
