"""Teach the ranker that chooses an invoice's fields among candidates, and judge it on sellers it has not seen.

    OPENBLAS_NUM_THREADS=1 python scripts/train_extractor.py --data DIR --cache DIR

Reads every labelled paper below DIR once (about a second a page; kept in the cache, as networks are), trains small
networks on all of them, one a field, calibrates their confidence on networks that had a whole source left out, judges
them on groups and on sources left out, and writes the ranker with its card to the pack. Its products are small: on more
threads than one they take longer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from app.core.ocr.extraction.ranker import FieldRanker
from app.ml_models.extractor import EXTRACTOR_FILE, load_ranker, write_ranker
from scripts.extractor.calibration import calibrated, cautious, judged_left_out, left_out, taught_once
from scripts.extractor.card import card, facts
from scripts.extractor.generated import generated_papers
from scripts.extractor.papers import read_papers
from scripts.extractor.reading import reader
from scripts.extractor.training import FIELDS, examples, group_splits, source_splits


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 where there is nothing to learn from."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("CV_EVAL_DATA"), help="default: CV_EVAL_DATA")
    parser.add_argument("--cache", type=Path, required=True, help="a folder that keeps the pages read")
    parser.add_argument(
        "--fields", nargs="+", choices=FIELDS, default=FIELDS, help="teach these; the others stay as they are in --out"
    )
    parser.add_argument("--out", type=Path, default=EXTRACTOR_FILE)
    options = parser.parse_args(arguments)
    if options.data is None or not Path(options.data).is_dir():
        print("Say where the labelled papers are: --data DIR.", file=sys.stderr)
        return 1
    papers = [*read_papers(Path(options.data), reader(), options.cache), *generated_papers()]
    today = datetime.now(UTC).date()
    kept = [field for field in FIELDS if field not in options.fields]
    ranker: dict[str, FieldRanker] = {}
    if kept:
        ranker = {field: known for field, known in load_ranker(options.out).items() if field in kept}
    by_field = examples(papers, options.fields, today=today)
    groups = left_out(by_field, group_splits(papers), kept=options.cache)
    sources = left_out(by_field, source_splits(papers), kept=options.cache)
    curves = {
        field: calibrated(taught_once(taught, kept=options.cache), sources.choices[field])
        for field, taught in by_field.items()
    }
    ranker |= cautious(curves, sources.choices)
    of_groups, of_sources = judged_left_out(by_field, groups), judged_left_out(by_field, sources)
    judged = {field: (of_groups[field], of_sources[field]) for field in options.fields}
    card_file = options.out.with_suffix(".md")
    before = json.loads(options.out.read_text(encoding="utf-8")) if kept else {}
    write_ranker(
        options.out,
        {field: ranker[field] for field in FIELDS},
        facts=facts(papers, judged, before=before, kept=kept),
    )
    text = card(papers, judged, before=card_file.read_text(encoding="utf-8") if kept else "", kept=kept)
    card_file.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
