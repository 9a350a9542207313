"""PaddleOCR's text detection and recognition: its networks in our own sessions, between the steps of PaddleX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from app.core.ocr.merge import LineReading
from app.core.ocr.paddlex_steps import detection_steps, recognition_steps
from app.core.ocr.readers import ReaderFailure
from app.types import FloatArray, Image, Session

_RUNTIME_ERRORS = (RuntimeError, ValueError, AssertionError, cv2.error)
"""What PaddleX, OpenCV and the runtimes below them raise on input or memory that they cannot take."""

_MAX_RESIZED_SIDE_PX = 4000
_Step = Callable[..., Any]  # PaddleX has no types


class PaddleDetector:
    """Text detection as ``paddleocr.TextDetection`` does it. Thread-safe.

    Args:
        model_dir: holds ``inference.yml``.
        session: the network of the folder; input ``x`` (1, 3, h, w) float32, output (1, 1, h, w) likelihood of text.
        max_side_px: longer pages are shrunk to this before detection.

    Raises:
        ReaderFailure: PaddleX is not installed, or the folder is not one of its own.
    """

    def __init__(self, model_dir: Path, *, session: Session, max_side_px: int) -> None:
        with _opening(model_dir):
            steps, given = detection_steps(), _read_settings(model_dir)
            normal, found = _operation(given, "NormalizeImage"), given["PostProcess"]
            self._resize: _Step = steps.DetResizeForTest(
                limit_side_len=max_side_px, limit_type="max", max_side_limit=_MAX_RESIZED_SIDE_PX
            )
            self._normalise: _Step = steps.NormalizeImage(**normal)
            self._find_boxes: _Step = steps.DBPostProcess(
                thresh=found["thresh"],
                box_thresh=found["box_thresh"],
                unclip_ratio=found["unclip_ratio"],
                max_candidates=found["max_candidates"],
            )
        self._session = session

    def detect(self, image: Image) -> list[FloatArray]:
        """See ``LineDetector.detect``."""
        try:
            resized, shapes = self._resize([image])
            blob = np.ascontiguousarray(self._normalise(resized)[0].transpose(2, 0, 1)[None], np.float32)
            (polygons,), _ = self._find_boxes(self._session.run({"x": blob}), shapes)
        except _RUNTIME_ERRORS as error:
            raise ReaderFailure("text detection failed") from error
        return [np.asarray(polygon, np.float32) for polygon in polygons]


class PaddleReader:
    """Text recognition as ``paddleocr.TextRecognition`` does it. Thread-safe. Arguments as for :class:`PaddleDetector`.

    Args:
        session: the network of the folder; input ``x`` (1, 3, h, w) float32 BGR in -1 to 1, output (1, t, classes)
            probabilities, class 0 the CTC blank.
        min_width_px: narrower lines are padded to it; as the folder says when omitted.
    """

    name = "paddleocr"

    def __init__(self, model_dir: Path, *, session: Session, min_width_px: int | None = None) -> None:
        with _opening(model_dir):
            steps, given = recognition_steps(), _read_settings(model_dir)
            channels, height, width = _operation(given, "RecResizeImg")["image_shape"]
            self.characters: list[str] = given["PostProcess"]["character_dict"]
            self._resize: _Step = steps.OCRReisizeNormImg(rec_image_shape=[channels, height, min_width_px or width])
            self._decode: _Step = steps.CTCLabelDecode(self.characters)
        self._session = session

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        """See ``LineReader.read``. One line a pass: padding costs accuracy, and on a CPU it saves nothing."""
        try:
            return [self._read(crop) for crop in crops]
        except _RUNTIME_ERRORS as error:
            raise ReaderFailure("text recognition failed") from error

    def _read(self, crop: Image) -> LineReading:
        blob: NDArray[np.float32] = self._resize([crop])[0][None]
        (text,), (score,) = self._decode(self._session.run({"x": blob}))
        return LineReading(text, float(score))


@contextmanager
def _opening(model_dir: Path) -> Iterator[None]:
    try:
        yield
    except (ImportError, OSError, KeyError, TypeError, yaml.YAMLError, *_RUNTIME_ERRORS) as error:
        raise ReaderFailure(f"PaddleOCR cannot open {model_dir.name}: {error}") from error


def _read_settings(model_dir: Path) -> Mapping[str, Any]:  # as PaddleX writes them
    # PyYAML's parser in Python would take seconds for a recogniser's 18,000 characters; the one in C reads the same.
    with (model_dir / "inference.yml").open(encoding="utf-8") as file:
        settings: object = yaml.load(file, Loader=yaml.CSafeLoader)
    if not isinstance(settings, dict):
        raise TypeError("inference.yml holds no settings")
    return settings


def _operation(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What the folder says of one step before the network. Raises ``KeyError``."""
    steps: dict[str, Mapping[str, Any]] = {
        key: value for step in settings["PreProcess"]["transform_ops"] for key, value in step.items()
    }
    return steps[name]
