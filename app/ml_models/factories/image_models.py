"""What all kinds of image embedders have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field, PositiveInt

from app.ml_models.data_files import FileTable
from app.ml_models.specs import CalibrationSpec, LogisticSpec, ModelSpec

if TYPE_CHECKING:
    from app.core.image_embedding import ImageEmbedder, QueryKind, SimilarityCalibration
    from app.ml_models.model_loader import ModelLoader


class ImageEmbeddingParams(FileTable):
    """``dimension`` is the length of the vectors. From ``near_copy_cosine`` on two pictures are copies of one, made
    smaller, recompressed or cropped; None where it was not measured, and then no copies are told."""

    dimension: PositiveInt
    near_copy_cosine: float | None = Field(None, gt=0, lt=1)


class QueryCalibrationSpec(CalibrationSpec):
    """One for each ``QueryKind``."""

    image: LogisticSpec
    text: LogisticSpec
    both: LogisticSpec

    def by_query(self) -> dict[QueryKind, SimilarityCalibration]:
        """As the embedder takes them."""
        from app.core.image_embedding import QueryKind, SimilarityCalibration

        stated = {QueryKind.IMAGE: self.image, QueryKind.TEXT: self.text, QueryKind.BOTH: self.both}
        return {kind: SimilarityCalibration(slope=one.slope, intercept=one.intercept) for kind, one in stated.items()}


class ImageEmbeddingModel(ModelSpec):
    """What can fill the role ``image_embedding``."""

    params: ImageEmbeddingParams
    calibration: QueryCalibrationSpec

    @abstractmethod
    def build(self, loader: ModelLoader) -> ImageEmbedder:
        """Pictures and words to one space."""
