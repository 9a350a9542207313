"""Fire, smoke, flooding and people in one camera frame.

Hazards come from linear heads on the shared backbone, people from a YOLOv8 network and the face detector. What
happens over time is the camera worker's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import cv2
import numpy as np

from app.core.activation import hot_region
from app.core.anomalies import Anomaly, AnomalyType, Reliability, WaterKind
from app.core.face_detection import FaceDetector
from app.core.features import FeatureExtractor, resize
from app.core.flood import FloodByWords
from app.core.heads import LinearHead
from app.core.looks import FRAME, PLANS
from app.core.views import Views, take_views
from app.core.yolo import YoloDetector
from app.types import Box, FloatArray, Image

_HEAT_CELLS = 28  # per side of the map in which activation and colour meet
_FLAME_SHARE_OF_PEAK = 0.35
_MIN_FLAME_SHARE = 0.004  # of the frame: less is a lamp or a tail light in the smoke
_MAX_BOX_SHARE = 0.7  # a box around more of the frame says nothing

_BURNING = frozenset({AnomalyType.FIRE, AnomalyType.SMOKE})
_HAZARDS = _BURNING | {AnomalyType.FLOOD}


@dataclass(frozen=True, slots=True)
class HazardHeads:
    """One head a question.

    Attributes:
        flames: asked only of what burns: flames, or smoke alone.
        outdoors: by the whole view.
        reliability: by type, the places in which its figures were measured.
    """

    fire_or_smoke: LinearHead
    flames: LinearHead
    flood: LinearHead
    outdoors: LinearHead
    reliability: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Flames:
    """``box`` is in pixels of the frame; None where the flames fill nearly all of it."""

    box: Box | None


class HeadAnomalyDetector:
    """Fulfils ``app.core.anomalies.AnomalyDetector``.

    Hazards and people come from different networks: a caller with two threads may ask for them in two calls at once.

    Args:
        boxes: finds ``fire`` and ``smoke``; says where and which, never whether. None: by colour and activation.
        flood_words: judges flooding in place of its head; None where no network reads sentences.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        heads: HazardHeads,
        persons: YoloDetector,
        faces: FaceDetector,
        boxes: YoloDetector | None = None,
        flood_words: FloodByWords | None = None,
    ) -> None:
        self._extractor = extractor
        self._heads = heads
        self._persons = persons
        self._faces = faces
        self._boxes = boxes
        self._flood_words = flood_words

    def warm_up(self) -> None:
        """One blank frame through every network."""
        if self._boxes is not None:
            self._boxes.warm_up()
        if self._flood_words is not None:
            self._flood_words.warm_up()
        self.detect(np.zeros((96, 128, 3), np.uint8), frozenset(AnomalyType))

    def detect(self, image: Image, types: Set[AnomalyType]) -> list[Anomaly]:
        """What of ``types`` is in the BGR picture, surest first; networks that no type needs are not run.

        Smoke counts when fire is asked for, and is told as what it is. Nothing under a type's threshold is told.
        """
        found = self._find_hazards(image, types) if types & _HAZARDS else []
        if AnomalyType.INTRUSION in types:
            found += self._find_people(image)
        return sorted(found, key=lambda anomaly: -anomaly.confidence)

    def _find_people(self, image: Image) -> list[Anomaly]:
        """Whole people, and those of whom only the face is near enough to be seen."""
        [persons] = self._persons.detect([image])
        [faces] = self._faces.detect([image])
        height, width = image.shape[:2]
        found = [
            Anomaly(AnomalyType.INTRUSION, person.score, person.box, True, reliability=Reliability.INDOOR)
            for person in persons
        ]
        for face in faces:
            if not any(_holds(person.box, face.box) for person in persons):
                body = upper_body(face.box).clip(width, height)
                found.append(Anomaly(AnomalyType.INTRUSION, face.score, body, True, reliability=Reliability.INDOOR))
        return found

    def _find_hazards(self, image: Image, types: Set[AnomalyType]) -> list[Anomaly]:
        views = take_views(self._extractor, image, plan=PLANS[FRAME])
        found = [
            self._burning(image, views, types) if types & _BURNING else None,
            self._flooded(image, views) if AnomalyType.FLOOD in types else None,
        ]
        return [anomaly for anomaly in found if anomaly is not None]

    def _burning(self, image: Image, views: Views, types: Set[AnomalyType]) -> Anomaly | None:
        head = self._heads.fire_or_smoke
        confidence = head.probability(views, look=FRAME)
        if confidence < head.threshold:
            return None
        activation = head.activation(views.wholes[0])
        fire, smoke = self._places(image)
        flames = Flames(fire) if fire else find_flames(image, activation)
        kind = AnomalyType.FIRE if fire or (not smoke and self._shows_flames(views)) else AnomalyType.SMOKE
        if kind is AnomalyType.FIRE and kind not in types:
            return None
        box = (flames.box if flames else None) if kind is AnomalyType.FIRE else smoke
        alerts = head.reaches_alert(confidence)
        return Anomaly(kind, confidence, box, alerts, reliability=self._reliability(kind, self._is_outdoors(views)))

    def _shows_flames(self, views: Views) -> bool:
        return self._heads.flames.probability(views, look=FRAME) >= self._heads.flames.threshold

    def _is_outdoors(self, views: Views) -> bool:
        whole = Views(views.wholes, (), ())
        return self._heads.outdoors.probability(whole, look=FRAME) >= self._heads.outdoors.threshold

    def _reliability(self, kind: AnomalyType, is_outdoors: bool) -> Reliability:
        place = Reliability.OUTDOOR if is_outdoors else Reliability.INDOOR
        return place if place.value in self._heads.reliability.get(kind.value, ()) else Reliability.UNTESTED

    def _places(self, image: Image) -> tuple[Box | None, Box | None]:
        """The surest box of fire and of smoke, where there is a network for them."""
        found = self._boxes.detect([image])[0] if self._boxes is not None else []
        fire, smoke = (next((one.box for one in found if one.label == label), None) for label in ("fire", "smoke"))
        return fire, smoke

    def _flooded(self, image: Image, views: Views) -> Anomaly | None:
        if self._flood_words is not None:
            confidence, threshold = self._flood_words.probability(image), self._flood_words.threshold
            alerts = confidence >= threshold
        else:
            head = self._heads.flood
            confidence, threshold = head.probability(views, look=FRAME), head.threshold
            alerts = head.reaches_alert(confidence)
        if confidence < threshold:
            return None
        outdoors = self._is_outdoors(views)
        water = WaterKind.OUTDOOR if outdoors else WaterKind.STANDING
        reliability = self._reliability(AnomalyType.FLOOD, outdoors)
        return Anomaly(AnomalyType.FLOOD, confidence, None, alerts, water=water, reliability=reliability)


