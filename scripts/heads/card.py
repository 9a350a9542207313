"""What is told of a trained head: facts for its JSON file and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from app.ml_models.heads import views_of
from scripts.heads.training import Collected, Question, Trained
from scripts.heads.validation import SURE, Figures


@dataclass(frozen=True, slots=True)
class Story:
    """What only the person who collected the photos can tell.

    Attributes:
        positive: what a high score means.
        negative: what a low score means.
        data: what the photos are and where they come from.
        limits: what the head must not be trusted with.
    """

    title: str
    positive: str
    negative: str
    data: str
    limits: Sequence[str]


def facts(story: Story, question: Question, collected: Collected, trained: Trained) -> dict[str, object]:
    """JSON values for the head's file."""
    return {
        "title": story.title,
        "classes": {"positive": story.positive, "negative": story.negative},
        "data": story.data,
        "limits": list(story.limits),
        "photos": len(collected.examples),
        "l2": question.l2,
        "trained_at": datetime.now(UTC).date().isoformat(),
        "views": views_of(question.looks),
        "cross_validated": {look: _rounded(item) for look, item in trained.figures.items()},
    }


def model_card(story: Story, question: Question, collected: Collected, trained: Trained, *, repeats: int = 1) -> str:
    """Markdown."""
    lines = [
        f"# {story.title} (`{question.name}`)",
        "",
        f"A linear head on the image backbone's features. High: {story.positive}. Low: {story.negative}.",
        "",
        f"**Trained on.** {story.data}",
        "",
        "| way of looking | photos (yes / no) | balanced accuracy | 95 % interval | yes found | no found "
        f"| calibration error | confidence > {SURE:g} | of these right |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(look, item) for look, item in trained.figures.items()),
        "",
        f"Cross-validated{_times(repeats)}: no scene, and no photo that nearly equals another, is on both sides of "
        "a fold. The calibration of a fold comes from the other folds, and counts both answers as equally common. The "
        "interval resamples scenes.",
        "",
        "**Limits.**",
        *(f"- {limit}" for limit in story.limits),
    ]
    if collected.unreadable:
        lines += ["", "**Left out, unreadable.**", *(f"- {item}" for item in collected.unreadable)]
    return "\n".join(lines) + "\n"


def _times(repeats: int) -> str:
    return "" if repeats == 1 else f" {repeats} times, with other folds each time"


def _row(look: str, item: Figures) -> str:
    sure = "–" if item.sure_accuracy is None else f"{item.sure_accuracy:.1%}"
    return (
        f"| {look} | {item.positives} / {item.negatives} | {item.balanced_accuracy:.1%} "
        f"| {item.interval[0]:.1%} to {item.interval[1]:.1%} | {item.sensitivity:.1%} | {item.specificity:.1%} "
        f"| {item.calibration_error:.3f} | {item.sure_share:.0%} | {sure} |"
    )


def _rounded(item: Figures) -> dict[str, object]:
    return {
        name: [round(bound, 4) for bound in value] if isinstance(value, tuple) else _round(value)
        for name, value in asdict(item).items()
    }


def _round(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
