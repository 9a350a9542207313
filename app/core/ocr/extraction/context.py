"""Where a candidate stands on its page, and which labels speak for it, as numbers about one: for the ranker."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from app.core.ocr.extraction.labels import Label, kinds
from app.core.ocr.extraction.sheet import Place, Sheet
from app.types import FloatArray

KINDS = kinds()
_INDEX = {kind: index for index, kind in enumerate(KINDS)}
_FAR = 60.0


def _kind_vector(labels: Sequence[tuple[Label, float]]) -> FloatArray:
    """For each kind how near and how long its best label is, 0 to 1."""
    vector = np.zeros(len(KINDS), np.float32)
    for label, distance in labels:
        weight = (0.4 + 0.6 * min(label.weight / 14.0, 1.0)) * math.exp(-distance / _FAR)
        vector[_INDEX[label.kind]] = max(vector[_INDEX[label.kind]], weight)
    return vector


def label_context(sheet: Sheet, place: Place) -> list[float]:
    """Labels around a place: left in its row, nearest of them, right above, in the column's head, in the row above."""
    left = sheet.labels_left(place)
    above, column = sheet.labels_above(place)
    nearest = np.zeros(len(KINDS), np.float32)
    if left:
        best = min(distance for _, distance in left[:6])
        for label, distance in left:
            if distance <= best + 0.01:
                nearest[_INDEX[label.kind]] = 0.4 + 0.6 * min(label.weight / 14.0, 1.0)
    return [
        *_kind_vector(left),
        *nearest,
        *_kind_vector([(label, 0.0) for label in above]),
        *_kind_vector([(label, 0.0) for label in column]),
        min((distance for _, distance in left), default=_FAR) / _FAR,
    ]


def position(sheet: Sheet, place: Place) -> list[float]:
    height = max(sheet.bottom - sheet.top, 1.0)
    width = max(sheet.right - sheet.left, 1.0)
    cells = sheet.rows[place.row].cells
    return [
        (place.y - sheet.top) / height,
        (sheet.right - place.x2) / width,
        (place.x1 - sheet.left) / width,
        min(place.height / sheet.text_height, 4.0) / 2.0,
        float(place.cell == len(cells) - 1),
        float(place.cell == 0),
        min(len(cells), 8) / 8.0,
        min(place.row, 20) / 20.0,
        min(len(sheet.rows) - 1 - place.row, 20) / 20.0,
        place.score,
    ]


def first_row(sheet: Sheet, kind: str) -> int | None:
    return next(
        (
            row
            for row, labels in enumerate(sheet.labels)
            if any(label.kind == kind for cell in labels for label in cell)
        ),
        None,
    )
