"""CLIP-like pairs of networks: pictures and sentences in one space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt
from pydantic.types import Strict

from app.errors import ModelUnavailable
from app.ml_models.data_files import FileTable, Share
from app.ml_models.factories.image_models import ImageEmbeddingModel, ImageEmbeddingParams
from app.ml_models.roles import ModelRole
from app.ml_models.specs import InputSpec, ModelSpec, PackFile

if TYPE_CHECKING:
    from app.core.clip import ClipEmbedder
    from app.ml_models.model_loader import ModelLoader


class FileTokenizer:
    """A ``tokenizer.json``, padded and cut to a network's context.

    Args:
        context: tokens that the network takes.
        pad_token: what fills the rest; of the tokenizer's vocabulary.

    Raises:
        ModelUnavailable: the tokenizer has no such token.
    """

    def __init__(self, path: Path, *, context: int, pad_token: str) -> None:
        from tokenizers import Tokenizer  # only packs with CLIP need it

        tokenizer = Tokenizer.from_file(str(path))
        pad_id = tokenizer.token_to_id(pad_token)
        if pad_id is None:
            raise ModelUnavailable(f"{path.name} has no token {pad_token}; install the pack again.")
        tokenizer.enable_truncation(max_length=context)
        tokenizer.enable_padding(length=context, pad_id=pad_id, pad_token=pad_token)
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """(n, context) token ids."""
        return np.array([encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))], np.int64)


class _TextParams(FileTable):
    input_name: str
    context: PositiveInt
    pad_token: str
    prompt: str
    english_only: bool = True


class ClipTextModel(ModelSpec):
    """The text network and, as its second file, the tokenizer."""

    kind: Literal["clip"]
    files: Annotated[tuple[PackFile, ...], Strict(strict=False), Field(min_length=2)]
    params: _TextParams

    def open_tokenizer(self, loader: ModelLoader) -> FileTokenizer:
        """The tokenizer of the verified files."""
        path = loader.path(self.role).parent / self.files[1].path.name
        return FileTokenizer(path, context=self.params.context, pad_token=self.params.pad_token)


class _VisionParams(ImageEmbeddingParams):
    """``flood_threshold`` is the share of sentences about water from which a flood is believed; None: never."""

    fit: Literal["crop", "squeeze"]
    resampling: Literal["bicubic", "bilinear"]
    flood_threshold: Share | None = None


class ClipVisionModel(ImageEmbeddingModel):
    """The vision network; the role ``image_text_embedding`` has the text network beside it."""

    kind: Literal["clip"]
    input: InputSpec
    params: _VisionParams

    def build(self, loader: ModelLoader) -> ClipEmbedder:
        from app.core.clip import ClipEmbedder, ClipInput, GlossaryTranslator
        from app.ml_models.concept_data import read_classes, read_glossary

        text = loader.model(ModelRole.IMAGE_TEXT_EMBEDDING, ClipTextModel)
        return ClipEmbedder(
            model_id=self.model_id,
            dimension=self.params.dimension,
            vision=loader.session(self.role),
            vision_input=ClipInput(
                name=self.input.name,
                side_px=self.input.width,
                mean=self.input.mean,
                scale=self.input.scale,
                fit=self.params.fit,
                resampling=self.params.resampling,
            ),
            text=loader.session(text.role),
            text_input=text.params.input_name,
            tokenizer=text.open_tokenizer(loader),
            prompt=text.params.prompt,
            translator=GlossaryTranslator(read_glossary(read_classes())) if text.params.english_only else None,
            calibrations=self.calibration.by_query(),
        )


KINDS = (ClipVisionModel,)
TEXT_KINDS = (ClipTextModel,)


def find_clip(loader: ModelLoader) -> ClipVisionModel | None:
    """The pack's image embedder where it reads sentences."""
    spec = loader.spec(ModelRole.IMAGE_EMBEDDING) if loader.has(ModelRole.IMAGE_TEXT_EMBEDDING) else None
    return spec if isinstance(spec, ClipVisionModel) else None
