"""Teach the ranker that chooses an invoice's fields among candidates, and judge it on sellers it has not seen.

    python scripts/train_extractor.py --data DIR --cache DIR

Reads every labelled paper below DIR once (about a second a page; kept in the cache), trains one small network a field
with seller groups left out in turn, calibrates its confidence on those, trains it on all, and writes the ranker with
its card to the pack.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.config import WEIGHTS_DIR
from app.core.ocr.extraction.fields import CODE_FIELDS, DATE_FIELDS, MONEY_FIELDS, NAME_FIELDS
from app.core.ocr.extraction.ranker import FieldRanker
from app.core.ocr_engine import OCREngine, SourcePage
from app.ml_models.extractor import EXTRACTOR_FILE, write_ranker
from app.ml_models.factories.ocr import build_ocr_engine
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.utils.image_processing import decode_image
from app.utils.pdf import is_pdf
from app.utils.picture_limits import PictureLimits
from scripts.extractor.card import card, facts
from scripts.extractor.papers import Read, ReadPage, read_papers, rendered
from scripts.extractor.training import calibrated, examples, fit, group_splits, judge, source_splits

FIELDS = (*MONEY_FIELDS, *DATE_FIELDS, *CODE_FIELDS, *NAME_FIELDS)
_MAX_PIXELS = 40_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 where there is nothing to learn from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("CV_EVAL_DATA"), help="default: CV_EVAL_DATA")
    parser.add_argument("--cache", type=Path, required=True, help="a folder that keeps the pages read")
    parser.add_argument("--out", type=Path, default=EXTRACTOR_FILE)
    options = parser.parse_args(arguments)
    if options.data is None or not Path(options.data).is_dir():
        print("Say where the labelled papers are: --data DIR.", file=sys.stderr)
        return 1
    papers = read_papers(Path(options.data), reader(), options.cache)
    today = datetime.now(UTC).date()
    ranker: dict[str, FieldRanker] = {}
    judged = {}
    by_field = examples(papers, FIELDS, today=today)
    for field in FIELDS:
        taught = by_field[field]
        by_group = judge(taught, group_splits([example.paper for example in taught]), by="group")
        by_source = judge(taught, source_splits([example.paper for example in taught]), by="source")
        ranker[field] = calibrated(fit(taught), by_group)
        judged[field] = (by_group, by_source)
        print(f"{field}: {sum(item.right for item in by_group)} of {len(by_group)}", flush=True)
    write_ranker(options.out, ranker, facts=facts(papers, ranker, judged))
    text = card(papers, ranker, judged)
    options.out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
