"""PaddleX's steps by themselves: they give what paddleocr gives, and bring nothing else along."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from app.config import WEIGHTS_DIR
from app.core.ocr.paddle import PaddleDetector, PaddleReader
from app.core.ocr.readers import ReaderFailure, crop_line
from app.ml_models.runtimes import OnnxRuntimeSession
from app.types import Image
from synthetic_documents import citizen_card_2021, photographed, vat_invoice

pytestmark = pytest.mark.slow
FOLDER = WEIGHTS_DIR / "compact"
MAX_SIDE_PX = 960


class HeadlessOpenCv(importlib.metadata.DistributionFinder):
    """Answers for the one build of OpenCV that PaddleX looks for."""

    def find_spec(self, *_: object) -> None:
        """Modules are found by others."""

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterator[importlib.metadata.Distribution]:
        if context is not None and context.name == "opencv-contrib-python":
            yield importlib.metadata.distribution("opencv-contrib-python-headless")


@pytest.fixture(scope="module")
def whole_paddleocr() -> Iterator[Any]:  # it has no types
    if not FOLDER.is_dir():
        pytest.skip("the compact pack is not installed: python scripts/download_models.py --pack compact")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
        patched.setattr(yaml, "FullLoader", yaml.CSafeLoader)
        patched.setattr(sys, "meta_path", [*sys.meta_path, HeadlessOpenCv()])
        import paddleocr

        yield paddleocr


def pages() -> list[Image]:
    return [
        photographed(vat_invoice(41, "bill").image, 41),
        citizen_card_2021(42).image,
        np.zeros((20, 24, 3), np.uint8),
    ]


def session(role: str) -> OnnxRuntimeSession:
    return OnnxRuntimeSession(FOLDER / role / "inference.onnx")


def test_lines_are_found_where_paddleocr_finds_them(whole_paddleocr: Any) -> None:
    ours = PaddleDetector(FOLDER / "ocr_detection", session=session("ocr_detection"), max_side_px=MAX_SIDE_PX)
    theirs = whole_paddleocr.TextDetection(
        model_name="PP-OCRv6_small_det", model_dir=str(FOLDER / "ocr_detection"), engine="onnxruntime", device="cpu"
    )
    for page in pages():
        wanted = theirs.predict([page], limit_side_len=MAX_SIDE_PX, limit_type="max")[0]["dt_polys"]
        found = ours.detect(page)
        assert len(found) == len(wanted)
        assert all(np.array_equal(polygon, other) for polygon, other in zip(found, wanted, strict=True))
    assert len(ours.detect(pages()[0])) > 20


@pytest.mark.parametrize(
    ("role", "paddle_name", "least"),
    [("ocr_recognition_latin", "PP-OCRv6_small_rec", 0.8), ("ocr_recognition_vi", "latin_PP-OCRv5_mobile_rec", 0.5)],
)
def test_lines_are_read_as_paddleocr_reads_them(
    whole_paddleocr: Any, role: str, paddle_name: str, least: float
) -> None:
    detector = PaddleDetector(FOLDER / "ocr_detection", session=session("ocr_detection"), max_side_px=MAX_SIDE_PX)
    page = pages()[0]
    crops = [crop_line(page, polygon) for polygon in detector.detect(page)]
    ours = PaddleReader(FOLDER / role, session=session(role)).read(crops)
    theirs = whole_paddleocr.TextRecognition(
        model_name=paddle_name, model_dir=str(FOLDER / role), engine="onnxruntime", device="cpu"
    ).predict(crops, batch_size=1)
    assert [one.text for one in ours] == [line["rec_text"] for line in theirs]
    assert [one.score for one in ours] == pytest.approx([line["rec_score"] for line in theirs], abs=1e-5)
    assert np.mean([one.score for one in ours]) > least


def test_the_rest_of_paddlex_stays_out() -> None:
    code = """
import json, sys
from app.core.ocr.paddlex_steps import detection_steps, recognition_steps
detection_steps(), recognition_steps()
print(json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(json.loads(done.stdout))
    assert not {"paddleocr", "paddlex", "pandas", "matplotlib", "modelscope", "aiohttp", "scipy"} & loaded
    assert "pyclipper" in loaded


def test_other_engines_may_import_meanwhile() -> None:
    code = """
import sys, threading, types
from app.core.ocr.paddlex_steps import recognition_steps
recognition_steps()  # what it imports is there from now on
def import_for_ever():
    number = 0
    while True:
        sys.modules[f"other_{number % 5000}"] = types.ModuleType("other")
        sys.modules.pop(f"other_{(number + 2500) % 5000}", None)
        number += 1
threading.Thread(target=import_for_ever, daemon=True).start()
sys.setswitchinterval(1e-6)
for _ in range(200):
    recognition_steps.cache_clear()
    recognition_steps()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_folder_that_is_not_paddles_is_refused(tmp_path: Path) -> None:
    class Unused:
        provider = "none"

        def run(self, feed: object) -> list[Any]:
            raise AssertionError(feed)

    with pytest.raises(ReaderFailure, match="cannot open"):
        PaddleReader(tmp_path, session=Unused())
    for text in ("[1, 2]", "PreProcess: {transform_ops: []}", "PostProcess: ["):
        (tmp_path / "inference.yml").write_text(text)
        with pytest.raises(ReaderFailure, match="cannot open"):
            PaddleDetector(tmp_path, session=Unused(), max_side_px=MAX_SIDE_PX)
