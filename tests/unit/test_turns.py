"""The turn of the face index: orthogonal, secret, and the same wherever it is computed."""

from __future__ import annotations

import base64

import numpy as np

from app.services.turns import turn_of
from app.services.vault import MasterKeys, Vault, new_key
from app.types import FloatArray

VAULT = Vault(MasterKeys(",".join(f"{n}:{base64.b64encode(bytes([n] * 32)).decode()}" for n in (1, 2))))


def unit_vectors(count: int, *, dimension: int = 512) -> FloatArray:
    vectors = np.random.default_rng(7).standard_normal((count, dimension)).astype(np.float32)
    found: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def test_cosines_are_kept() -> None:
    vectors = unit_vectors(200)
    turned = vectors @ turn_of(VAULT, 1, 512)
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 1.0, atol=1e-6)


def test_plain_vectors_meet_nothing_among_turned_ones() -> None:
    vectors = unit_vectors(200)
    turned = vectors @ turn_of(VAULT, 1, 512)
    own_similarity = np.sum(turned * vectors, axis=1)
    assert np.abs(own_similarity).max() < 0.25  # of independent directions: 1/sqrt(512) is one deviation
    assert np.abs(own_similarity).mean() < 0.06


def test_keys_and_dimensions_turn_differently() -> None:
    vectors = unit_vectors(50)
    one, two = vectors @ turn_of(VAULT, 1, 512), vectors @ turn_of(VAULT, 2, 512)
    assert np.abs(np.sum(one * two, axis=1)).mean() < 0.06
    assert turn_of(VAULT, 1, 128).shape == (128, 128)
    assert np.abs(turn_of(Vault(MasterKeys(new_key())), 1, 512) - turn_of(VAULT, 1, 512)).max() > 0.05


def test_the_matrix_stays_what_it_is() -> None:
    """A release that computed another one would find nobody in the index."""
    matrix = turn_of(VAULT, 1, 512)
    np.testing.assert_allclose(matrix[0, :3], [0.0393695, 0.0012597, -0.0226678], atol=1e-5)
    np.testing.assert_allclose(matrix[511, 509:], [-0.0548857, 0.0732979, 0.0200351], atol=1e-5)


def test_directions_are_uniform() -> None:
    """Every entry of a uniform orthogonal matrix has the variance 1/d, and no preferred sign."""
    matrix = turn_of(VAULT, 1, 512)
    assert abs(float(matrix.mean())) < 4 / 512 / np.sqrt(512)
    np.testing.assert_allclose(np.var(matrix, axis=0), 1 / 512, rtol=0.05)
    assert abs(float(np.trace(matrix))) < 5
