"""Flooding by words: for packs whose image network also reads sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from app.types import Embedding, FloatArray, Image

_FLOODED = (
    "water flooding the floor of a room",
    "a flooded corridor with standing water",
    "a street under flood water",
    "water leaking from the ceiling onto the floor",
)
_DRY = (
    "a dry clean room",
    "a hotel corridor with a shiny floor",
    "a swimming pool",
    "a bathroom with a bathtub",
    "a street in dry weather",
    "people in a lobby",
)
# CLIP's own logit scale, at which its softmax was trained.
_LOGIT_SCALE = 100.0


class PictureAndTextEmbedder(Protocol):
    """What embeds pictures and texts into one space, unit vectors both."""

    def embed_images(self, images: Sequence[Image]) -> list[Embedding]: ...

    def embed_texts(self, texts: Sequence[str]) -> list[Embedding]: ...


class FloodByWords:
    """How much rather a picture is described by sentences about water than by others.

    Args:
        threshold: probability from which it is told; not calibrated, see the pack's manifest.
    """

    def __init__(self, embedder: PictureAndTextEmbedder, *, threshold: float) -> None:
        self.threshold = threshold
        self._embedder = embedder
        self._texts: FloatArray | None = None

    def warm_up(self) -> None:
        """Embed the sentences, once."""
        self._sentences()

    def probability(self, image: Image) -> float:
        """0 to 1, for a BGR picture."""
        [picture] = self._embedder.embed_images([image])
        logits = _LOGIT_SCALE * (self._sentences() @ picture.vector)
        shares = np.exp(logits - logits.max())
        return float(shares[: len(_FLOODED)].sum() / shares.sum())

    def _sentences(self) -> FloatArray:
        if self._texts is None:
            embeddings = self._embedder.embed_texts([*_FLOODED, *_DRY])
            self._texts = np.stack([embedding.vector for embedding in embeddings])
        return self._texts
