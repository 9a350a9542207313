"""What is known of a trained ranker: its card for people, and the same facts for its file."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from app.core.ocr.extraction.ranker import FieldRanker
from scripts.extractor.papers import Paper
from scripts.extractor.training import FOLDS, JudgedChoice

_SURE = 0.8
JudgedBoth = Mapping[str, tuple[Sequence[JudgedChoice], Sequence[JudgedChoice]]]
"""By field: with seller groups left out, and with whole sources left out."""


def interval(count: int, n: int) -> tuple[float, float]:
    """Wilson's, at 95 %."""
    if not n:
        return 0.0, 1.0
    z, share = 1.96, count / n
    centre, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (centre - spread) / (1 + z * z / n)), min(1.0, (centre + spread) / (1 + z * z / n))


def facts(papers: Sequence[Paper], ranker: Mapping[str, FieldRanker], judged: JudgedBoth) -> dict[str, object]:
    """JSON values: data, counts, figures."""
    return {
        "papers": dict(Counter(paper.source for paper in papers if paper.judged)),
        "seller_groups": len({paper.group for paper in papers}),
        "right_with_groups_left_out": {field: _counts(judged[field][0]) for field in ranker},
        "right_with_sources_left_out": {field: _counts(judged[field][1]) for field in ranker},
    }


def _counts(items: Sequence[JudgedChoice]) -> list[int]:
    return [sum(item.right for item in items), len(items)]


def card(papers: Sequence[Paper], ranker: Mapping[str, FieldRanker], judged: JudgedBoth) -> str:
    """Markdown."""
    sources = Counter(paper.source for paper in papers if paper.judged)
    lines = [
        "# The invoice ranker",
        "",
        "One small network a field chooses among the candidates of a page (`app/core/ocr/extraction`). Written by",
        "`scripts/train_extractor.py`.",
        "",
        f"Taught and judged on {sum(sources.values())} papers of "
        f"{len({paper.group for paper in papers})} seller groups: "
        + ", ".join(f"{source} {count}" for source, count in sorted(sources.items()))
        + ". PDFs with a text layer are taught as pictures too, and judged by their text layer.",
        "",
        f"## Seller groups left out ({FOLDS} folds)",
        "",
        *_table(ranker, {field: both[0] for field, both in judged.items()}),
        "",
        "## Whole sources left out",
        "",
        *_table(ranker, {field: both[1] for field, both in judged.items()}),
        "",
        "## By source, seller groups left out",
        "",
        *_by_source({field: both[0] for field, both in judged.items()}),
        "",
        "A label that the page does not print counts as wrong. Confidence is Platt's curve through the choices with",
        "groups left out; the share that is wrong at 0.8 is measured on those too, and beside it with sources "
        "left out.",
        "",
    ]
    return "\n".join(lines)


def _table(ranker: Mapping[str, FieldRanker], judged: Mapping[str, Sequence[JudgedChoice]]) -> list[str]:
    lines = [
        "| field | n | right | 95 % interval | answered with ≥ 0.8 | of those wrong |",
        "|---|---|---|---|---|---|",
    ]
    for field, items in judged.items():
        right = sum(item.right for item in items)
        sure = [item for item in items if ranker[field].confidence(item.probability) >= _SURE]
        wrong = sum(not item.right for item in sure)
        low, high = interval(right, len(items))
        lines.append(
            f"| {field} | {len(items)} | {right / max(len(items), 1):.1%} | {low:.1%} – {high:.1%} "
            f"| {len(sure) / max(len(items), 1):.1%} | {wrong / max(len(sure), 1):.1%} ({wrong} of {len(sure)}) |"
        )
    return lines


def _by_source(judged: Mapping[str, Sequence[JudgedChoice]]) -> list[str]:
    lines = ["| field | source | n | right | 95 % interval |", "|---|---|---|---|---|"]
    for field, items in judged.items():
        of: dict[str, list[bool]] = defaultdict(list)
        for item in items:
            name = item.paper.source
            of[f"{name}, renderings" if item.paper.key.startswith("files/x_") else name].append(item.right)
        for source, hits in sorted(of.items()):
            low, high = interval(sum(hits), len(hits))
            lines.append(f"| {field} | {source} | {len(hits)} | {sum(hits) / len(hits):.1%} | {low:.1%} – {high:.1%} |")
    return lines
