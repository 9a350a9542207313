"""The data of the concept space: glossary, class names, and the text embeddings of both.

The embeddings are computed once, when the pack is installed (``scripts/models/concept_vectors.py``), since they
take half a minute. Words that were added to the glossary afterwards are embedded at each start, a few at 15 ms each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self
from zipfile import BadZipFile

import numpy as np
from pydantic import AfterValidator, model_validator
from pydantic.types import Strict

from app.core.concepts import Glossary, NamedColour, TextEmbedder, Thing
from app.errors import ModelUnavailable
from app.ml_models.data_files import PACKS_DIR, FileTable, Share, Texts, read_toml, wrong_file
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


class _Named(FileTable):
    name: str
    en: Texts
    vi: Texts

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if not self.words:
            raise ValueError("must have a word in en or vi")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """Each once."""
        return tuple(dict.fromkeys([*self.en, *self.vi]))


def _like_something(weights: dict[str, float]) -> dict[str, float]:
    if not any(weight > 0 for weight in weights.values()):
        raise ValueError("looks like nothing")
    return weights


def _colour_code(text: str) -> str:
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError(f"must look like #ff8000, and is {text!r}")
    return text


class _ThingTable(_Named):
    looks_like: Annotated[dict[str, Share], AfterValidator(_like_something)]


class _ColourTable(_Named):
    samples: Annotated[tuple[Annotated[str, AfterValidator(_colour_code)], ...], Strict(strict=False)]


class _GlossaryFile(FileTable):
    thing: Annotated[tuple[_ThingTable, ...], Strict(strict=False)] = ()
    colour: Annotated[tuple[_ColourTable, ...], Strict(strict=False)] = ()


def read_glossary(classes: Sequence[ImageClass], path: Path = GLOSSARY_PATH) -> Glossary:
    """The glossary, held against the class names.

    Raises:
        ConfigurationError: it names a class that there is not, an unreadable colour, or something twice.
    """
    file = read_toml(path, _GlossaryFile)
    known = {entry.name for entry in classes}
    found = [
        f"{thing.name} looks like {', '.join(unknown)}, which is no class"
        for thing in file.thing
        if (unknown := sorted(thing.looks_like.keys() - known))
    ]
    for names in ([thing.name for thing in file.thing], [colour.name for colour in file.colour]):
        found += [f"{name} is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    if found:
        raise wrong_file(path, found)
    return Glossary(
        things=tuple(Thing(thing.name, thing.words, thing.looks_like) for thing in file.thing),
        colours=tuple(NamedColour(colour.name, colour.words, colour.samples) for colour in file.colour),
    )


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
        raise ModelUnavailable(f"{path.name} cannot be read; run: cv models install --only image_embedding") from error


def write_concept_vectors(path: Path, *, texts: Sequence[str], embedder: TextEmbedder) -> None:
    """Embed the texts and store them in half precision, which changes no cosine by more than 0.001."""
    passages = embedder.embed_passages(texts)
    centre = embedder.embed_queries(texts[::_CENTRE_STEP]).mean(axis=0)
    np.savez(path, texts=np.array(texts), vectors=passages.astype(np.float16), query_centre=centre)


def texts_to_embed(glossary: Glossary, classes: Sequence[ImageClass]) -> list[str]:
    """What has to be embedded for this glossary and these classes, each once."""
    return list(dict.fromkeys([*glossary.terms, *(entry.text for entry in classes)]))