def upper_body(face: Box) -> Box:
    """About where the head and shoulders of a face are."""
    return Box(face.x1 - face.width, face.y1 - 0.5 * face.height, face.x2 + face.width, face.y2 + 2 * face.height)


def _holds(person: Box, face: Box) -> bool:
    """Whether the face's centre lies in the person."""
    x, y = (face.x1 + face.x2) / 2, (face.y1 + face.y2) / 2
    return person.x1 <= x <= person.x2 and person.y1 <= y <= person.y2


def find_flames(frame: Image, activation: FloatArray) -> Flames | None:
    """Where the flames are: only where the head's evidence and the colour of flames meet.

    Args:
        frame: BGR.
        activation: (h, w) of the whole frame.

    Returns:
        None where no flame colour supports the evidence: then it is smoke that the head saw.
    """
    height, width = frame.shape[:2]
    heat = cv2.resize(np.clip(activation, 0.0, None), (_HEAT_CELLS, _HEAT_CELLS), interpolation=cv2.INTER_LINEAR)
    colour = flame_colour_share(frame, cells=_HEAT_CELLS)
    supported = (heat * colour).astype(np.float32)
    if float((colour * (heat > 0)).mean()) < _MIN_FLAME_SHARE:
        return None
    box = hot_region(supported, width=width, height=height, min_share_of_peak=_FLAME_SHARE_OF_PEAK)
    return Flames(None if box is None or box.area > _MAX_BOX_SHARE * width * height else box)


def flame_colour_share(frame: Image, *, cells: int) -> FloatArray:
    """(cells, cells) float32: how much of each cell has the colour of flames, 0 to 1.

    Flames are bright, red before green before blue, and the more saturated the less bright they are; their core may
    be white, and counts where it touches such colours.
    """
    side = cells * 8
    blue, green, red = (channel.astype(np.float32) for channel in cv2.split(resize(frame, width=side, height=side)))
    brightest = np.maximum(np.maximum(red, green), blue)
    saturation = (brightest - np.minimum(np.minimum(red, green), blue)) / np.maximum(brightest, 1.0)
    coloured = (red > 150) & (red >= green) & (green > blue) & (saturation >= (255 - red) * 0.4 / 150 + 0.15)
    around = cv2.dilate(coloured.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    flames = coloured | ((brightest > 240) & around)
    share: FloatArray = flames.reshape(cells, 8, cells, 8).mean(axis=(1, 3), dtype=np.float32)
    return share
