"""Train the shipped hazard heads on the photos of many sources, and judge them on sources that they never saw.

    python scripts/train_hazards.py --data DIR [--only NAME …] [--cache DIR]

Each head is written beside its card to the pack's heads. A hotel teaches a head of its own with train_heads.py.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from app.composition.models import open_loader
from app.config import load_settings
from app.core.looks import FRAME
from app.errors import VisionError
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import HEADS_DIR, write_head
from scripts.hazards.card import facts, hazard_card
from scripts.hazards.made import make_frames
from scripts.hazards.photos import read_photos
from scripts.hazards.recipes import HAZARD_RECIPES
from scripts.hazards.rows import main_directions, read_rows
from scripts.hazards.training import judge
from scripts.heads.examples import BadData

# Training needs the models alone, and must run on a machine that knows none of the servers.
_NO_BACKENDS = {"DATABASE_URL": "postgresql://unused", "MINIO_ACCESS_KEY": "unused", "MINIO_SECRET_KEY": "unused"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 with one line that says what is wrong."""
    options = _parse(arguments)
    try:
        if options.data is None:
            raise BadData("Say where the photos are: --data DIR.")
        extractor = build_feature_extractor(open_loader(load_settings(**_NO_BACKENDS)))
        photos = read_photos(Path(options.data))
        with tqdm(total=len(photos), unit="photo") as bar:
            rows = read_rows(photos, extractor, cache_dir=options.cache, progress=lambda done: bar.update(done - bar.n))
        recipes = [one for one in HAZARD_RECIPES if not options.only or one.question.name in options.only]
        directions = main_directions(rows)
        rows, made = rows.along(directions), None
        if any(recipe.question.made_share for recipe in recipes):
            with tqdm(unit="made frame") as bar:
                made = make_frames(photos, extractor, cache_dir=options.cache, progress=lambda _done: bar.update())
            made = made.along(directions)
        for recipe in recipes:
            judged = judge(recipe.question, photos, rows, made)
            told = facts(recipe, judged, looks=[FRAME])
            write_head(
                options.out / f"{recipe.question.name}.json", judged.final, model_id=extractor.model_id, facts=told
            )
            card = hazard_card(recipe, judged)
            (options.out / f"{recipe.question.name}.md").write_text(card, encoding="utf-8")
            print(card)
    except (BadData, VisionError) as error:
        print(f"train_hazards: {error}", file=sys.stderr)
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
