"""The concept space over a text embedder that a test can look through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from app.core.concepts import ConceptSpace, Glossary, NamedColour, Thing
from app.types import FloatArray

# Every text has a place on a circle, in degrees: what lies near is alike.
PLACES = {
    "wallet": 0, "purse": 20, "padlock": 120, "umbrella": 240, "orange": 300,
    "ví": 5, "chìa khóa": 125, "ô": 245, "keys": 118,
    "money pouch": 10, "rain roof": 250, "-": 90,
}  # fmt: skip
CLASSES = ["wallet", "purse", "padlock", "umbrella", "orange"]
GLOSSARY = Glossary(
    things=(
        Thing("wallet", ("wallet", "ví"), {"wallet": 1.0, "purse": 0.4}),
        Thing("keys", ("keys", "chìa khóa"), {"padlock": 1.0}),
        Thing("umbrella", ("umbrella", "ô"), {"umbrella": 1.0}),
        Thing("fruit", ("orange",), {"orange": 1.0}),
    ),
    colours=(
        NamedColour("black", ("black", "màu đen"), ("#000000",)),
        NamedColour("orange", ("orange",), ("#ff8000",)),
    ),
)


class Circle:
    """Embeds a text at its place on the circle, in more dimensions than two so that neighbours can be counted."""

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        return self.embed_passages(texts)

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        angles = np.radians([PLACES[text] for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def space() -> ConceptSpace:
    circle = Circle()
    terms = GLOSSARY.terms
    return ConceptSpace(
        class_names=CLASSES,
        class_vectors=circle.embed_passages(CLASSES),
        glossary=GLOSSARY,
        term_vectors=circle.embed_passages(terms),
        query_centre=circle.embed_queries(terms).mean(axis=0),
        embedder=circle,
    )


def picture_of(name: str) -> FloatArray:
    logits = np.zeros((1, len(CLASSES)), np.float32)
    logits[0, CLASSES.index(name)] = 50.0
    meaning: FloatArray = space().meanings_of_pictures(logits)[0]
    return meaning


@pytest.mark.parametrize(
    ("text", "things", "colours"),
    [
        ("black wallet", ("wallet",), ("black",)),
        ("ví màu đen", ("wallet",), ("black",)),
        ("keys and umbrella", ("keys", "umbrella"), ()),
        ("orange", ("fruit",), ()),
        ("orange umbrella", ("umbrella",), ("orange",)),
    ],
)
def test_things_and_colours_are_told_apart(text: str, things: tuple[str, ...], colours: tuple[str, ...]) -> None:
    PLACES.setdefault(text, 0)
    reading = space().read(text)
    assert reading.things == things
    assert reading.colours == colours


def test_a_colour_alone_has_no_meaning_to_search_for() -> None:
    assert space().read("màu đen").meaning is None


@pytest.mark.parametrize(
    ("text", "picture"),
    [("ví", "wallet"), ("chìa khóa", "padlock"), ("money pouch", "wallet"), ("rain roof", "umbrella")],
)
def test_a_text_is_nearest_to_pictures_of_what_it_means(text: str, picture: str) -> None:
    meaning = space().read(text).meaning
    assert meaning is not None
    nearest = max(CLASSES, key=lambda name: float(picture_of(name) @ meaning))
    assert nearest == picture


def test_meanings_have_unit_norm() -> None:
    for text in ("ví", "money pouch", "-"):
        meaning = space().read(text).meaning
        assert meaning is not None
        assert np.linalg.norm(meaning) == pytest.approx(1.0, abs=1e-6)


def test_the_runners_up_count_in_a_picture() -> None:
    logits = np.zeros((2, len(CLASSES)), np.float32)
    logits[:, CLASSES.index("wallet")] = 10.0
    logits[1, CLASSES.index("purse")] = 8.0
    alone, with_purse = space().meanings_of_pictures(logits)
    assert with_purse @ picture_of("purse") > alone @ picture_of("purse")
