"""Train the shipped room heads on photos of several sources; judge them on scenes and sources that they never saw.

    python scripts/train_rooms.py --data DIR [--only NAME …] [--cache DIR]

Each head is written beside its card to the pack's heads. A hotel teaches a head of its own with train_heads.py.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from app.composition.models import open_loader
from app.config import load_settings
from app.errors import VisionError
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import HEADS_DIR, write_head
from app.ml_models.known_views import KNOWN_ROOMS, write_known_views
from scripts.heads.examples import BadData
from scripts.rooms.card import room_card, room_facts
from scripts.rooms.known import KnownRooms, known_card, known_facts
from scripts.rooms.photos import read_room_photos
from scripts.rooms.recipes import ROOM_RECIPES
from scripts.rooms.rows import read_look_rows
from scripts.rooms.training import judge_head

# Training needs the models alone, and must run on a machine that knows none of the servers.
_NO_BACKENDS = {"DATABASE_URL": "postgresql://unused", "MINIO_ACCESS_KEY": "unused", "MINIO_SECRET_KEY": "unused"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 with one line that says what is wrong."""
    options = _parse(arguments)
    try:
        if options.data is None:
            raise BadData("Say where the photos are: --data DIR.")
        extractor = build_feature_extractor(open_loader(load_settings(**_NO_BACKENDS)))
        photos = read_room_photos(Path(options.data))
        with tqdm(total=len(photos), unit="photo") as bar:
            rows = read_look_rows(
                photos, extractor, cache_dir=options.cache, progress=lambda done: bar.update(done - bar.n)
            )
        for recipe in ROOM_RECIPES:
            name = recipe.question.name
            if options.only and name not in options.only:
                continue
            judged = judge_head(recipe.question, photos, rows)
            measured = room_facts(recipe, judged)
            write_head(options.out / f"{name}.json", judged.head, model_id=extractor.model_id, facts=measured)
            card = room_card(recipe, judged)
            (options.out / f"{name}.md").write_text(card, encoding="utf-8")
            print(card)
            if name == "room_shown":
                rooms = KnownRooms(photos, rows)
                known, shares = rooms.among(np.ones(len(photos), bool)), rooms.shares(judged)
                path = KNOWN_ROOMS if options.out == HEADS_DIR else options.out / KNOWN_ROOMS.name
                write_known_views(path, known, model_id=extractor.model_id, facts=known_facts(shares))
                path.with_suffix(".md").write_text(known_card(known, shares), encoding="utf-8")
    except (BadData, VisionError) as error:
        print(f"train_rooms: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("CV_EVAL_DATA"), help="where the photos are")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these heads alone")
    parser.add_argument("--out", type=Path, default=HEADS_DIR, help="folder to write to; default: the pack's")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
