"""PaddleOCR's text detection and recognition, computed by our own sessions."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.ocr.merge import LineReading
from app.core.ocr.readers import ReaderFailure
from app.types import FloatArray, Image, Session

_RUNTIME_ERRORS = (RuntimeError, ValueError, AssertionError, cv2.error)
"""What PaddleOCR, OpenCV and the runtimes below them raise on input or memory that they cannot take."""


class _Resize(Protocol):
    """PaddleX's resizing step; lines narrower than ``rec_image_shape`` (channels, height, width) are padded to it."""

    rec_image_shape: list[int]


class _Predictor(Protocol):
    """The part of PaddleX's predictors used here; the step's name is spelled as PaddleX spells it."""

    runner: object
    pre_tfs: dict[str, object]


class _PaddleModel(Protocol):
    """The part of ``paddleocr.TextDetection`` and ``TextRecognition`` used here."""

    paddlex_predictor: _Predictor

    def predict(self, images: list[Image], **options: object) -> list[Mapping[str, object]]: ...


class PaddleDetector:
    """``paddleocr.TextDetection``. Thread-safe: one page at a time.

    Args:
        model_dir: holds ``inference.onnx`` and ``inference.yml``.
        model_name: as PaddleOCR knows it.
        session: the same network, opened by us.
        max_side_px: longer pages are shrunk to this before detection.
    """

    def __init__(self, model_dir: Path, *, model_name: str, session: Session, max_side_px: int) -> None:
        self._model = _open("TextDetection", model_dir, model_name, session)
        self._max_side_px = max_side_px
        self._lock = threading.Lock()

    def detect(self, image: Image) -> list[FloatArray]:
        """See ``LineDetector.detect``."""
        try:
            with self._lock:
                found = self._model.predict([image], limit_side_len=self._max_side_px, limit_type="max")
        except _RUNTIME_ERRORS as error:
            raise ReaderFailure("text detection failed") from error
        polygons = cast(Sequence[NDArray[np.generic]], found[0]["dt_polys"])
        return [np.asarray(polygon, np.float32) for polygon in polygons]


class PaddleReader:
    """``paddleocr.TextRecognition``. Thread-safe: one call at a time. Arguments as for :class:`PaddleDetector`.

    Args:
        min_width_px: narrower lines are padded to it; as the folder says when omitted.
    """

    name = "paddleocr"

    def __init__(self, model_dir: Path, *, model_name: str, session: Session, min_width_px: int | None = None) -> None:
        self._model = _open("TextRecognition", model_dir, model_name, session)
        if min_width_px is not None:
            resize = cast(_Resize, self._model.paddlex_predictor.pre_tfs["ReisizeNorm"])
            resize.rec_image_shape = [*resize.rec_image_shape[:2], min_width_px]
        self._lock = threading.Lock()

    def read(self, crops: Sequence[Image]) -> list[LineReading]:
        """See ``LineReader.read``. One line a batch: padding costs accuracy, and on a CPU it saves nothing."""
        if not crops:
            return []
        try:
            with self._lock:
                found = self._model.predict(list(crops), batch_size=1)
        except _RUNTIME_ERRORS as error:
            raise ReaderFailure("text recognition failed") from error
        return [LineReading(cast(str, line["rec_text"]), float(cast(float, line["rec_score"]))) for line in found]


class _SessionRunner:
    """Our session in the place of PaddleX's own runner, whose threads spin while they wait and would take the cores
    from every other request."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, x: Sequence[NDArray[np.generic]]) -> list[FloatArray]:
        return self._session.run({"x": x[0]})

    def close(self) -> None:
        """PaddleX calls this; the session belongs to whoever opened it."""


def _open(class_name: str, model_dir: Path, model_name: str, session: Session) -> _PaddleModel:
    """Import PaddleOCR (seconds, about 200 MB) and open one of its models.

    Raises:
        ReaderFailure: PaddleOCR is not installed or cannot read the folder.
    """
    # PaddleX otherwise asks several model hosts at import whether it could download from them.
    os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
    try:
        with _headless_opencv_counts():
            import paddleocr  # heavy; only where OCR is loaded

            model = getattr(paddleocr, class_name)(
                model_name=model_name, model_dir=str(model_dir), engine="onnxruntime", device="cpu"
            )
    except (ImportError, OSError, *_RUNTIME_ERRORS) as error:
        raise ReaderFailure(f"PaddleOCR cannot open {model_dir.name}: {error}") from error
    model.paddlex_predictor.runner = _SessionRunner(session)
    return cast(_PaddleModel, model)


class _HeadlessOpenCv(importlib.metadata.DistributionFinder):
    """Answers for ``opencv-contrib-python`` with the headless build.

    PaddleX looks for that one distribution by name before it uses ``cv2``. The headless build brings the same
    module, and needs no display libraries.
    """

    def find_spec(self, *_: object) -> None:
        """Modules are found by others."""

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterator[importlib.metadata.Distribution]:
        if context is not None and context.name == "opencv-contrib-python":
            yield importlib.metadata.distribution("opencv-contrib-python-headless")


@contextmanager
def _headless_opencv_counts() -> Iterator[None]:
    finder = _HeadlessOpenCv()
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
