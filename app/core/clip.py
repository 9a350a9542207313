"""CLIP and SigLIP: one network sees pictures, the other reads texts, and both answer in one space.

Preprocessing follows the networks' published processors to the pixel, Pillow's antialiased resizing included: a
picture prepared in another way lands measurably elsewhere. ``tests/unit/test_clip.py`` holds it against them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from PIL import Image as PillowImage

from app.core.concepts import Glossary, unit_rows
from app.core.image_embedding import QueryKind, SimilarityCalibration
from app.core.phrases import PhraseFinder
from app.types import Embedding, FloatArray, Image, Session

_RESAMPLING = {"bicubic": PillowImage.Resampling.BICUBIC, "bilinear": PillowImage.Resampling.BILINEAR}


class Tokenizer(Protocol):
    """Turns texts into (n, context) int64 token ids, padded and cut to the network's context."""

    def encode(self, texts: Sequence[str]) -> np.typing.NDArray[np.int64]: ...


@dataclass(frozen=True, slots=True)
class ClipInput:
    """How a vision network wants its pixels: n×3×side×side RGB, ``(value - mean) / scale`` of 0–255 values.

    ``fit`` is ``crop`` (shortest edge to the side, then the centre: CLIP) or ``squeeze`` (both edges: SigLIP).
    """

    name: str
    side_px: int
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fit: Literal["crop", "squeeze"]
    resampling: Literal["bicubic", "bilinear"]


class ClipEmbedder:
    """Image and text vectors of a CLIP-like pair of networks.

    Args:
        model_id: of the space.
        vision: outputs (n, d) image embeddings.
        text: outputs (n, d) text embeddings.
        text_input: the name of the text network's token input.
        prompt: what a query is put into, such as ``a photo of {}``; the networks were trained on captions.
        translator: for networks that read English only; None for multilingual ones.
    """

    def __init__(
        self,
        *,
        model_id: str,
        dimension: int,
        vision: Session,
        vision_input: ClipInput,
        text: Session,
        text_input: str,
        tokenizer: Tokenizer,
        prompt: str,
        translator: GlossaryTranslator | None,
        calibrations: Mapping[QueryKind, SimilarityCalibration],
    ) -> None:
        self.model_id = model_id
        self.dimension = dimension
        self.calibrations = calibrations
        self._vision = vision
        self._vision_input = vision_input
        self._text = text
        self._text_input = text_input
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._translator = translator

    def embed_images(self, images: Sequence[Image]) -> list[Embedding]:
        """Vectors of BGR pictures of any size."""
        if not images:
            return []
        pixels = np.stack([clip_pixels(image, self._vision_input) for image in images])
        return self._embeddings(self._vision.run({self._vision_input.name: pixels})[0])

    def embed_texts(self, texts: Sequence[str]) -> list[Embedding]:
        """Vectors of queries in words."""
        if not texts:
            return []
        read = [self._translator.to_english(text) for text in texts] if self._translator else texts
        return self.embed_captions([self._prompt.format(text) for text in read])

    def embed_captions(self, captions: Sequence[str]) -> list[Embedding]:
        """Vectors of captions in the network's language, taken as they are; at least one."""
        tokens = self._tokenizer.encode(captions)
        return self._embeddings(self._text.run({self._text_input: tokens})[0])

    def _embeddings(self, vectors: FloatArray) -> list[Embedding]:
        return [Embedding(vector, self.model_id) for vector in unit_rows(vectors)]

    def warm_up(self) -> None:
        """One blank picture and one word."""
        self.embed_images([np.zeros((8, 8, 3), np.uint8)])
        self.embed_texts(["room"])


def clip_pixels(image: Image, want: ClipInput) -> FloatArray:
    """(3, side, side) float32 RGB, as the network's published processor makes it."""
    picture = PillowImage.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    side = want.side_px
    width, height = picture.size
    if want.fit == "squeeze":
        size = (side, side)
    elif width <= height:
        size = (side, int(side * height / width))
    else:
        size = (int(side * width / height), side)
    resized = picture.resize(size, _RESAMPLING[want.resampling])
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    square = np.asarray(resized.crop((left, top, left + side, top + side)), np.float32)
    normal = (square - np.array(want.mean, np.float32)) / np.array(want.scale, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1), np.float32)


class GlossaryTranslator:
    """Puts Vietnamese queries into English by the glossary's things and colours; words that it lacks are dropped.

    A text that it knows nothing of stays as it is: the network may still know a name or a brand in it.
    """

    def __init__(self, glossary: Glossary) -> None:
        self._things = PhraseFinder({thing.name: thing.words for thing in glossary.things})
        self._colours = PhraseFinder({colour.name: colour.words for colour in glossary.colours})

    def to_english(self, text: str) -> str:
        """``ví da màu đen`` → ``black wallet``; English passes through."""
        colours = self._colours.find(text)
        things = self._things.find(text)
        if not things or self._is_english(text):
            return text
        names = [mention.names[0] for mention in (*colours, *things)]
        return " ".join(dict.fromkeys(names))

    def _is_english(self, text: str) -> bool:
        """Whether the text has no Vietnamese letter and holds a term as it is."""
        if not text.isascii():
            return False
        return any(mention.is_exact for mention in self._things.find(text))
