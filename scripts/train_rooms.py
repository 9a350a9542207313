"""Train the shipped room heads on photos of several sources; judge them on scenes and sources that they never saw.

    python scripts/train_rooms.py --data DIR [--only NAME …] [--cache DIR]

Each head is written beside its card to the pack's heads. A hotel teaches a head of its own with train_heads.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from app.ml_models.heads import HEADS_DIR
from app.ml_models.known_views import KNOWN_ROOMS, write_known_views
from scripts.heads.shipped import Training, train_shipped
from scripts.rooms.card import room_card, room_facts
from scripts.rooms.known import KnownRooms, known_card, known_facts
from scripts.rooms.photos import read_room_photos
from scripts.rooms.recipes import ROOM_RECIPES
from scripts.rooms.rows import read_look_rows
from scripts.rooms.training import judge_head


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 with one line that says what is wrong."""
    return train_shipped(str(__doc__), _train, arguments)


def _train(training: Training) -> None:
    photos = read_room_photos(training.data)
    with tqdm(total=len(photos), unit="photo") as bar:
        rows = read_look_rows(
            photos, training.extractor, cache_dir=training.cache_dir, progress=lambda done: bar.update(done - bar.n)
        )
    for recipe in ROOM_RECIPES:
        name = recipe.question.name
        if not training.wants(name):
            continue
        judged = judge_head(recipe.question, photos, rows)
        training.write(judged.head, room_card(recipe, judged), facts=room_facts(recipe, judged))
        if name == "room_shown":
            rooms = KnownRooms(photos, rows)
            known, shares = rooms.among(np.ones(len(photos), bool)), rooms.shares(judged)
            path = KNOWN_ROOMS if training.out == HEADS_DIR else training.out / KNOWN_ROOMS.name
            write_known_views(path, known, model_id=training.extractor.model_id, facts=known_facts(shares))
            path.with_suffix(".md").write_text(known_card(known, shares), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
