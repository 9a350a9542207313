"""Change the input side of an exported YOLOv8 network.

An export fixes its side: the anchors' positions and strides, and the shapes of the head, are constants in it. They
are computed again here. A smaller side costs small things far away, and time falls with its square.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_STRIDES = (8, 16, 32)


def set_side(model: onnx.ModelProto, side_px: int) -> onnx.ModelProto:
    """The same network for pictures of ``side_px``, a multiple of 32.

    Raises:
        ValueError: the network is no YOLOv8 export with one square input.
    """
    if side_px % max(_STRIDES):
        raise ValueError(f"The side must be a multiple of {max(_STRIDES)}, and is {side_px}.")
    old_side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    old, new = _anchors(old_side), _anchors(side_px)
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    replaced = 0
    for tensor in changed.graph.initializer:
        values = _replacement(numpy_helper.to_array(tensor), old, new)
        if values is not None:
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
            replaced += 1
    if replaced < 4:  # positions, strides, and at least two shapes of the head
        raise ValueError("This is no YOLOv8 export: its anchors were not found.")
    for value in (*changed.graph.input, *changed.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_value == old_side:
                dimension.dim_value = side_px
            elif dimension.dim_value == old[1].size:
                dimension.dim_value = new[1].size
    del changed.graph.value_info[:]
    onnx.checker.check_model(changed, full_check=True)
    return changed


def _anchors(side_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cell centres (1, 2, n) in cells, and strides (1, n), level by level."""
    centres, strides = [], []
    for stride in _STRIDES:
        cells = np.arange(side_px // stride, dtype=np.float32) + 0.5
        x, y = np.meshgrid(cells, cells)
        centres.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(centres, axis=1)[None], np.concatenate(strides)[None]


def _replacement(
    values: NDArray[np.generic],
    old: tuple[NDArray[np.float32], NDArray[np.float32]],
    new: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> NDArray[np.generic] | None:
    """What stands for a constant at the new side; None if it does not depend on the side."""
    for before, after in zip(old, new, strict=True):
        if values.shape == before.shape and np.allclose(values.astype(np.float32), before):
            return after.astype(values.dtype)
    count = old[1].size
    if values.dtype == np.int64 and values.ndim == 1 and count in values:
        return np.where(values == count, new[1].size, values)
    return None
