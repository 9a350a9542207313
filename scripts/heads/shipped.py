"""What the scripts that train the shipped heads have in common: the models, the options, and a head's two files."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli.environment import NO_BACKENDS
from app.composition.models import open_loader
from app.config import load_settings
from app.core.features import FeatureExtractor
from app.core.heads import LinearHead
from app.errors import VisionError
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.heads import HEADS_DIR, write_head
from app.ml_models.model_loader import ModelLoader
from scripts.heads.examples import BadData


@dataclass(frozen=True, slots=True)
class Training:
    """``data``: where the photos are; ``cache_dir``: what keeps computed features; ``only``: these heads, or all."""

    extractor: FeatureExtractor
    data: Path
    out: Path
    cache_dir: Path | None
    only: Sequence[str]

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only

    def write(self, head: LinearHead, card: str, *, facts: Mapping[str, object]) -> None:
        write_with_card(self.out, head, card, model_id=self.extractor.model_id, facts=facts)


def open_models() -> ModelLoader:
    """The models alone: training must run on a machine that knows none of the servers."""
    return open_loader(load_settings(**NO_BACKENDS))


def write_with_card(out: Path, head: LinearHead, card: str, *, model_id: str, facts: Mapping[str, object]) -> None:
    """The head's file, and beside it a page for people, which is also printed."""
    write_head(out / f"{head.name}.json", head, model_id=model_id, facts=facts)
    (out / f"{head.name}.md").write_text(card, encoding="utf-8")
    print(card)


def train_shipped(about: str, train: Callable[[Training], None], arguments: Sequence[str] | None) -> int:
    """Exit status: 0, or 1 with one line that says what is wrong."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("CV_EVAL_DATA"), help="where the photos are")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=(), help="these heads alone")
    parser.add_argument("--out", type=Path, default=HEADS_DIR, help="folder to write to; default: the pack's")
    parser.add_argument("--cache", type=Path, help="keeps computed features here, for the next time")
    options = parser.parse_args(arguments)
    try:
        if options.data is None:
            raise BadData("Say where the photos are: --data DIR.")
        extractor = build_feature_extractor(open_models())
        train(Training(extractor, Path(options.data), options.out, options.cache, options.only))
    except (BadData, VisionError) as error:
        print(f"{Path(parser.prog).stem}: {error}", file=sys.stderr)
        return 1
    return 0
