"""The turn of the face index: a secret orthogonal matrix, so that what an external index holds is of use to this
installation alone.

Turned vectors have the same cosines to each other, exactly but for rounding, so searches find the same. Vectors of
another installation, or of a camera of somebody's own, meet nothing among them. This makes templates renewable, not
irreversible: whoever knows as many pairs of plain and turned vectors as there are dimensions can compute the matrix.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from app.services.vault import Vault
from app.types import FloatArray

UNTURNED = 0
"""Stands for the key version of an index whose vectors are plain, as they were before there were keys."""


def turn_of(vault: Vault, version: int, dimension: int) -> FloatArray:
    """The matrix of a key version, (d, d) float32; ``vectors @ matrix`` turns (n, d) vectors.

    Raises:
        SealedUnreadable: that version is not here.
    """
    return _turn(vault.secret(version, f"turn/{dimension}"), dimension)


def _turn(secret: bytes, dimension: int) -> FloatArray:
    """Uniform among all orthogonal matrices: QR of a Gaussian one, with the signs that make it unique.

    The Gaussian numbers are made from a cipher's stream by Box and Muller's formula, so that no release of a library
    changes what is stored: rounding apart, this is the same everywhere.
    """
    count = dimension * dimension
    stream = Cipher(AES(secret), CTR(bytes(16))).encryptor().update(bytes(16 * count))
    uniform = (np.frombuffer(stream, "<u8") >> 11).astype(np.float64).reshape(2, count) * 2.0**-53
    gaussian = np.sqrt(-2.0 * np.log1p(-uniform[0])) * np.cos(2.0 * np.pi * uniform[1])
    q, r = np.linalg.qr(gaussian.reshape(dimension, dimension))
    matrix: FloatArray = (q * np.sign(np.diag(r))).astype(np.float32)
    return matrix
