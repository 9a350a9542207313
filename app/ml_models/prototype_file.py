"""Where learnt prototypes are kept: one file in the data directory, which ``cv heads prototypes`` writes."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from app.core.prototypes import PrototypeSet
from app.utils.logging import logger

FILE_NAME = "image_prototypes.npz"


def write_prototypes(path: Path, learnt: PrototypeSet) -> None:
    """Replace the file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    names = list(learnt.vectors)
    np.savez(
        partial,
        model_id=np.array(learnt.model_id),
        names=np.array(names, dtype=str),
        vectors=np.array([learnt.vectors[name] for name in names], np.float32),
    )
    partial.replace(path)


def read_prototypes(path: Path, *, model_id: str) -> PrototypeSet:
    """What was learnt with this model; nothing where the file is missing, damaged or of another model.

    Prototypes only help, so none of that stops the start.
    """
    none = PrototypeSet(model_id, {})
    if not path.exists():
        return none
    try:
        with np.load(path) as data:
            learnt_with, names, vectors = str(data["model_id"]), data["names"].tolist(), data["vectors"]
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        logger.warning("prototypes_unreadable", file=path.name, error=type(error).__name__)
        return none
    if learnt_with != model_id:
        logger.warning("prototypes_of_another_model", learnt_with=learnt_with)
        return none
    return PrototypeSet(model_id, dict(zip(names, vectors.astype(np.float32), strict=True)))
