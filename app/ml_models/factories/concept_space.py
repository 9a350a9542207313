"""The concept space over a pack's text embedder, and what the compact image embedder takes from its backbone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.core.concepts import ConceptSpace, Glossary, TextEmbedder
from app.errors import ConfigurationError
from app.ml_models.concept_data import read_classes, read_concept_vectors
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole
from app.types import FloatArray

if TYPE_CHECKING:
    import onnx


def build_concept_space(loader: ModelLoader, glossary: Glossary, *, embedder: TextEmbedder) -> ConceptSpace:
    """The space of meanings over the pack's text embedder."""
    classes = read_classes()
    vectors = read_concept_vectors(loader.path(ModelRole.IMAGE_EMBEDDING))
    return ConceptSpace(
        class_names=[entry.name for entry in classes],
        class_vectors=vectors.of([entry.text for entry in classes], embedder),
        glossary=glossary,
        term_vectors=vectors.of(glossary.terms, embedder),
        query_centre=vectors.query_centre,
        embedder=embedder,
    )


def class_directions(network: Path, count: int) -> FloatArray:
    """(count, d) leading right singular vectors of the weights behind the class logits, signs fixed.

    Args:
        network: an ONNX file whose last output is a linear map of its last but one.
    """
    import onnx  # these two are only needed where no start before this one kept the directions
    from scipy import linalg

    weights = _logit_weights(onnx.load(network).graph).astype(np.float64)
    # Through the products of the rows: the same to 1e-9 as a singular value decomposition, in a fifth of the time,
    # which each start of the service waits for.
    classes = len(weights)
    _, left = linalg.eigh(weights @ weights.T, subset_by_index=(classes - count, classes - 1))
    directions = left[:, ::-1].T @ weights
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # A singular vector's sign is arbitrary; two replicas must not differ in it.
    strongest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), strongest])
    signed: FloatArray = (directions * signs[:, None]).astype(np.float32)
    return signed


def _logit_weights(graph: onnx.GraphProto) -> FloatArray:
    """(classes, d) weights of the matrix product that makes the last output."""
    from onnx import numpy_helper

    node = next(node for node in graph.node if graph.output[-1].name in node.output)
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for name in node.input:
        if name in stored and len(stored[name].dims) == 2:
            weights = np.asarray(numpy_helper.to_array(stored[name]), np.float32)
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            return weights if transposed else weights.T
    raise ConfigurationError("The image network's last output is no linear map; the pack and its weights do not fit.")
