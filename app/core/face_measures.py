"""What the pixels of a face say about the picture: sharpness and light."""

from __future__ import annotations

import cv2
import numpy as np

from app.core.crops import Square, cut_square
from app.types import Box, FloatArray, Image

_SIDE_PX = 64


def face_tones(image: Image, box: Box) -> FloatArray:
    """(64, 64) float32 grey values, 0 to 255, of the square with the box's area around its centre.

    One size for every face, so that what is measured on it does not depend on the camera's resolution.
    """
    square = Square.around((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2, box.area**0.5)
    crop = cut_square(image, square, side_px=_SIDE_PX)
    return cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.float32)


def sharpness(tones: FloatArray) -> float:
    """Fine detail in proportion to coarse: the variance of the Laplacian over the mean squared gradient.

    The ratio leaves contrast and light out. Around 0.9 for a clear web photo; 0.3 after a Gaussian blur of one per cent
    of the face's height, and for a face of 28 px that was enlarged; 0.1 after three per cent.

    Args:
        tones: of ``face_tones``.
    """
    laplacian = cv2.Laplacian(tones, cv2.CV_32F)
    across, down = cv2.Sobel(tones, cv2.CV_32F, 1, 0), cv2.Sobel(tones, cv2.CV_32F, 0, 1)
    # A Sobel kernel gives four times the difference of neighbours two pixels apart.
    slope = float((across * across + down * down).mean()) / 16
    return float(laplacian.var()) / (slope + 1e-3)
