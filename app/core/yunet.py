"""YuNet of OpenCV Zoo: a small network that also finds faces under masks."""

from __future__ import annotations

import cv2
import numpy as np

from app.core.crops import resize_fast
from app.core.picture_network import PictureNetwork
from app.types import FloatArray, Image

_STRIDES = (8, 16, 32)


class YunetProposer:
    """Boxes of faces, in one pass over the whole picture.

    Args:
        network: pictures whose sides are multiples of 32 → for each stride the class scores (n, places, 1), then so the
            scores of there being a thing, the boxes (n, places, 4), and points, which are not used.
        side_px: longer side of the picture that is looked at; a multiple of 32. Smaller pictures are enlarged.
    """

    def __init__(self, network: PictureNetwork, *, side_px: int) -> None:
        self._network = network
        self._side_px = side_px

    def propose(self, image: Image) -> tuple[FloatArray, FloatArray]:
        """Corner boxes (n, 4) float32 px of the BGR image, and raw scores (n,), of every place."""
        height, width = image.shape[:2]
        scale = self._side_px / max(height, width)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = resize_fast(image, width=size[0], height=size[1])
        picture = cv2.copyMakeBorder(small, 0, -size[1] % 32, 0, -size[0] % 32, cv2.BORDER_CONSTANT)
        outputs = self._network.run([picture.astype(np.uint8, copy=False)])
        shape = picture.shape[0], picture.shape[1]
        kinds, things, boxes = outputs[0:3], outputs[3:6], outputs[6:9]
        corners = [_corners(of[0], stride, shape) for of, stride in zip(boxes, _STRIDES, strict=True)]
        scores = [np.sqrt(np.clip(a[0, :, 0] * b[0, :, 0], 0.0, 1.0)) for a, b in zip(kinds, things, strict=True)]
        found: FloatArray = np.concatenate(corners) / np.float32(scale)
        return found, np.concatenate(scores).astype(np.float32)


def _corners(box: FloatArray, stride: int, shape: tuple[int, int]) -> FloatArray:
    """(places, 4) px of the network's picture: centres beside each place and logarithmic sides, in strides."""
    rows, columns = np.mgrid[: shape[0] // stride, : shape[1] // stride].astype(np.float32).reshape(2, -1)
    centres = np.column_stack([columns, rows]) + box[:, :2]
    halves = np.exp(box[:, 2:]) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1) * np.float32(stride)
