"""The backbone that image search, rooms and safety share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from app.ml_models.roles import ModelRole
from app.ml_models.specs import ModelSpec, UniformInputSpec

if TYPE_CHECKING:
    from app.core.features import FeatureExtractor
    from app.ml_models.model_loader import ModelLoader


class EfficientnetModel(ModelSpec):
    """A backbone with the outputs feature map, its mean, and class logits."""

    kind: Literal["efficientnet"]
    input: UniformInputSpec

    def build(self, loader: ModelLoader) -> FeatureExtractor:
        """The backbone over the loader's session, which is loaded once however many engines share it."""
        from app.core.features import BackboneInput, FeatureExtractor

        wanted = self.input
        return FeatureExtractor(
            loader.session(self.role),
            model_id=self.model_id,
            model_input=BackboneInput(
                name=wanted.name, side_px=wanted.width, mean=wanted.mean[0], scale=wanted.scale[0]
            ),
        )


KINDS = (EfficientnetModel,)


def build_feature_extractor(loader: ModelLoader) -> FeatureExtractor:
    """The pack's backbone."""
    return loader.model(ModelRole.IMAGE_FEATURES, EfficientnetModel).build(loader)
