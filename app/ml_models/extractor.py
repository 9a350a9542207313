"""The file of the invoice ranker: one JSON beside the heads, which holds how it was trained and judged as well."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any  # JSON values

import numpy as np

from app.core.ocr.extraction.ranker import FieldRanker, Network, Ranker
from app.errors import ConfigurationError
from app.types import FloatArray

EXTRACTOR_FILE = Path(__file__).parent / "packs" / "extractor" / "invoices.json"
_SCHEMA = 1
_ARRAYS = ("mean", "scale", "hidden", "hidden_bias", "out")


def load_ranker(path: Path = EXTRACTOR_FILE) -> Ranker:
    """The ranker in that file.

    Raises:
        ConfigurationError: no such file, or it is damaged or of another schema; train it again.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != _SCHEMA:
            raise ConfigurationError(f"{path.name}: schema must be {_SCHEMA}; run scripts/train_extractor.py.")
        return {name: _field(entry) for name, entry in document["fields"].items()}
    except (OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
        raise ConfigurationError(f"{path.name} cannot be read; run scripts/train_extractor.py.") from error


def write_ranker(path: Path, ranker: Ranker, *, facts: Mapping[str, object]) -> None:
    """Write the ranker and what is known of it; the file appears whole or not at all."""
    document = {
        "schema": _SCHEMA,
        **facts,
        "fields": {
            name: {
                "slope": round(field.slope, 4),
                "offset": round(field.offset, 4),
                "out_bias": round(field.network.out_bias, 5),
                "inputs": len(field.network.mean),
                "hidden_units": len(field.network.out),
                **{array: _encoded(getattr(field.network, array)) for array in _ARRAYS},
            }
            for name, field in ranker.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def _encoded(values: FloatArray) -> str:
    """Half precision: a thousandth of a score, which no choice hangs on."""
    return base64.b64encode(values.astype("<f2").tobytes()).decode("ascii")


def _decoded(text: str, shape: tuple[int, ...]) -> FloatArray:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32).reshape(shape)


def _field(entry: Mapping[str, Any]) -> FieldRanker:
    inputs, units = int(entry["inputs"]), int(entry["hidden_units"])
    network = Network(
        mean=_decoded(entry["mean"], (inputs,)),
        scale=_decoded(entry["scale"], (inputs,)),
        hidden=_decoded(entry["hidden"], (inputs, units)),
        hidden_bias=_decoded(entry["hidden_bias"], (units,)),
        out=_decoded(entry["out"], (units,)),
        out_bias=float(entry["out_bias"]),
    )
    return FieldRanker(network, float(entry["slope"]), float(entry["offset"]))
