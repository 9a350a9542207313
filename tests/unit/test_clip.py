"""CLIP against what transformers answered for the same pictures and texts (tests/fixtures/tiny_clip/make.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from app.core.clip import ClipEmbedder, ClipInput, GlossaryTranslator, clip_pixels
from app.core.concepts import Glossary, NamedColour, Thing
from app.core.image_embedding import QueryKind, SimilarityCalibration
from app.errors import ModelUnavailable
from app.ml_models.factories.clip import FileTokenizer
from app.types import FloatArray, Image

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "tiny_clip"
GOLDEN: dict[str, Any] = json.loads((FIXTURES / "golden.json").read_text(encoding="utf-8"))
QUERIES = ["black wallet", "red jacket", "keys", "something unknown"]

CROP = ClipInput(
    name="pixel_values",
    side_px=32,
    mean=(0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255),
    scale=(0.26862954 * 255, 0.26130258 * 255, 0.27577711 * 255),
    fit="crop",
    resampling="bicubic",
)
SQUEEZE = ClipInput(
    name="pixel_values", side_px=32, mean=(127.5,) * 3, scale=(127.5,) * 3, fit="squeeze", resampling="bilinear"
)
GLOSSARY = Glossary(
    things=(
        Thing("wallet", ("wallet", "ví", "ví da"), {"wallet": 1.0}),
        Thing("keys", ("keys", "chìa khóa"), {"padlock": 1.0}),
    ),
    colours=(NamedColour("black", ("black", "màu đen", "đen"), ("#000000",)),),
)


class OnnxFile:
    """A session over a file; the real ones need a pack around them."""

    provider = "onnxruntime:cpu:f32"

    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        return list(self._session.run(None, dict(feed)))


@pytest.fixture(scope="module")
def tokenizer() -> FileTokenizer:
    pytest.importorskip("tokenizers", reason="only packs with CLIP need the tokenizers package")
    return FileTokenizer(FIXTURES / "tokenizer.json", context=12, pad_token="<end>")


@pytest.fixture(scope="module")
def embedder(tokenizer: FileTokenizer) -> ClipEmbedder:
    calibration = SimilarityCalibration(slope=10.0, intercept=0.0)
    return ClipEmbedder(
        model_id="tiny-clip",
        dimension=16,
        vision=OnnxFile(FIXTURES / "vision.onnx"),
        vision_input=CROP,
        text=OnnxFile(FIXTURES / "text.onnx"),
        text_input="input_ids",
        tokenizer=tokenizer,
        prompt="a photo of {}",
        translator=None,
        calibrations=dict.fromkeys(QueryKind, calibration),
    )


def card(width: int, height: int) -> Image:
    """The test card of make.py, as BGR."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    rgb = np.stack([columns * 255 / width, rows * 255 / height, 127 + 127 * np.sin(columns * rows / 500)], axis=-1)
    return np.ascontiguousarray(rgb.astype(np.uint8)[:, :, ::-1])


CARDS = [card(90, 60), card(47, 200)]


@pytest.mark.parametrize(("want", "golden"), [(CROP, "crop"), (SQUEEZE, "squeeze")], ids=["clip", "siglip"])
def test_pixels_are_those_of_the_published_processor(want: ClipInput, golden: str) -> None:
    for position, image in enumerate(CARDS):
        np.testing.assert_allclose(clip_pixels(image, want)[:, ::8, ::8], GOLDEN[golden][position], atol=2e-5)


def test_image_vectors_are_those_of_transformers(embedder: ClipEmbedder) -> None:
    for found, golden in zip(embedder.embed_images(CARDS), GOLDEN["image_vectors"], strict=True):
        expected = np.array(golden) / np.linalg.norm(golden)
        assert found.vector @ expected > 0.99999
        assert np.linalg.norm(found.vector) == pytest.approx(1.0, abs=1e-6)


def test_text_vectors_are_those_of_transformers(embedder: ClipEmbedder) -> None:
    for found, golden in zip(embedder.embed_texts(QUERIES), GOLDEN["text_vectors"], strict=True):
        assert found.vector @ (np.array(golden) / np.linalg.norm(golden)) > 0.99999


def test_different_pictures_get_different_vectors(embedder: ClipEmbedder) -> None:
    one, other = embedder.embed_images(CARDS)
    assert one.vector @ other.vector < 0.99


def test_batch_gives_what_single_pictures_give(embedder: ClipEmbedder) -> None:
    together = embedder.embed_images(CARDS)
    for alone, image in zip(together, CARDS, strict=True):
        np.testing.assert_allclose(alone.vector, embedder.embed_images([image])[0].vector, atol=1e-5)


def test_nothing_in_gives_nothing_out(embedder: ClipEmbedder) -> None:
    assert embedder.embed_images([]) == []
    assert embedder.embed_texts([]) == []


def test_tokens_are_padded_and_cut_to_the_context(tokenizer: FileTokenizer) -> None:
    ids = tokenizer.encode([*(f"a photo of {query}" for query in QUERIES), "a " * 50])
    assert ids.dtype == np.int64
    assert ids[:4].tolist() == GOLDEN["ids"]
    assert ids.shape == (5, 12)
    assert ids[4, -1] == 12  # the end token is there also after a cut


def test_tokenizer_without_the_pad_token_is_refused() -> None:
    pytest.importorskip("tokenizers")
    with pytest.raises(ModelUnavailable, match="has no token"):
        FileTokenizer(FIXTURES / "tokenizer.json", context=12, pad_token="<pad>")


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("ví da màu đen", "black wallet"),
        ("chìa khóa", "keys"),
        ("chia khoa mau den", "black keys"),
        ("black wallet", "black wallet"),
        ("leather wallet with a dragon on it", "leather wallet with a dragon on it"),
        ("con rồng", "con rồng"),
    ],
)
def test_translator_reads_vietnamese_and_leaves_the_rest(text: str, english: str) -> None:
    assert GlossaryTranslator(GLOSSARY).to_english(text) == english
