"""Files of trained heads: a small JSON each, which is the head's manifest entry as well.

It holds the weights beside what a reader must know to trust them: data, counts, cross-validated figures.
``packs/heads/`` has the shipped ones; a hotel's own stand in a folder of theirs and win over a shipped one of the
same name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.errors import ConfigurationError
from app.ml_models.manifest import PACKS_DIR
from app.ml_models.tables import Table

HEADS_DIR = PACKS_DIR / "heads"
_SCHEMA = 1


def load_heads(*names: str, model_id: str, own_dir: Path | None = None) -> dict[str, LinearHead]:
    """The heads of those names, each from ``own_dir`` if it is there, else as shipped.

    Raises:
        ConfigurationError: a head is missing, unreadable, or was trained on another backbone.
    """
    return {name: read_head(_find(name, own_dir), model_id=model_id) for name in names}


def _find(name: str, own_dir: Path | None) -> Path:
    own = own_dir / f"{name}.json" if own_dir else None
    return own if own and own.is_file() else HEADS_DIR / f"{name}.json"


def read_head(path: Path, *, model_id: str) -> LinearHead:
    """The head in that file.

    Raises:
        ConfigurationError: no such file, not a head, or trained on another backbone than ``model_id``.
    """
    table = read_head_table(path)
    if table.integer("schema") != _SCHEMA:
        raise ConfigurationError(f"{table.place}: schema must be {_SCHEMA}; train the head again.")
    if table.text("model_id") != model_id:
        raise ConfigurationError(
            f"{table.place} was trained on {table.text('model_id')}, and the pack has {model_id}; "
            "train it again with scripts/train_heads.py."
        )
    calibrations = table.table("calibration")
    return LinearHead(
        name=table.text("name"),
        weights=_decode(table),
        bias=table.number("bias"),
        pooling=Pooling(table.text("pooling")),
        calibrations={look: _read_calibration(calibrations.table(look)) for look in calibrations},
        threshold=table.number("threshold"),
    )


def read_head_table(path: Path) -> Table:
    """Everything that stands in a head's file.

    Raises:
        ConfigurationError: no such file, or not JSON.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The head {path.name} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise ConfigurationError(f"The head {path.name} is not a JSON file.") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"The head {path.name} is not a JSON object.")
    return Table(values, place=f"Head {path.name}")


def write_head(path: Path, head: LinearHead, *, model_id: str, facts: Mapping[str, object]) -> None:
    """Write the head and what is known of it; the file appears whole or not at all.

    Args:
        facts: JSON values: classes, data, counts, figures.
    """
    document = {
        "schema": _SCHEMA,
        "name": head.name,
        "model_id": model_id,
        **facts,
        "threshold": head.threshold,
        "pooling": head.pooling.value,
        "calibration": {
            look: {"midpoint": item.midpoint, "slope_below": item.slope_below, "slope_above": item.slope_above}
            for look, item in head.calibrations.items()
        },
        "bias": head.bias,
        "weights_float32": base64.b64encode(head.weights.astype("<f4").tobytes()).decode("ascii"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def _decode(table: Table) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    try:
        weights = np.frombuffer(base64.b64decode(table.text("weights_float32"), validate=True), "<f4")
    except ValueError as error:
        raise ConfigurationError(f"{table.place}: weights_float32 is damaged.") from error
    if not weights.size or not np.isfinite(weights).all():
        raise ConfigurationError(f"{table.place}: weights_float32 is damaged.")
    return weights.astype(np.float32)


def _read_calibration(table: Table) -> TwoSlopeCalibration:
    return TwoSlopeCalibration(
        midpoint=table.number("midpoint"),
        slope_below=table.number("slope_below"),
        slope_above=table.number("slope_above"),
    )
