"""The glossary and the files of the concept space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.errors import ConfigurationError, ModelUnavailable
from app.ml_models.concept_data import (
    ImageClass,
    read_classes,
    read_concept_vectors,
    read_glossary,
    texts_to_embed,
    write_concept_vectors,
)
from app.types import FloatArray

CLASSES = [ImageClass("wallet", "wallet, billfold"), ImageClass("purse", "purse")]


class CountingEmbedder:
    """Makes a vector of a text's letters, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        return self.embed_passages(texts)

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        self.asked += texts
        vectors = np.array([[len(text), text.count("a"), 1.0] for text in texts], np.float32)
        units: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return units


def write(folder: Path, text: str) -> Path:
    path = folder / "glossary.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_glossary_holds_together() -> None:
    classes = read_classes()
    glossary = read_glossary(classes)
    assert len(classes) == 1000
    assert len({entry.name for entry in classes}) == 1000
    assert classes[893].name == "wallet"
    assert len(glossary.things) >= 100
    for thing in glossary.things:
        assert any(word.isascii() for word in thing.words), f"{thing.name} has no English word"
        assert all(0 < weight <= 1 for weight in thing.looks_like.values()), thing.name


def test_a_thing_of_the_shipped_glossary_has_words_of_its_own() -> None:
    owners: dict[str, list[str]] = {}
    for thing in read_glossary(read_classes()).things:
        for word in thing.words:
            owners.setdefault(word, []).append(thing.name)
    # "purse" is a wallet in Britain and a handbag in America: the glossary has to choose.
    assert {word: names for word, names in owners.items() if len(names) > 1} == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[thing]]\nname = 'x'\nen = ['x']\nvi = []\nlooks_like = { 'sock' = 1.0 }", "sock, which is no class"),
        ("[[thing]]\nname = 'x'\nen = []\nvi = []\nlooks_like = { 'purse' = 1.0 }", "a word in en or vi"),
        ("[[thing]]\nname = 'x'\nen = ['x']\nvi = []\nlooks_like = { 'purse' = 0.0 }", "looks like nothing"),
        ("[[thing]]\nname = 'x'\nen = ['x']\nvi = []\nlooks_like = { 'purse' = 'much' }", "must be a number"),
        ("[[colour]]\nname = 'red'\nen = ['red']\nvi = []\nsamples = ['red']", "#ff8000"),
        ("[[colour]]\nname = 'r'\nen = ['r']\nvi = []\nsamples = ['#ff8000']\n" * 2, "is there twice"),
        ("[[thing", "cannot be read"),
    ],
)
def test_a_wrong_glossary_is_refused_with_the_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_glossary(CLASSES, write(tmp_path, text))


def test_vectors_are_read_back_and_only_new_words_are_embedded(tmp_path: Path) -> None:
    path = tmp_path / "concepts.npz"
    writer, reader = CountingEmbedder(), CountingEmbedder()
    write_concept_vectors(path, texts=["bag", "key"], embedder=writer)
    stored = read_concept_vectors(path)
    found = stored.of(["key", "suitcase", "bag", "suitcase"], reader)
    assert reader.asked == ["suitcase"]
    np.testing.assert_allclose(
        found, CountingEmbedder().embed_passages(["key", "suitcase", "bag", "suitcase"]), atol=1e-3
    )
    assert stored.query_centre.shape == (3,)


@pytest.mark.parametrize("content", [None, b"", b"not an archive"])
def test_a_damaged_vector_file_names_the_remedy(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "concepts.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="--only image_embedding"):
        read_concept_vectors(path)


def test_each_text_is_embedded_once() -> None:
    texts = texts_to_embed(read_glossary(read_classes()), read_classes())
    assert len(texts) == len(set(texts))
