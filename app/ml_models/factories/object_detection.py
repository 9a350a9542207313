"""Kinds of detectors of persons and things."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from app.ml_models.data_files import FileTable, Share, Texts
from app.ml_models.specs import InputSpec, ModelSpec

if TYPE_CHECKING:
    from app.core.object_detection import ObjectDetector, SquareDetector
    from app.ml_models.model_loader import ModelLoader


class _DetectionParams(FileTable):
    labels: Annotated[Texts, Field(min_length=1)]
    min_score: Share
    max_iou: Share


class ObjectDetectionModel(ModelSpec):
    """A network that tells where things are."""

    input: InputSpec
    params: _DetectionParams

    @abstractmethod
    def reader(self) -> type[SquareDetector]:
        """Imported where it is needed."""

    def build(self, loader: ModelLoader, *, rename: Callable[[str], str]) -> ObjectDetector:
        """The detector; ``rename`` says what the network's labels are called, and is empty for what is not wanted."""
        return self.reader()(
            loader.session(self.role),
            labels=[rename(label) for label in self.params.labels],
            min_score=self.params.min_score,
            max_iou=self.params.max_iou,
            input_name=self.input.name,
            side_px=self.input.width,
        )


class YoloModel(ObjectDetectionModel):
    """A YOLOv8 with a class score for each label."""

    kind: Literal["yolov8"]

    def reader(self) -> type[SquareDetector]:
        from app.core.yolo import YoloDetector

        return YoloDetector


class CenterNetModel(ObjectDetectionModel):
    """A CenterNet whose first classes are the labels."""

    kind: Literal["centernet"]

    def reader(self) -> type[SquareDetector]:
        from app.core.centernet import CenterNetDetector

        return CenterNetDetector


KINDS = (YoloModel, CenterNetModel)
