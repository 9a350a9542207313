"""Flooding judged by sentences, and boxes of fire and smoke from a network: what the full pack adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from app.config import WEIGHTS_DIR
from app.core.anomalies import Anomaly, AnomalyType, Reliability, WaterKind
from app.core.anomaly_detector import HazardHeads, HeadAnomalyDetector
from app.core.features import FeatureExtractor
from app.core.flood import FloodByWords
from app.core.heads import LinearHead, Pooling, TwoSlopeCalibration
from app.core.looks import FRAME
from app.core.yolo import YoloDetector
from app.ml_models.factories.anomaly import build_person_detector
from app.ml_models.factories.features import build_feature_extractor
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.types import Embedding, FloatArray, Image
from tests.photos import coffee

pytestmark = pytest.mark.slow

GREY = np.full((120, 160, 3), 128, np.uint8)
BLUE = np.full((120, 160, 3), (200, 80, 40), np.uint8)


class WaterIsBlue:
    """Sentences with water lie along one axis, others along another; blue pictures lie near the first."""

    def embed_images(self, images: Sequence[Image]) -> list[Embedding]:
        return [self._embedding(wet=float(image[..., 0].mean() > image[..., 2].mean())) for image in images]

    def embed_texts(self, texts: Sequence[str]) -> list[Embedding]:
        return [self._embedding(wet=float("water" in text)) for text in texts]

    def _embedding(self, *, wet: float) -> Embedding:
        vector = np.array([wet, 1 - wet], np.float32)
        return Embedding(vector / np.linalg.norm(vector), "toy")


def test_pictures_that_sentences_about_water_describe_are_floods() -> None:
    words = FloodByWords(WaterIsBlue(), threshold=0.9)
    assert words.probability(BLUE) > 0.99
    assert words.probability(GREY) < 0.01


class OneBox:
    """A YOLOv8 network that sees one thing of one class in the middle of its square."""

    provider = "test"

    def __init__(self, class_number: int) -> None:
        self._class = class_number

    def run(self, feed: Mapping[str, NDArray[np.generic]]) -> list[FloatArray]:
        side = feed["images"].shape[-1]
        output = np.zeros((1, 6, 3), np.float32)
        output[0, :4, 0] = (side / 2, side / 2, side / 4, side / 4)
        output[0, 4 + self._class, 0] = 0.9
        return [output]


def always(answer: float) -> LinearHead:
    """A head that gives every picture this probability."""
    level = TwoSlopeCalibration(midpoint=-float(np.log(answer / (1 - answer))), slope_below=1.0, slope_above=1.0)
    weights = np.zeros(1280, np.float32)
    return LinearHead(name="test", weights=weights, bias=0.0, pooling=Pooling.PEAK, calibrations={FRAME: level})


@pytest.fixture(scope="module")
def loader() -> ModelLoader:
    return ModelLoader(load_pack("compact"), WEIGHTS_DIR)


@pytest.fixture(scope="module")
def extractor(loader: ModelLoader) -> FeatureExtractor:
    return build_feature_extractor(loader)


def detector(
    loader: ModelLoader, extractor: FeatureExtractor, *, burning: float, sees: int | None = None
) -> HeadAnomalyDetector:
    boxes = None if sees is None else YoloDetector(OneBox(sees), labels=["smoke", "fire"], min_score=0.35)
    return HeadAnomalyDetector(
        extractor,
        heads=HazardHeads(
            fire_or_smoke=always(burning),
            flames=always(0.9),
            flood=always(0.01),
            outdoors=always(0.9),
            reliability={"flood": ["outdoor"]},
        ),
        persons=build_person_detector(loader),
        boxes=boxes,
        flood_words=FloodByWords(WaterIsBlue(), threshold=0.9),
    )


def hazards(found: HeadAnomalyDetector, image: Image) -> list[Anomaly]:
    return found.detect(image, frozenset({AnomalyType.FIRE, AnomalyType.SMOKE, AnomalyType.FLOOD}))


@pytest.mark.parametrize(("sees", "kind"), [(0, AnomalyType.SMOKE), (1, AnomalyType.FIRE)])
def test_a_network_of_boxes_says_which_and_where(
    loader: ModelLoader, extractor: FeatureExtractor, sees: int, kind: AnomalyType
) -> None:
    [found] = hazards(detector(loader, extractor, burning=0.95, sees=sees), GREY)
    assert found.type is kind
    assert found.confidence == pytest.approx(0.95)
    assert found.box is not None
    assert (found.box.x1, found.box.y1, found.box.x2, found.box.y2) == pytest.approx((60, 40, 100, 80), abs=1)


def test_a_network_of_boxes_never_raises_an_alarm_by_itself(loader: ModelLoader, extractor: FeatureExtractor) -> None:
    assert hazards(detector(loader, extractor, burning=0.05, sees=1), coffee()) == []


def test_words_judge_flooding_in_place_of_the_head(loader: ModelLoader, extractor: FeatureExtractor) -> None:
    [found] = hazards(detector(loader, extractor, burning=0.05), BLUE)
    assert (found.type, found.reaches_alert) == (AnomalyType.FLOOD, True)
    assert (found.water, found.reliability) == (WaterKind.OUTDOOR, Reliability.OUTDOOR)
