"""From a model pack to the backbone that image search, rooms and safety share."""

from __future__ import annotations

from app.core.features import BackboneInput, FeatureExtractor
from app.ml_models.model_loader import ModelLoader

ROLE = "image_features"


def build_feature_extractor(loader: ModelLoader) -> FeatureExtractor:
    """The backbone over the loader's session, which is loaded once however many engines share it."""
    spec = loader.spec(ROLE)
    return FeatureExtractor(
        loader.session(ROLE),
        model_id=spec.model_id,
        model_input=BackboneInput(
            name=spec.input.name, side_px=spec.input.width, mean=spec.input.mean[0], scale=spec.input.scale[0]
        ),
    )
