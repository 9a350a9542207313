"""Kinds of detectors of persons and things."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from app.ml_models.data_files import FileTable, Share, Texts
from app.ml_models.specs import InputSpec, ModelSpec

if TYPE_CHECKING:
    from app.core.yolo import YoloDetector
    from app.ml_models.model_loader import ModelLoader


class _YoloParams(FileTable):
    labels: Annotated[Texts, Field(min_length=1)]
    min_score: Share
    max_iou: Share


class YoloModel(ModelSpec):
    """A YOLOv8 with a class score for each label."""

    kind: Literal["yolov8"]
    input: InputSpec
    params: _YoloParams

    def build(self, loader: ModelLoader, *, rename: Callable[[str], str]) -> YoloDetector:
        """The detector; ``rename`` says what the network's labels are called, and is empty for what is not wanted."""
        from app.core.yolo import YoloDetector

        return YoloDetector(
            loader.session(self.role),
            labels=[rename(label) for label in self.params.labels],
            min_score=self.params.min_score,
            max_iou=self.params.max_iou,
            input_name=self.input.name,
            side_px=self.input.width,
        )


KINDS = (YoloModel,)
