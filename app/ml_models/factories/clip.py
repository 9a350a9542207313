"""From a model pack to a CLIP-like pair of networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from app.core.clip import ClipEmbedder, ClipInput, GlossaryTranslator
from app.core.image_embedding import QueryKind, SimilarityCalibration
from app.errors import ConfigurationError, ModelUnavailable
from app.ml_models.concept_data import read_classes, read_glossary
from app.ml_models.manifest import ModelSpec
from app.ml_models.model_loader import ModelLoader

TEXT_ROLE = "image_text_embedding"


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


def build_clip_embedder(
    loader: ModelLoader, spec: ModelSpec, *, calibrations: Mapping[QueryKind, SimilarityCalibration]
) -> ClipEmbedder:
    """The embedder of the roles ``image_embedding`` (the vision network) and ``image_text_embedding`` (the text
    network and its tokenizer)."""
    text_spec = loader.spec(TEXT_ROLE)
    tokenizer_file = loader.path(TEXT_ROLE).parent / text_spec.files[1].path.name
    text = text_spec.params
    english_only = text.flag("english_only", default=True)
    return ClipEmbedder(
        model_id=spec.model_id,
        dimension=spec.params.integer("dimension"),
        vision=loader.session(spec.role),
        vision_input=_vision_input(spec),
        text=loader.session(TEXT_ROLE),
        text_input=text.text("input_name"),
        tokenizer=FileTokenizer(tokenizer_file, context=text.integer("context"), pad_token=text.text("pad_token")),
        prompt=text.text("prompt"),
        translator=GlossaryTranslator(read_glossary(read_classes())) if english_only else None,
        calibrations=calibrations,
    )


def _vision_input(spec: ModelSpec) -> ClipInput:
    fit, resampling = spec.params.text("fit"), spec.params.text("resampling")
    if fit not in ("crop", "squeeze") or resampling not in ("bicubic", "bilinear"):
        raise ConfigurationError(f"{spec.params.place}: fit is crop or squeeze, resampling is bicubic or bilinear.")
    return ClipInput(
        name=spec.input.name,
        side_px=spec.input.width,
        mean=spec.input.mean,
        scale=spec.input.scale,
        fit=cast(Literal["crop", "squeeze"], fit),
        resampling=cast(Literal["bicubic", "bilinear"], resampling),
    )
