"""What is told of a hazard head: facts for its JSON file and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from app.ml_models.heads import views_of
from evaluation.figures import Share
from scripts.hazards.recipes import HazardRecipe
from scripts.hazards.training import LeftOut


def facts(recipe: HazardRecipe, judged: LeftOut, *, looks: Sequence[str]) -> dict[str, object]:
    """JSON values for the head's file."""
    return {
        "title": recipe.title,
        "classes": {"positive": recipe.positive, "negative": recipe.negative},
        "limits": list(recipe.limits),
        "views": views_of(looks),
        "reliability": recipe.reliability,
        "photos": len(judged.photos),
        "sources": sorted({photo.source for photo in judged.photos}),
        "l2": recipe.question.l2,
        "trained_at": datetime.now(UTC).date().isoformat(),
        "left_out": [{"name": share.name, "count": share.count, "n": share.n} for share in shares_by_folder(judged)],
    }


def shares_by_folder(judged: LeftOut) -> list[Share]:
    """How often yes is said, and alerted, in each data set's photos of each answer, by heads that saw no photo of that
    source (or scene)."""
    told, alerted = judged.told, judged.alerted
    found = []
    for is_positive, word in ((True, "found"), (False, "false")):
        for folder in sorted({photo.folder for photo in judged.photos}):
            rows = [
                index
                for index, photo in enumerate(judged.photos)
                if photo.folder == folder and bool(judged.targets[index]) is is_positive
            ]
            if rows:
                found.append(Share(f"{word}, {folder}", int(told[rows].sum()), len(rows)))
                if judged.final.alert_threshold is not None:
                    found.append(Share(f"{word}, {folder}, sure enough to alert", int(alerted[rows].sum()), len(rows)))
    return found


def hazard_card(recipe: HazardRecipe, judged: LeftOut) -> str:
    """Markdown."""
    head = judged.final
    alert = "" if head.alert_threshold is None else f", alerted by one frame from {head.alert_threshold:g}"
    lines = [
        f"# {recipe.title} (`{recipe.question.name}`)",
        "",
        f"A linear head on the image backbone's features. High: {recipe.positive}. Low: {recipe.negative}. "
        f"Told from {head.threshold:g}{alert}.",
        "",
        f"**Trained on.** {len(judged.photos)} photos of {len({photo.source for photo in judged.photos})} sources; "
        f"{int(judged.targets.sum())} answer yes. Third-party photos that are not shipped.",
        "",
        "| photos | share | 95 % interval | n |",
        "|---|---|---|---|",
    ]
    for share in shares_by_folder(judged):
        low, high = share.interval
        lines.append(f"| {share.name} | {share.value:.1%} | {low:.1%} – {high:.1%} | {share.n} |")
    by_scene = ", ".join(sorted(recipe.question.by_scene))
    lines += [
        "",
        "Each photo is judged by a head that saw no photo of its source, in training, calibration or the choice of "
        f"thresholds{f' (of {by_scene}: none of its scene)' if by_scene else ''}.",
        "",
        "**Limits.**",
        *(f"- {limit}" for limit in recipe.limits),
    ]
    return "\n".join(lines) + "\n"
