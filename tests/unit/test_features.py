"""The shared backbone: geometry of views, the pixels a network is fed, batches, and heads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.features import BackboneInput, FeatureExtractor, mirror, softmax, tile_boxes
from app.types import FloatArray, Image


class RecordingBackbone:
    """A session whose features are the mean colours of what it is fed, on a 2×2 map."""

    provider = "test:cpu:f32"

    def __init__(self) -> None:
        self.batches: list[FloatArray] = []

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        blob = np.asarray(feed["pixels"], dtype=np.float32)
        self.batches.append(blob)
        n, channels, side, _ = blob.shape
        feature_map = blob.reshape(n, channels, 2, side // 2, 2, side // 2).mean((3, 5))
        pooled = feature_map.mean((2, 3))
        return [feature_map, pooled, pooled[:, :2]]


def solid(colour: tuple[int, int, int], *, height: int = 40, width: int = 60) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def extractor(session: RecordingBackbone, *, max_batch: int = 16) -> FeatureExtractor:
    return FeatureExtractor(
        session, model_id="test", model_input=BackboneInput(name="pixels", side_px=32), max_batch=max_batch
    )


def test_network_is_fed_normalised_rgb() -> None:
    session = RecordingBackbone()
    [features] = extractor(session).extract([solid((255, 127, 0))])
    assert session.batches[0].shape == (1, 3, 32, 32)
    assert features.pooled == pytest.approx([-127 / 128, 0.0, 1.0])


def test_batches_are_split_and_keep_their_order() -> None:
    session = RecordingBackbone()
    greys = [solid((value, value, value)) for value in (0, 50, 100, 150, 200)]
    found = extractor(session, max_batch=2).extract(greys)
    assert [len(batch) for batch in session.batches] == [2, 2, 1]
    assert [float(item.pooled[0]) * 128 + 127 for item in found] == pytest.approx([0, 50, 100, 150, 200])


def test_no_images_give_no_features() -> None:
    session = RecordingBackbone()
    assert extractor(session).extract([]) == []
    assert session.batches == []


def test_side_can_be_chosen_per_call() -> None:
    session = RecordingBackbone()
    extractor(session).extract([solid((9, 9, 9))], side_px=64)
    assert session.batches[0].shape == (1, 3, 64, 64)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
def test_tiles_reach_every_edge_and_share_what_was_asked(overlap: float) -> None:
    tiles = tile_boxes(width=300, height=200, rows=2, columns=3, overlap=overlap)
    assert len(tiles) == 6
    assert (tiles[0].x1, tiles[0].y1) == (0, 0)
    assert (tiles[-1].x2, tiles[-1].y2) == pytest.approx((300, 200))
    assert tiles[0].x2 - tiles[1].x1 == pytest.approx(overlap * tiles[0].width)


def test_mirror_undoes_itself() -> None:
    image = np.random.default_rng(0).integers(0, 255, (8, 9, 3), np.uint8)
    assert not np.array_equal(mirror(image), image)
    assert np.array_equal(mirror(mirror(image)), image)


def test_softmax_survives_large_logits() -> None:
    assert softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]], np.float32)) == pytest.approx(
        np.array([[0.5, 0.5], [1.0, 0.0]])
    )
