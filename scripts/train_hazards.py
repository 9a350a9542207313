"""Train the shipped hazard heads on the photos of many sources, and judge them on sources that they never saw.

    python scripts/train_hazards.py --data DIR [--only NAME …] [--cache DIR]

Each head is written beside its card to the pack's heads. A hotel teaches a head of its own with train_heads.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tqdm import tqdm

from app.core.looks import FRAME
from scripts.hazards.card import facts, hazard_card
from scripts.hazards.made import make_frames
from scripts.hazards.photos import read_photos
from scripts.hazards.recipes import HAZARD_RECIPES
from scripts.hazards.rows import main_directions, read_rows
from scripts.hazards.training import judge
from scripts.heads.shipped import Training, train_shipped


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 with one line that says what is wrong."""
    return train_shipped(str(__doc__), _train, arguments)


def _train(training: Training) -> None:
    extractor, cache_dir = training.extractor, training.cache_dir
    photos = read_photos(training.data)
    with tqdm(total=len(photos), unit="photo") as bar:
        rows = read_rows(photos, extractor, cache_dir=cache_dir, progress=lambda done: bar.update(done - bar.n))
    recipes = [recipe for recipe in HAZARD_RECIPES if training.wants(recipe.question.name)]
    directions = main_directions(rows)
    rows, made = rows.along(directions), None
    if any(recipe.question.made_share for recipe in recipes):
        with tqdm(unit="made frame") as bar:
            made = make_frames(photos, extractor, cache_dir=cache_dir, progress=lambda _done: bar.update())
        made = made.along(directions)
    for recipe in recipes:
        judged = judge(recipe.question, photos, rows, made)
        training.write(judged.final, hazard_card(recipe, judged), facts=facts(recipe, judged, looks=[FRAME]))


if __name__ == "__main__":
    sys.exit(main())
