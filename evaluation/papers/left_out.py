"""How well papers are read whose sellers, or whose whole source, nothing was learnt from.

Run through ``scripts/evaluate.py ocr --leave-out group|source``. For each part that is left out, rankers and their
confidence are learnt from the others alone; then the service's own reading, with its arithmetic, rules and currency,
is held against the labels.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

from app.core.ocr.extraction.ranker import Ranker
from app.core.ocr.invoice import Invoice, read_invoice
from evaluation.figures import Share, as_json, as_table
from scripts.extractor.calibration import SURE, left_out
from scripts.extractor.generated import generated_papers
from scripts.extractor.papers import Paper, read_papers
from scripts.extractor.reading import reader
from scripts.extractor.training import FIELDS, FieldExample, Split, examples, group_splits, is_right, source_splits

_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_PUBLIC = {"total": "total_amount", "tax": "tax_amount", "seller": "vendor"}
"""Where the answer calls a field otherwise than the labels do."""

_TARGETS = {
    ("receipts_en", "total"): 0.95,
    ("receipts_en", "date"): 0.97,
    ("receipts_en", "seller"): 0.90,
    ("receipts_vn", "total"): 0.95,
    ("receipts_vn", "date"): 0.97,
    ("receipts_vn", "seller"): 0.85,
    ("receipts_world", "total"): 0.85,
    ("receipts_world", "currency"): 0.95,
    ("invoices_pdf", "total"): 0.90,
    ("invoices_pdf", "date"): 0.90,
    ("invoices_pdf", "invoice_number"): 0.85,
    ("invoices_pdf", "seller"): 0.80,
    ("invoices_pdf", "currency"): 0.97,
}
By = Literal["group", "source"]

_MAX_WRONG, _MIN_ANSWERED = 0.02, 0.80


@dataclass(frozen=True, slots=True)
class FieldAnswer:
    """What was answered to one label; ``confidence`` is 0 where the field was left null."""

    paper: Paper
    field: str
    value: object
    right: bool
    confidence: float


def answers(
    papers: Sequence[Paper],
    taught: Mapping[str, Sequence[FieldExample]],
    *,
    by: By,
    today: date,
    kept: Path | None = None,
) -> Iterator[FieldAnswer]:
    """An answer to each label of each judged paper.

    Args:
        taught: the papers' examples by field.
        kept: a folder with networks that need not be taught again.
    """
    without = left_out(taught, splits_of(papers, by), kept=kept)
    for split, ranker in without.rankers.items():
        for paper in papers:
            if paper.judged and split.holds(paper):
                yield from _answers(paper, ranker, today)


def splits_of(papers: Sequence[Paper], by: By) -> list[Split]:
    return group_splits(papers) if by == "group" else source_splits(papers)


def _answers(paper: Paper, ranker: Ranker, today: date) -> Iterator[FieldAnswer]:
    invoice: Invoice = read_invoice(paper.page, ranker, today=today, vietnamese=paper.vietnamese)
    for field, labels in paper.labels.items():
        read = invoice.values.get(_PUBLIC.get(field, field))
        if not labels:
            continue
        if read is None:
            yield FieldAnswer(paper, field, None, right=False, confidence=0.0)
        else:
            yield FieldAnswer(paper, field, read.value, is_right(field, read.value, labels), read.confidence)


def shares(made: Sequence[FieldAnswer]) -> list[Share]:
    """By kind of paper and field, what is right; then, of all labels, what is answered as sure and wrong then."""
    found = [
        Share(f"{kind}: {field}", _right(items), len(items), _TARGETS.get((kind, field)))
        for (kind, field), items in _by_kind(made).items()
    ]
    sure = [item for item in made if item.confidence >= SURE]
    answered = Share(f"answered with ≥ {SURE}", len(sure), len(made), _MIN_ANSWERED)
    wrong = Share("of those wrong", len(sure) - _right(sure), len(sure), _MAX_WRONG, "lower")
    return [*found, answered, wrong]


def _by_kind(made: Sequence[FieldAnswer]) -> Mapping[tuple[str, str], list[FieldAnswer]]:
    found: dict[tuple[str, str], list[FieldAnswer]] = defaultdict(list)
    for item in made:
        kind = item.paper.source.rstrip("0123456789")
        rendering = item.paper.key.startswith("files/x_")
        found[f"{kind}, renderings" if rendering else kind, item.field].append(item)
    return dict(sorted(found.items()))


def _right(items: Sequence[FieldAnswer]) -> int:
    return sum(item.right for item in items)


def risk_table(made: Sequence[FieldAnswer]) -> str:
    """A Markdown table: by field and threshold, the share answered and, of it, the share wrong."""
    fields = sorted({item.field for item in made})
    lines = [f"| field | n | {' | '.join(f'≥ {bound}' for bound in _THRESHOLDS)} |", "|---" * 8 + "|"]
    for field in [*fields, "all"]:
        items = [item for item in made if field in (item.field, "all")]
        lines.append(f"| {field} | {len(items)} | {' | '.join(_risk(items, bound) for bound in _THRESHOLDS)} |")
    return "\n".join(lines)


def _risk(items: Sequence[FieldAnswer], bound: float) -> str:
    answered = [item for item in items if item.confidence >= bound]
    wrong = Share("", len(answered) - _right(answered), len(answered))
    if not answered:
        return "0%"
    low, high = wrong.interval
    return f"{len(answered) / len(items):.0%}, wrong {wrong.value:.1%} ({low:.1%} – {high:.1%})"


def main(data: Path, cache: Path | None, *, by: Sequence[By], figures: Path | None) -> int:
    """Read the papers, learn, judge and print; exit status 1 where a target is missed."""
    with tempfile.TemporaryDirectory() as temporary:
        papers = [*read_papers(data, reader(), cache or Path(temporary)), *generated_papers()]
    today = date.today()  # noqa: DTZ011  # a day to hold the dates against
    taught = examples(papers, FIELDS, today=today)
    measured: list[Share] = []
    for one in by:
        made = list(answers(papers, taught, by=one, today=today, kept=cache))
        found = shares(made)
        print(f"Left out by {one}: {', '.join(split.name for split in splits_of(papers, one))}.\n")
        print(as_table(found))
        print(f"\nAnswered from a confidence on, and of that wrong:\n\n{risk_table(made)}\n", flush=True)
        measured += [replace(share, name=f"left out by {one}, {share.name}") for share in found]
    if figures is not None:
        figures.write_text(json.dumps(as_json(measured), indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in measured) else 1
