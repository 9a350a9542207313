"""What kinds of models that look at crops have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.ml_models.specs import ModelSpec, UniformInputSpec

if TYPE_CHECKING:
    from app.core.picture_network import PictureNetwork
    from app.ml_models.model_loader import ModelLoader


class CropModel(ModelSpec):
    """A network over crops, with one mean and one scale for all channels."""

    input: UniformInputSpec

    def open_network(self, loader: ModelLoader) -> PictureNetwork:
        """The network over the loader's session."""
        from app.core.picture_network import PictureNetwork

        return PictureNetwork(
            loader.session(self.role),
            input_name=self.input.name,
            mean=self.input.mean[0],
            scale=self.input.scale[0],
            rgb=self.input.colour == "RGB",
        )
