"""Files of trained heads: a small JSON each, which is the head's manifest entry as well.

It holds the weights beside what a reader must know to trust them: data, counts, cross-validated figures.
``packs/heads/`` has the shipped ones; a hotel's own stand in a folder of theirs and win over a shipped one of the
same name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.types import Strict

from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.errors import ConfigurationError
from app.ml_models.data_files import PACKS_DIR, FileTable, Share, read_json, shown
from app.types import FloatArray

HEADS_DIR = PACKS_DIR / "heads"
_SCHEMA = 1


def _readable(text: str) -> str:
    try:
        weights = _decode(text)
    except ValueError as error:
        raise ValueError("is damaged") from error
    if not weights.size or not np.isfinite(weights).all():
        raise ValueError("is damaged")
    return text


class _CalibrationTable(FileTable):
    midpoint: float
    slope_below: float
    slope_above: float


class HeadFile(FileTable):
    """A head's file. Beside these keys it holds facts for people: classes, data, counts, figures."""

    model_config = ConfigDict(extra="allow")

    schema_number: Literal[1] = Field(alias="schema")
    name: str
    model_id: str
    threshold: Share
    alert_threshold: Share | None = None
    reliability: dict[str, list[str]] = Field(default_factory=dict)
    pooling: Annotated[Pooling, Strict(strict=False)]
    calibration: dict[str, _CalibrationTable]
    bias: float
    weights: Annotated[str, AfterValidator(_readable)] = Field(alias="weights_float32")

    @property
    def facts(self) -> Mapping[str, object]:
        """What the file holds for people."""
        return self.model_extra or {}

    def as_head(self) -> LinearHead:
        """What computes."""
        return LinearHead(
            name=self.name,
            weights=_decode(self.weights),
            bias=self.bias,
            pooling=self.pooling,
            calibrations={look: TwoSlopeCalibration(**table.model_dump()) for look, table in self.calibration.items()},
            threshold=self.threshold,
            alert_threshold=self.alert_threshold,
        )


def load_heads(*names: str, model_id: str, own_dir: Path | None = None) -> dict[str, LinearHead]:
    """The heads of those names, each from ``own_dir`` if it is there, else as shipped.

    Raises:
        ConfigurationError: a head is missing, unreadable, or was trained on another backbone.
    """
    return {name: read_head(_find(name, own_dir), model_id=model_id) for name in names}


def reliability_of_heads(names: Sequence[str], *, own_dir: Path | None = None) -> dict[str, list[str]]:
    """By type of anomaly, the places (``indoor``, ``outdoor``) in which the heads' figures were measured; a hotel's own
    head knows its own cameras, and says nothing here.

    Raises:
        ConfigurationError: a head is missing or unreadable.
    """
    files = [read_head_file(_find(name, own_dir)) for name in names]
    return {kind: places for file in files for kind, places in file.reliability.items()}


def _find(name: str, own_dir: Path | None) -> Path:
    own = own_dir / f"{name}.json" if own_dir else None
    return own if own and own.is_file() else HEADS_DIR / f"{name}.json"


def read_head(path: Path, *, model_id: str) -> LinearHead:
    """The head in that file.

    Raises:
        ConfigurationError: no such file, not a head, or trained on another backbone than ``model_id``.
    """
    file = read_head_file(path)
    if file.model_id != model_id:
        raise ConfigurationError(
            f"{shown(path)} was trained on {file.model_id}, and the pack has {model_id}; "
            "train it again with scripts/train_heads.py."
        )
    return file.as_head()


def read_head_file(path: Path) -> HeadFile:
    """Everything that stands in a head's file.

    Raises:
        ConfigurationError: no such file, not JSON, or no head.
    """
    return read_json(path, HeadFile)


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
        "alert_threshold": head.alert_threshold,
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


def _decode(text: str) -> FloatArray:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
