"""What is known of a trained ranker: its card for people, and the same facts for its file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from evaluation.figures import Share
from scripts.extractor.calibration import SURE
from scripts.extractor.papers import GENERATED, Paper
from scripts.extractor.training import FOLDS, JudgedChoice

JudgedBoth = Mapping[str, tuple[Sequence[JudgedChoice], Sequence[JudgedChoice]]]
"""By field: with seller groups left out, and with whole sources left out."""


def facts(
    papers: Sequence[Paper], judged: JudgedBoth, *, before: Mapping[str, Mapping[str, object]], kept: Sequence[str]
) -> dict[str, object]:
    """JSON values: data, counts, figures; those of ``kept`` fields as they were ``before``."""
    found = {
        "right_with_groups_left_out": {field: _counts(judged[field][0]) for field in judged},
        "right_with_sources_left_out": {field: _counts(judged[field][1]) for field in judged},
    }
    return {
        "papers": dict(Counter(paper.source for paper in papers if paper.judged)),
        "seller_groups": len({paper.group for paper in papers if paper.judged}),
        **{name: {**counts, **{field: before[name][field] for field in kept}} for name, counts in found.items()},
    }


def _counts(items: Sequence[JudgedChoice]) -> list[int]:
    return [sum(item.right for item in items), len(items)]


def card(papers: Sequence[Paper], judged: JudgedBoth, *, before: str = "", kept: Sequence[str] = ()) -> str:
    """Markdown.

    Args:
        before: the card as it was.
        kept: fields that were not taught this time; their rows are those of ``before``.
    """
    sources = Counter(paper.source for paper in papers if paper.judged)
    lines = [
        "# The invoice ranker",
        "",
        "One small network a field, the mean of three, chooses among the candidates of a page",
        "(`app/core/ocr/extraction`). Written by `scripts/train_extractor.py`.",
        "",
        f"Taught and judged on {sum(sources.values())} papers of "
        f"{len({paper.group for paper in papers if paper.judged})} seller groups: "
        + ", ".join(f"{source} {count}" for source, count in sorted(sources.items()))
        + ". PDFs with a text layer are read by it. Beside them "
        f"{sum(paper.origin == GENERATED for paper in papers)} generated papers are taught, and not judged.",
        "",
        f"## Seller groups left out ({FOLDS} folds)",
        "",
        *_table({field: both[0] for field, both in judged.items()}),
        *_rows_of(before, "## Seller groups left out", kept),
        "",
        "## Whole sources left out",
        "",
        *_table({field: both[1] for field, both in judged.items()}),
        *_rows_of(before, "## Whole sources left out", kept),
        "",
        "## By source, seller groups left out",
        "",
        *_by_source({field: both[0] for field, both in judged.items()}),
        *_rows_of(before, "## By source", kept),
        "",
        *([f"Taught in an earlier run, with its labels, and kept: {', '.join(kept)}.", ""] if kept else []),
        "A label that a picture does not print counts as wrong; of subtotal and tax, what a PDF's text layer lacks is",
        "no label. Confidence is Platt's curve through choices on whole sources left out; the curves of all fields are",
        "lowered together until of what they call sure 2 % were wrong. In both tables a network has seen nothing of",
        "what it is judged on, and its curve goes through choices on the other parts. Sources are publishers of ten",
        "papers and more, and of each set the rest together. Arithmetic, rules and currency are judged with the ranker",
        "by `python scripts/evaluate.py ocr --leave-out source`.",
        "",
    ]
    return "\n".join(lines)


def _rows_of(text: str, heading: str, fields: Sequence[str]) -> list[str]:
    """The rows of those fields in the table below a heading."""
    section = text.partition(heading)[2].partition("\n## ")[0]
    return [line for line in section.splitlines() if any(line.startswith(f"| {field} |") for field in fields)]


def _table(judged: Mapping[str, Sequence[JudgedChoice]]) -> list[str]:
    lines = [
        "| field | n | right | 95 % interval | answered with ≥ 0.8 | of those wrong | 95 % interval |",
        "|---|---|---|---|---|---|---|",
    ]
    for field, items in judged.items():
        right = Share("", sum(item.right for item in items), len(items))
        sure = [item for item in items if item.confidence >= SURE]
        wrong = Share("", sum(not item.right for item in sure), len(sure))
        lines.append(
            f"| {field} | {right.n} | {_percent(right)} | {_interval(right)} | {len(sure) / max(right.n, 1):.1%} "
            f"| {_percent(wrong)} ({wrong.count} of {wrong.n}) | {_interval(wrong)} |"
        )
    return lines


def _percent(share: Share) -> str:
    return f"{share.value:.1%}" if share.n else "–"


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{low:.1%} – {high:.1%}"


def _by_source(judged: Mapping[str, Sequence[JudgedChoice]]) -> list[str]:
    lines = ["| field | source | n | right | 95 % interval |", "|---|---|---|---|---|"]
    for field, items in judged.items():
        of: dict[str, list[bool]] = defaultdict(list)
        for item in items:
            name = item.paper.source
            of[f"{name}, renderings" if item.paper.key.startswith("files/x_") else name].append(item.right)
        for source, hits in sorted(of.items()):
            share = Share("", sum(hits), len(hits))
            lines.append(f"| {field} | {source} | {share.n} | {_percent(share)} | {_interval(share)} |")
    return lines
