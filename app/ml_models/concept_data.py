"""The data of the concept space: glossary, class names, and the text embeddings of both.

The embeddings are computed once, when the pack is installed (``scripts/models/concept_vectors.py``), since they
take half a minute. Words that were added to the glossary afterwards are embedded at each start, a few at 15 ms each.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from app.core.concepts import Glossary, NamedColour, TextEmbedder, Thing
from app.errors import ConfigurationError, ModelUnavailable
from app.ml_models.manifest import PACKS_DIR
from app.ml_models.tables import Table
from app.types import FloatArray

GLOSSARY_PATH = PACKS_DIR / "glossary.toml"
CLASSES_PATH = PACKS_DIR / "imagenet_classes.txt"
_CENTRE_STEP = 10  # a tenth of the texts is sample enough for the mean query


@dataclass(frozen=True, slots=True)
class ImageClass:
    """A class of the image model: a name of its own, and that name with its synonyms, which is what is embedded."""

    name: str
    text: str


def read_classes(path: Path = CLASSES_PATH) -> list[ImageClass]:
    """The classes in the order of the model's logits."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [ImageClass(line.split(",")[0], line) for line in lines if line and not line.startswith("#")]


def read_glossary(classes: Sequence[ImageClass], path: Path = GLOSSARY_PATH) -> Glossary:
    """The glossary, held against the class names.

    Raises:
        ConfigurationError: it names a class that there is not, an unreadable colour, or something twice.
    """
    try:
        root = Table(tomllib.loads(path.read_text(encoding="utf-8")), place=path.name)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"The glossary {path} cannot be read: {error}.") from error
    known = {entry.name for entry in classes}
    things = tuple(_read_thing(table, known) for table in root.tables("thing"))
    colours = tuple(_read_colour(table) for table in root.tables("colour"))
    for names in ([thing.name for thing in things], [colour.name for colour in colours]):
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ConfigurationError(f"{path.name}: {', '.join(sorted(doubled))} stands twice.")
    return Glossary(things, colours)


def _read_thing(table: Table, known: set[str]) -> Thing:
    weights = table.table("looks_like")
    thing = Thing(table.text("name"), _words(table), {name: weights.number(name) for name in weights})
    if unknown := sorted(set(thing.looks_like) - known):
        raise ConfigurationError(f"{table.place}: {thing.name} looks like {', '.join(unknown)}, which is no class.")
    if not any(weight > 0 for weight in thing.looks_like.values()):
        raise ConfigurationError(f"{table.place}: {thing.name} looks like nothing.")
    return thing


def _read_colour(table: Table) -> NamedColour:
    samples = table.texts("samples")
    for sample in samples:
        if len(sample) != 7 or sample[0] != "#" or not set(sample[1:].lower()) <= set("0123456789abcdef"):
            raise ConfigurationError(f"{table.place}: a sample must look like #ff8000, and is {sample!r}.")
    return NamedColour(table.text("name"), _words(table), samples)


def _words(table: Table) -> tuple[str, ...]:
    words = (*table.texts("en"), *table.texts("vi"))
    if not words:
        raise ConfigurationError(f"{table.place}: there must be a word in en or vi.")
    return tuple(dict.fromkeys(words))


@dataclass(frozen=True, slots=True)
class ConceptVectors:
    """Text embeddings: of texts by the text, each (d,), and the mean embedding of queries, (d,)."""

    passages: Mapping[str, FloatArray]
    query_centre: FloatArray

    def of(self, texts: Sequence[str], embedder: TextEmbedder) -> FloatArray:
        """(n, d) passage embeddings; those that are not there are computed."""
        missing = sorted({text for text in texts if text not in self.passages})
        added = dict(zip(missing, embedder.embed_passages(missing), strict=True)) if missing else {}
        return np.stack([added[text] if text in added else self.passages[text] for text in texts])


def read_concept_vectors(path: Path) -> ConceptVectors:
    """What ``write_concept_vectors`` wrote.

    Raises:
        ModelUnavailable: the file is missing or damaged.
    """
    try:
        with np.load(path) as data:
            vectors = data["vectors"].astype(np.float32)
            passages = dict(zip(data["texts"].tolist(), vectors, strict=True))
            return ConceptVectors(passages, data["query_centre"].astype(np.float32))
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise ModelUnavailable(
            f"{path.name} cannot be read; run: python scripts/download_models.py --only image_embedding"
        ) from error


def write_concept_vectors(path: Path, *, texts: Sequence[str], embedder: TextEmbedder) -> None:
    """Embed the texts and store them in half precision, which changes no cosine by more than 0.001."""
    passages = embedder.embed_passages(texts)
    centre = embedder.embed_queries(texts[::_CENTRE_STEP]).mean(axis=0)
    np.savez(path, texts=np.array(texts), vectors=passages.astype(np.float16), query_centre=centre)


def texts_to_embed(glossary: Glossary, classes: Sequence[ImageClass]) -> list[str]:
    """What has to be embedded for this glossary and these classes, each once."""
    return list(dict.fromkeys([*glossary.terms, *(entry.text for entry in classes)]))
