"""The numbers and the arithmetic of UltraFace networks: their pictures, anchors, boxes and suppression."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.core.object_detection import pairwise_iou
from app.types import FloatArray, Image

# The anchors of UltraFace (https://github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB): sides in pixels on
# the grid of each stride, and the variances of its box encoding.
_ANCHOR_SIDES = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_PADDING_GREY = 127

# The side of the network's picture is rounded up to this, which keeps the number of different shapes small: runtimes
# prepare for each new one.
_SIZE_STEP = 16

_MAX_PROPOSALS = 400  # into suppression, whose cost grows with their square


def on_canvas(picture: Image) -> Image:
    """The picture at the top left of a grey one whose sides are multiples of ``_SIZE_STEP``, at least 64."""
    height, width = picture.shape[:2]
    below, right = max(-height % _SIZE_STEP, 64 - height), max(-width % _SIZE_STEP, 64 - width)
    if not below and not right:
        return picture
    canvas = np.full((height + below, width + right, 3), _PADDING_GREY, np.uint8)
    canvas[:height, :width] = picture
    return canvas


@lru_cache(maxsize=64)
def anchors_of(width: int, height: int) -> FloatArray:
    """(n, 3) float32 in the network's order: centre x, centre y and side in pixels."""
    grids = []
    for stride, sides in _ANCHOR_SIDES.items():
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[:rows, :columns].astype(np.float32)
        grid = np.empty((rows, columns, len(sides), 3), np.float32)
        grid[..., 0], grid[..., 1] = ((x + 0.5) * stride)[..., None], ((y + 0.5) * stride)[..., None]
        grid[..., 2] = sides
        grids.append(grid.reshape(-1, 3))
    anchors = np.concatenate(grids)
    anchors.setflags(write=False)
    return anchors


def decode(anchors: FloatArray, offsets: FloatArray) -> FloatArray:
    """(n, 4) corner boxes in pixels of the network's picture."""
    sides = anchors[:, 2:]
    centres = anchors[:, :2] + offsets[:, :2] * np.float32(_CENTRE_VARIANCE) * sides
    halves = sides * np.exp(offsets[:, 2:] * np.float32(_SIZE_VARIANCE)) / 2
    boxes: FloatArray = np.concatenate([centres - halves, centres + halves], axis=1)
    return boxes


def suppress(boxes: FloatArray, scores: FloatArray, *, max_iou: float = 0.4) -> NDArray[np.intp]:
    """Of (n, 4) boxes that overlap, the surest: their rows, surest first."""
    order = np.argsort(-scores, kind="stable")[:_MAX_PROPOSALS]
    rivals = pairwise_iou(boxes[order]) > max_iou
    alive = np.ones(len(order), bool)
    for row in range(len(order)):
        if alive[row]:
            alive[row + 1 :] &= ~rivals[row, row + 1 :]
    kept: NDArray[np.intp] = order[alive]
    return kept


def refine(
    proposal: FloatArray, boxes: FloatArray, scores: FloatArray, *, min_iou: float = 0.35
) -> tuple[FloatArray, float]:
    """The boxes that agree with the proposal, averaged by score, and the best of their scores; 0 where none does."""
    agreeing = np.where(_iou_with(proposal, boxes) >= min_iou, scores, np.float32(0.0))
    best = float(agreeing.max(initial=0.0))
    if best == 0.0:
        return proposal, 0.0
    weights = np.where(agreeing >= best / 2, agreeing, np.float32(0.0))
    averaged: FloatArray = np.average(boxes, axis=0, weights=weights).astype(np.float32)
    return averaged, best


def _iou_with(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """(n,) intersection over union of one box with others."""
    spans = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.clip(spans, 0.0, None).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - shared
    overlaps: FloatArray = (shared / np.maximum(areas, np.float32(1e-6))).astype(np.float32)
    return overlaps
