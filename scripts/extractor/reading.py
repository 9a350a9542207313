"""Pages of pictures and PDFs as the service reads them."""

from __future__ import annotations

import os

from app.config import WEIGHTS_DIR
from app.core.ocr_engine import OCREngine, SourcePage
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.utils.image_processing import decode_image
from app.utils.pdf import is_pdf
from app.utils.picture_limits import PictureLimits
from scripts.extractor.papers import Read, ReadPage, rendered

_MAX_PIXELS = 40_000_000


def reader() -> Read:
    """Reads with the service's own engine, opened with the first page that is not in the cache."""
    engines: list[OCREngine] = []

    def read(data: bytes) -> list[ReadPage]:
        if not engines:
            engines.append(
                build_ocr_engine(ModelLoader(load_pack("compact"), WEIGHTS_DIR), threads=os.cpu_count() or 1)
            )
        images = rendered(data) if is_pdf(data) else [decode_image(data, PictureLimits(_MAX_PIXELS))]
        texts = engines[0].read_text([SourcePage(image) for image in images])
        return [ReadPage(float(text.image.shape[0]), text.lines, text.vietnamese) for text in texts]

    return read
