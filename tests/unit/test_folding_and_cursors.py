"""Words without marks, and cursors that nobody made up."""

from __future__ import annotations

import pytest

from app.errors import InvalidInput
from app.utils.cursors import read_cursor, slice_of, write_cursor
from app.utils.tables import to_csv
from app.utils.text_folding import composed, folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Tầng  2", "tang 2"), ("Tầng 2", "tang 2"), ("ĐƯỜNG", "duong"), ("  Łódź ", "łodz"), ("Café", "cafe")],
)
def test_words_are_compared_without_marks(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_letters_have_one_form() -> None:
    assert composed("a\u0302\u0301") == "ấ"


@pytest.mark.parametrize("parts", [(1,), ("2025-01-17T10:00:00+00:00", "IMG_1"), (2**63 - 1,), ("ấ",)])
def test_a_cursor_says_what_was_written(parts: tuple[str | int, ...]) -> None:
    assert read_cursor(write_cursor(*parts), *(type(part) for part in parts)) == parts


@pytest.mark.parametrize(
    "cursor", ["", "x", "*", "W10", write_cursor(1, 2), write_cursor("a"), "A" * 500, "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OV0"]
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_cursor(cursor, int)
    assert refused.value.code == "invalid_cursor"


@pytest.mark.parametrize("cursor", [write_cursor("a\x00"), write_cursor("\ud800"), write_cursor(True)])
def test_what_no_column_holds_is_refused(cursor: str) -> None:
    for kind in (str, int):
        with pytest.raises(InvalidInput):
            read_cursor(cursor, kind)


def test_a_slice_ends_where_there_is_no_more() -> None:
    assert slice_of([1, 2], 2, lambda n: (n,)).next_cursor is None
    more = slice_of([1, 2, 3], 2, lambda n: (n,))
    assert more.items == (1, 2)
    assert read_cursor(more.next_cursor or "", int) == (2,)


def test_a_cell_is_no_formula() -> None:
    text = to_csv(["a", "b", "c"], [['=cmd|" /C calc"!A0', -5, "+84 90"], ["@x", None, "Tầng, 2"]]).decode("utf-8-sig")
    assert text.splitlines() == ["a,b,c", '"\'=cmd|"" /C calc""!A0",-5,\'+84 90', '\'@x,,"Tầng, 2"']
