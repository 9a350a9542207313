"""What is like nothing that taught is not known, and the file that says what taught."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.core.features import Features
from app.core.heads import unit
from app.core.known_views import NEAREST, KnownViews
from app.errors import ConfigurationError
from app.ml_models.known_views import KNOWN_ROOMS, read_known_views, write_known_views
from app.types import FloatArray

NO_MAP, NO_LOGITS = np.zeros((1, 1, 1), np.float32), np.zeros(1, np.float32)


def rows_around(axis: int, count: int) -> FloatArray:
    """Rows of 32 numbers, near that axis."""
    rows = np.random.default_rng(axis).normal(0, 0.05, (count, 32)).astype(np.float32)
    rows[:, axis] += 1
    return unit(rows)


def view(row: FloatArray) -> Features:
    return Features(row * 7, NO_LOGITS, NO_MAP)


def test_what_is_near_some_known_pictures_is_known_and_what_is_far_from_all_is_not() -> None:
    known = KnownViews(np.concatenate([rows_around(0, NEAREST), rows_around(1, NEAREST)]), farthest=0.3)
    [near], [far] = rows_around(1, 1), rows_around(2, 1)
    assert known.have([view(near)])
    assert not known.have([view(far)])
    assert known.have([view(far), view(near)]), "one of its views is enough"


def test_one_known_picture_alone_makes_nothing_known() -> None:
    known = KnownViews(np.concatenate([rows_around(0, 20), rows_around(1, 1)]), farthest=0.3)
    assert not known.have([view(rows_around(1, 1)[0])])


def test_a_file_holds_them_in_a_byte_each(tmp_path: Path) -> None:
    known = KnownViews(rows_around(0, 9), farthest=0.4)
    write_known_views(tmp_path / "known.json", known, model_id="backbone", facts={"trained_at": "2025-01-17"})
    read = read_known_views(tmp_path / "known.json", model_id="backbone")
    assert read.farthest == 0.4
    assert np.einsum("nd,nd->n", read.rows, known.rows) == pytest.approx(np.ones(9), abs=1e-3)


def test_the_shipped_rooms_are_of_several_sources_and_judged_on_others() -> None:
    facts = json.loads(KNOWN_ROOMS.read_text(encoding="utf-8"))
    assert len(read_known_views(KNOWN_ROOMS, model_id=facts["model_id"]).rows) == facts["count"]
    assert {"rooms of rooms: like rooms of other sources", "rooms of cctv_normal: like rooms of other sources"} <= {
        share["name"] for share in facts["left_out"]
    }


@pytest.mark.parametrize(
    ("change", "refusal"),
    [({"model_id": "another"}, "is of another"), ({"rows_int8": "AAA"}, "damaged"), ({"count": 7}, "damaged")],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object], refusal: str) -> None:
    path = tmp_path / "known.json"
    write_known_views(path, KnownViews(rows_around(0, 9), farthest=0.4), model_id="backbone", facts={})
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=refusal):
        read_known_views(path, model_id="backbone")
