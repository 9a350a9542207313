"""A network that takes pictures, together with how it wants their pixels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from app.types import FloatArray, Image, Session


class PictureNetwork:
    """Feeds uint8 pictures to a session as n × channels × height × width float32 of ``(pixel - mean) / scale``.

    Args:
        session: one input.
        input_name: of that input.
        mean: subtracted from every pixel value.
        scale: what the difference is divided by.
        rgb: whether the network wants red first; our pictures are BGR. Without meaning for grey ones.
    """

    def __init__(self, session: Session, *, input_name: str, mean: float, scale: float, rgb: bool) -> None:
        self._session = session
        self._input_name = input_name
        # A table look-up converts, subtracts and divides in one pass over the bytes.
        self._table = ((np.arange(256, dtype=np.float32) - np.float32(mean)) / np.float32(scale)).astype(np.float32)
        self._channels = (2, 1, 0) if rgb else (0, 1, 2)

    @property
    def provider(self) -> str:
        """Runtime, device and precision, for /health."""
        return self._session.provider

    def run(self, pictures: Sequence[Image]) -> list[FloatArray]:
        """One forward pass over pictures of one size: (h, w, 3) BGR, or (h, w) where the network takes grey."""
        return self._session.run({self._input_name: self._blob(pictures)})

    def _blob(self, pictures: Sequence[Image]) -> FloatArray:
        height, width = pictures[0].shape[:2]
        if pictures[0].ndim == 2:
            return np.stack([self._table[picture] for picture in pictures])[:, None]
        blob = np.empty((len(pictures), 3, height, width), np.float32)
        for planes, picture in zip(blob, pictures, strict=True):
            channels = cv2.split(picture)
            for plane, channel in zip(planes, self._channels, strict=True):
                plane[:] = cv2.LUT(channels[channel], self._table)
        return blob
