"""Finding terms in what people type."""

from __future__ import annotations

import pytest

from app.core.phrases import PhraseFinder, fold_text, normalise_text, singular

TERMS = {
    "watch": ("watch", "đồng hồ"),
    "wall clock": ("wall clock", "đồng hồ treo tường"),
    "keys": ("key", "keys", "chìa khóa"),
    "eyeglasses": ("glasses", "kính"),
    "drinking glass": ("glass",),
    "towel": ("towel", "khăn"),
}


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  Ví   DA! ", "ví da"),
        ("chìa khoá", "chìa khóa"),
        ("thuỷ tinh", "thủy tinh"),
        ("v\u0069\u0301", "ví"),  # i with a combining accent
        ("T-Shirt_blue", "t-shirt blue"),
        ("…", ""),
        ("khoảng", "khoảng"),  # the tone is on the second vowel where another letter follows
        ("điện thọai", "điện thoại"),
        ("bàn tòan màu", "bàn toàn màu"),
    ],
)
def test_normalise_text(text: str, normal: str) -> None:
    assert normalise_text(text) == normal


def test_folding_drops_every_diacritic() -> None:
    assert fold_text("Đồng hồ đeo tay, chìa khoá") == "dong ho deo tay chia khoa"


@pytest.mark.parametrize(
    ("plural", "single"),
    [
        ("keys", "key"),
        ("dishes", "dish"),
        ("batteries", "battery"),
        ("boxes", "box"),
        ("glass", "glass"),
        ("gas", "gas"),
    ],
)
def test_singular(plural: str, single: str) -> None:
    assert singular(plural) == single


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("đồng hồ treo tường màu trắng", ["wall clock"]),  # the longer term wins
        ("I lost my towels and a KEY", ["towel", "keys"]),
        ("glasses", ["eyeglasses"]),  # an exact word wins over the plural of another
        ("two glass", ["drinking glass"]),
        ("dong ho", ["watch"]),
        ("chia khoa", ["keys"]),
        ("đong ho", []),  # some diacritics are there, so the others are missing on purpose or by mistake
        ("kinh", ["eyeglasses"]),
        ("", []),
    ],
)
def test_find(text: str, names: list[str]) -> None:
    assert [name for mention in PhraseFinder(TERMS).find(text) for name in mention.names] == names


MISSPELT = {
    "umbrella": ("umbrella",),
    "laptop": ("laptop",),
    "suitcase": ("suitcase", "vali"),
    "plate": ("plate",),
    "keys": ("chìa khóa",),
    "mouse": ("mouse",),
}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("umberella", ["umbrella"]),  # one letter too many
        ("my umbrela", ["umbrella"]),  # one is missing
        ("suitcaze", ["suitcase"]),  # one is wrong
        ("suticases", ["suitcase"]),  # two are swapped, and there are several
        ("lap top", ["laptop"]),
        ("chia khao", ["keys"]),
        ("mbrella", []),  # the first letter is seldom wrong, and other words begin otherwise
        ("umbrellllla", []),
        ("moose", []),  # short words have too many neighbours
        ("planes", []),  # a word of its own
        ("suitcase planes", ["suitcase"]),
    ],
)
def test_a_misspelt_term_is_found_unless_it_is_another_word(text: str, names: list[str]) -> None:
    finder = PhraseFinder(MISSPELT, beside=["plane, carpenter's plane"])
    assert [name for mention in finder.find(text) for name in mention.names] == names


def test_what_is_spelt_right_wins_over_what_may_be_misspelt() -> None:
    finder = PhraseFinder({"glasses": ("glasses",), "classes": ("glassed",)}, beside=[])
    [mention] = finder.find("glasses")
    assert mention.names == ("glasses",)
    assert mention.is_exact


def test_only_a_finder_that_knows_other_words_forgives_misspellings() -> None:
    assert PhraseFinder(MISSPELT).find("umberella") == []


def test_a_term_may_mean_several_things() -> None:
    finder = PhraseFinder({"fruit": ("orange",), "colour": ("orange",)})
    assert finder.find("an orange")[0].names == ("fruit", "colour")


def test_a_mention_tells_whether_it_was_typed_in_full() -> None:
    finder = PhraseFinder(TERMS)
    assert finder.find("chìa khóa")[0].is_exact
    assert not finder.find("chia khoa")[0].is_exact
