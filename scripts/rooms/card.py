"""What is told of a room head: facts for its JSON file and a page for people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from app.ml_models.heads import views_of
from scripts.heads.validation import SURE, Figures
from scripts.rooms.recipes import RoomRecipe
from scripts.rooms.rows import LOOKS
from scripts.rooms.training import FOLDS, JudgedHead


def room_facts(recipe: RoomRecipe, judged: JudgedHead) -> dict[str, object]:
    """JSON values for the head's file."""
    return {
        "title": recipe.title,
        "classes": {"positive": recipe.positive, "negative": recipe.negative},
        "limits": list(recipe.limits),
        "sources": {source: list(counts) for source, counts in judged.counts.items()},
        "l2": recipe.question.l2,
        "trained_at": datetime.now(UTC).date().isoformat(),
        "views": views_of(LOOKS),
        "cross_validated": {look: _rounded(item) for look, item in judged.by_scene.items()},
        "left_out": [{"name": share.name, "count": share.count, "n": share.n} for share in judged.by_source],
    }


def _rounded(item: Figures) -> dict[str, object]:
    return {
        name: [round(bound, 4) for bound in value] if isinstance(value, tuple) else round(value, 4) if value else value
        for name, value in asdict(item).items()
    }


def room_card(recipe: RoomRecipe, judged: JudgedHead) -> str:
    """Markdown."""
    counts = ", ".join(f"{source} {yes} / {no}" for source, (yes, no) in judged.counts.items())
    common = "both answers as equally common" if recipe.question.even else "the answers as common as in the photos"
    lines = [
        f"# {recipe.title} (`{recipe.question.name}`)",
        "",
        f"A linear head on the image backbone's features. High: {recipe.positive}. Low: {recipe.negative}.",
        "",
        f"**Judged on** (yes / no): {counts}. Third-party photos that are not shipped.",
        "",
        "| way of looking | balanced accuracy | 95 % interval | yes found | no found | calibration error "
        f"| confidence > {SURE:g} | of these right |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(look, item) for look, item in judged.by_scene.items()),
        "",
        f"Cross-validated in {FOLDS} folds: no scene, and no photo that nearly equals another, is on both sides of "
        f"one. A fold's calibration comes from the other folds, and counts {common}. The interval resamples scenes.",
    ]
    if judged.by_source:
        lines += ["", "By heads that saw no photo of that source, in training or calibration:", ""]
        lines += ["| photos | said yes | 95 % interval | n |", "|---|---|---|---|"]
        for share in judged.by_source:
            low, high = share.interval
            lines.append(f"| {share.name} | {share.value:.1%} | {low:.1%} – {high:.1%} | {share.n} |")
    else:
        lines += ["", "It has one source, so none could be left out."]
    lines += ["", "**Limits.**", *(f"- {limit}" for limit in recipe.limits)]
    return "\n".join(lines) + "\n"


def _row(look: str, item: Figures) -> str:
    sure = "–" if item.sure_accuracy is None else f"{item.sure_accuracy:.1%}"
    return (
        f"| {look} | {item.balanced_accuracy:.1%} | {item.interval[0]:.1%} – {item.interval[1]:.1%} "
        f"| {item.sensitivity:.1%} | {item.specificity:.1%} | {item.calibration_error:.3f} | {item.sure_share:.0%} "
        f"| {sure} |"
    )
