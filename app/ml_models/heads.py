"""Files of trained heads: a small JSON each, which is the head's manifest entry as well.

It holds the weights beside what a reader must know to trust them: data, counts, cross-validated figures.
``packs/heads/`` has the shipped ones; a hotel's own stand in a folder of theirs and win over a shipped one of the
same name.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field
from pydantic.types import Strict

from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.core.looks import PLANS
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
    views: dict[str, str] = Field(default_factory=dict)  # by way of looking, its plan when the head was trained
    pooling: Annotated[Pooling, Strict(strict=False)]
    calibration: dict[str, _CalibrationTable]
    bias: float
    weights: Annotated[str, AfterValidator(_readable)] = Field(alias="weights_float32")
    tile_weights: Annotated[str, AfterValidator(_readable)] | None = Field(alias="tile_weights_float32", default=None)

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
            tile_weights=None if self.tile_weights is None else _decode(self.tile_weights),
        )


def load_heads(
    *names: str, model_id: str, own_dir: Path | None = None, look: str | None = None
) -> dict[str, LinearHead]:
    """The heads of those names, each from ``own_dir`` if it is there, else as shipped.

    Args:
        look: the way of looking that they must have been trained for, tile for tile; None where any will do.

    Raises:
        ConfigurationError: a head is missing, unreadable, or was trained on another backbone or for other views.
    """
    paths = {name: _find(name, own_dir) for name in names}
    heads = {name: read_head(path, model_id=model_id) for name, path in paths.items()}
    if look is not None:
        for path in paths.values():
            _check_views(path, look)
    return heads


def views_of(looks: Iterable[str]) -> dict[str, str]:
    """What a head's file says of the ways of looking that it was trained for, under ``views``."""
    return {look: PLANS[look].summary for look in looks}


def _check_views(path: Path, look: str) -> None:
    """The score of other tiles than those of the training would be a wrong one, and nothing would show it."""
    file = read_head_file(path)
    if look not in file.calibration:
        raise ConfigurationError(f"{shown(path)} was not trained for --looks {look}; train it again with that.")
    trained, today = file.views.get(look, "views of an older release"), PLANS[look].summary
    if trained != today:
        raise ConfigurationError(
            f"{shown(path)} was trained on {trained}, and --looks {look} is now {today}; "
            "train it again with cv heads train, or take it out of the folder to use the shipped one."
        )


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
            "train it again with cv heads train."
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
        "weights_float32": _encode(head.weights),
    }
    if head.tile_weights is not None:
        document["tile_weights_float32"] = _encode(head.tile_weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def _encode(weights: FloatArray) -> str:
    return base64.b64encode(weights.astype("<f4").tobytes()).decode("ascii")


def _decode(text: str) -> FloatArray:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
