"""The file of known pictures: their features in a byte each, and how far from them a picture may be."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field

from app.core.heads import unit
from app.core.known_views import KnownViews
from app.core.usual_scene import pack_row
from app.errors import ConfigurationError
from app.ml_models.data_files import PACKS_DIR, FileTable, read_json, shown

KNOWN_ROOMS = PACKS_DIR / "known_rooms.json"


class _KnownViewsFile(FileTable):
    """Beside these keys it holds facts for people."""

    model_config = ConfigDict(extra="allow")

    schema_number: Literal[1] = Field(alias="schema")
    model_id: str
    count: Annotated[int, Field(gt=0)]
    farthest: Annotated[float, Field(gt=0, le=2)]
    rows: str = Field(alias="rows_int8")


def read_known_views(path: Path, *, model_id: str) -> KnownViews:
    """The known pictures of that file.

    Raises:
        ConfigurationError: no such file, damaged, or of another backbone than ``model_id``.
    """
    file = read_json(path, _KnownViewsFile)
    if file.model_id != model_id:
        raise ConfigurationError(f"{shown(path)} is of {file.model_id}, and the pack has {model_id}.")
    try:
        packed = np.frombuffer(base64.b64decode(file.rows, validate=True), np.int8).reshape(file.count, -1)
    except ValueError as error:
        raise ConfigurationError(f"{shown(path)} is damaged.") from error
    return KnownViews(unit(packed.astype(np.float32)), file.farthest)


def write_known_views(path: Path, known: KnownViews, *, model_id: str, facts: Mapping[str, object]) -> None:
    """Write them and what is known of them; the file appears whole or not at all."""
    document = {
        "schema": 1,
        "model_id": model_id,
        **facts,
        "count": len(known.rows),
        "farthest": known.farthest,
        "rows_int8": base64.b64encode(b"".join(pack_row(row) for row in known.rows)).decode("ascii"),
    }
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
