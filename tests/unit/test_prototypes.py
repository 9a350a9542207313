"""Prototypes learnt from tagged pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.core.concepts import Glossary, Thing
from app.core.prototypes import Prototypes, PrototypeSet, learn_prototypes
from app.ml_models.prototype_file import read_prototypes, write_prototypes
from app.types import FloatArray

GLOSSARY = Glossary((Thing("wallet", ("wallet", "purse", "ví"), {"wallet": 1.0}),), ())


def unit(*values: float) -> FloatArray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def learn(*named: tuple[str, FloatArray]) -> PrototypeSet:
    return learn_prototypes(named, GLOSSARY, model_id="m", min_pictures=2)


def test_names_of_one_thing_count_together() -> None:
    learnt = learn(("Wallet", unit(1, 0)), ("ví", unit(0, 1)))
    assert list(learnt.vectors) == ["wallet"]
    np.testing.assert_allclose(learnt.vectors["wallet"], unit(1, 1), atol=1e-6)


def test_a_single_picture_teaches_nothing() -> None:
    assert learn(("wallet", unit(1, 0)), ("yoga mat", unit(0, 1))).vectors == {}


@pytest.mark.parametrize("text", ["ví da", "black wallet", "a purse"])
def test_every_word_of_the_thing_leads_to_it(text: str) -> None:
    prototypes = Prototypes(learn(("wallet", unit(1, 0)), ("wallet", unit(1, 0))), GLOSSARY)
    found = prototypes.find(text)
    assert found is not None
    assert found.model_id == "m"
    np.testing.assert_allclose(found.vector, unit(1, 0), atol=1e-6)


def test_a_name_that_the_glossary_lacks_is_learnt() -> None:
    prototypes = Prototypes(learn(("Yoga mat", unit(0, 1)), ("yoga  MAT", unit(0, 1))), GLOSSARY)
    assert prototypes.find("blue yoga mats") is not None
    assert prototypes.find("wallet") is None


def test_without_prototypes_nothing_is_found() -> None:
    assert Prototypes(PrototypeSet("m", {}), GLOSSARY).find("wallet") is None


def test_the_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "prototypes.npz"
    for learnt in (learn(("wallet", unit(1, 2)), ("wallet", unit(2, 1))), PrototypeSet("m", {})):
        write_prototypes(path, learnt)
        read = read_prototypes(path, model_id="m")
        assert list(read.vectors) == list(learnt.vectors)
        for name, vector in learnt.vectors.items():
            np.testing.assert_array_equal(read.vectors[name], vector)


@pytest.mark.parametrize("content", [None, b"", b"damaged"])
def test_a_missing_or_damaged_file_stops_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "prototypes.npz"
    if content is not None:
        path.write_bytes(content)
    assert read_prototypes(path, model_id="m").vectors == {}


def test_prototypes_of_another_model_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "prototypes.npz"
    write_prototypes(path, learn(("wallet", unit(1, 0)), ("wallet", unit(1, 0))))
    assert read_prototypes(path, model_id="another").vectors == {}
