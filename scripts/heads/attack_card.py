"""The card of the second opinion on liveness."""

from __future__ import annotations

from collections.abc import Sequence

from app.ml_models.factories.face import ATTACK_HEAD
from evaluation.figures import Share
from scripts.heads.attack_photos import AttackPhoto


def attack_card(photos: Sequence[AttackPhoto], shares: Sequence[Share]) -> str:
    """In Markdown."""
    rows = [
        f"| {share.name} | {share.value:.1%} | {share.interval[0]:.1%} to {share.interval[1]:.1%} | {share.n} |"
        for share in shares
    ]
    attacks = sum(photo.is_attack for photo in photos)
    return "\n".join(
        [
            f"# Presentation attacks (`{ATTACK_HEAD}`)",
            "",
            "A linear head over the liveness network's answers, what its inner layers saw of a wide and of a "
            "close crop, and cues of spectrum, colour and focus. High: what is seen is a picture of a face.",
            "",
            f"**Trained on.** {attacks} attacks and {len(photos) - attacks} photos of living people, of "
            f"{len({photo.source for photo in photos})} sources, with their mirror images, by "
            "`python -m scripts.train_heads pad`.",
            "",
            "Errors at the shipped operating point, leave-one-source-out: each photo is judged by a head that saw "
            "none of its source; of LFW none of a quarter of its people, and, in the row that says so, nothing. A "
            "face passes up to the score that 7 % of the living in full frames reach, and is refused as an attack "
            "from the score that 4.5 % reach; between the two, and where the photo shows too little, it is in "
            "doubt, which is neither. The point was set on the same scores; one row judges each source at a point "
            "of the others.",
            "",
            "| photos | share | 95 % interval | n |",
            "|---|---|---|---|",
            *rows,
            "",
            "**Limits.**",
            "- Tablets and prints that fill the picture, without an edge in view, pass most often.",
            "- Tight crops show nothing of what is around the face; the service calls them uncertain.",
            "- Drawn and painted faces were not among the photos, and pass.",
            "- Masks of silicone or resin, and faces that software moves, were not among the photos.",
            "",
        ]
    )
