"""Teach the service a yes-or-no question about pictures from a folder of labelled photos.

    python scripts/train_heads.py PHOTOS --name room_messy --positive messy

PHOTOS holds one folder a label, or a labels.csv with the columns file, label and, where several photos show one
scene, group. The head is cross-validated by group, calibrated, written to the folder of own heads and used at the
next start. A head of a shipped name replaces that one.

    python scripts/train_heads.py pad --data DIR

trains the second opinion on liveness instead; see ``scripts/heads/attacks.py``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from app.cli.environment import NO_BACKENDS
from app.config import load_settings
from app.core.heads import Pooling
from app.core.looks import PLANS
from app.errors import VisionError
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.model_loader import ModelLoader
from scripts.heads.attacks import main as train_attack_head
from scripts.heads.card import Story, facts, model_card
from scripts.heads.examples import BadData, Source, labels_of
from scripts.heads.recipes import Recipe
from scripts.heads.rows import RowReader
from scripts.heads.shipped import open_models, write_with_card
from scripts.heads.training import Collected, Question, Tiles, Trained, collect, train


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 1 with one line that says what is wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["pad"]:
        return train_attack_head(arguments[1:])
    options = _parse(arguments)
    try:
        recipe = _wanted(options)
        out_dir = options.out or load_settings(**NO_BACKENDS).own_heads_dir
        _train(recipe, open_models(), out_dir=out_dir, cache_dir=options.cache, repeats=options.repeats)
    except (BadData, VisionError) as error:
        print(f"train_heads: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="?", help="folder of labelled photos")
    parser.add_argument("--name", help="of the head: letters, digits and _, such as room_messy")
    parser.add_argument("--positive", nargs="+", metavar="LABEL", help="labels that answer yes; all others answer no")
    parser.add_argument("--label-column", default="label", help="of labels.csv")
    parser.add_argument("--group-column", default="group", help="of labels.csv: photos of one scene")
    parser.add_argument(
        "--pooling", type=Pooling, default=Pooling.MEAN, choices=list(Pooling),
        help="mean: the thing fills the picture; peak: it may hide in a corner",
    )  # fmt: skip
    parser.add_argument("--looks", nargs="+", default=["quick", "detailed"], choices=sorted(PLANS))
    parser.add_argument("--out", type=Path, help="folder to write to; default: where the service looks")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    parser.add_argument("--repeats", type=int, default=1, help="of the cross-validation, each with other folds")
    return parser.parse_args(arguments)


def _wanted(options: argparse.Namespace) -> Recipe:
    if options.photos is None or not options.name or not options.positive:
        raise BadData("Give the folder of photos, --name and --positive; see --help.")
    if not options.name.replace("_", "").isalnum():
        raise BadData("The name may hold letters, digits and _ only.")
    labels = labels_of(options.photos, label_column=options.label_column)
    missing = sorted(set(options.positive) - set(labels))
    if missing:
        raise BadData(f"No photo is labelled {missing[0]}; the labels are {', '.join(labels)}.")
    others = [label for label in labels if label not in options.positive]
    return Recipe(
        question=Question(
            name=options.name,
            pooling=options.pooling,
            looks=tuple(options.looks),
            tiles=Tiles.ALL if options.pooling is Pooling.MEAN else Tiles.BEST,
            l2=1e-3,
        ),
        story=Story(
            title=options.name.replace("_", " ").capitalize(),
            positive=" or ".join(options.positive),
            negative=" or ".join(others) or "none",
            data=f"Photos in {options.photos.name}, labelled {', '.join(labels)}.",
            limits=["Trained on photos of this hotel: check it on new ones before you rely on it."],
        ),
        sources=(
            Source(
                folder=options.photos,
                positive=frozenset(options.positive),
                label_column=options.label_column,
                group_column=options.group_column,
            ),
        ),
    )


def _train(recipe: Recipe, loader: ModelLoader, *, out_dir: Path, cache_dir: Path | None, repeats: int) -> None:
    extractor = build_feature_extractor(loader)
    reader = RowReader(extractor, looks=recipe.question.looks, relit=recipe.question.relit, cache_dir=cache_dir)
    examples = recipe.read_examples()
    with tqdm(total=len(examples), desc=recipe.question.name, unit="photo") as bar:
        collected = collect(examples, reader, progress=lambda done, _: bar.update(done - bar.n))
    trained = train(recipe.question, collected, repeats=repeats)
    card = model_card(recipe.story, recipe.question, collected, trained, repeats=repeats)
    _write(recipe, collected, trained, card, model_id=extractor.model_id, out_dir=out_dir)


def _write(recipe: Recipe, collected: Collected, trained: Trained, card: str, *, model_id: str, out_dir: Path) -> None:
    name = recipe.question.name
    told = facts(recipe.story, recipe.question, collected, trained)
    write_with_card(out_dir, trained.head, card, model_id=model_id, facts=told)
    print(f"Written: {out_dir / name}.json and .md")


if __name__ == "__main__":
    sys.exit(main())
