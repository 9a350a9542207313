"""Fire, smoke, flooding and people in one camera frame.

Hazards come from linear heads on the shared backbone, people from a detector of their own. What happens over time is
the camera worker's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import cv2
import numpy as np

from app.core.activation import hot_region
from app.core.anomalies import BURNING, Anomaly, AnomalyType, Examination, Reliability, Suspect, WaterKind
from app.core.features import FeatureExtractor, resize
from app.core.flood import FloodByWords
from app.core.heads import LinearHead, unit
from app.core.looks import FRAME, PLANS
from app.core.object_detection import ObjectDetector
from app.core.tile_memory import TileMemory
from app.core.usual_scene import UsualScene
from app.core.views import Views, take_views
from app.types import Box, FloatArray, Image

_HEAT_CELLS = 28  # per side of the map in which activation and colour meet
_FLAME_SHARE_OF_PEAK = 0.35
_MIN_FLAME_SHARE = 0.004  # of the frame: less is a lamp or a tail light in the smoke
_MAX_BOX_SHARE = 0.7  # a box around more of the frame says nothing

_FLOODED = frozenset({AnomalyType.FLOOD})
_HAZARDS = BURNING | _FLOODED

_HARMLESS = 0.05  # a view that says less is no suspect


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
class _Frame:
    """One frame as the heads see it. ``rows``: (n, d) its views, whole and tiles, of unit length."""

    image: Image
    views: Views
    rows: FloatArray
    usual: UsualScene | None

    def excess(self, head: LinearHead, types: Set[AnomalyType]) -> FloatArray:
        """(n,) what of each view's score is there on any day."""
        if self.usual is None:
            return np.zeros(len(self.rows), np.float32)
        return self.usual.excess(head, self.rows, wholes=self.wholes, types=types, neutral=_neutral(head))

    @property
    def wholes(self) -> int:
        """So many of the first views are whole."""
        return len(self.views.wholes)

    def scores(self, head: LinearHead) -> FloatArray:
        """(n,) of each view by itself."""
        return head.row_scores(self.rows, is_whole=np.arange(len(self.rows)) < self.wholes)

    def extent(self, head: LinearHead, excess: FloatArray) -> float:
        """Share of the tiles that look like it by themselves, with ``excess`` taken off."""
        scores = (self.scores(head) - excess)[self.wholes :]
        return float((scores > head.calibrations[FRAME].midpoint).mean())

    def probability(self, head: LinearHead, excess: FloatArray | float = 0.0) -> float:
        """Of the frame, with ``excess`` taken off its views' scores."""
        scores = self.scores(head) - excess
        return head.calibrations[FRAME].probability(head.pooled(scores, wholes=self.wholes))


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
        memories: of one camera, whose unchanged tiles are then not looked at again, by what is looked for.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        heads: HazardHeads,
        persons: ObjectDetector,
        boxes: ObjectDetector | None = None,
        flood_words: FloodByWords | None = None,
        memories: dict[frozenset[AnomalyType], TileMemory] | None = None,
    ) -> None:
        self._extractor = extractor
        self._heads = heads
        self._persons = persons
        self._boxes = boxes
        self._flood_words = flood_words
        self._memories = memories

    def for_one_camera(self) -> HeadAnomalyDetector:
        """The same networks for the frames of one camera: tiles that did not change are not looked at again, unless
        they look like the hazard that is found."""
        return HeadAnomalyDetector(
            self._extractor,
            heads=self._heads,
            persons=self._persons,
            boxes=self._boxes,
            flood_words=self._flood_words,
            memories={},
        )

    def warm_up(self) -> None:
        """One blank frame through every network."""
        if self._boxes is not None:
            self._boxes.warm_up()
        if self._flood_words is not None:
            self._flood_words.warm_up()
        self.detect(np.zeros((96, 128, 3), np.uint8), frozenset(AnomalyType))

    @property
    def views_id(self) -> str:
        """Names network and views: suspects of other ones can't be compared."""
        return f"{self._extractor.model_id}, {PLANS[FRAME].summary}"

    def detect(self, image: Image, types: Set[AnomalyType]) -> list[Anomaly]:
        """``examine`` of a frame whose camera is unknown."""
        return self.examine(image, types).anomalies

    def examine(self, image: Image, types: Set[AnomalyType], usual: UsualScene | None = None) -> Examination:
        """What of ``types`` is in the BGR picture, surest first; networks that no type needs are not run.

        Smoke counts when fire is asked for, and is told as what it is. Nothing under a type's threshold is told.
        """
        seen = self._find_hazards(image, types, usual) if types & _HAZARDS else Examination([])
        people = self._find_people(image) if AnomalyType.INTRUSION in types else []
        anomalies = sorted(seen.anomalies + people, key=lambda anomaly: -anomaly.confidence)
        return replace(seen, anomalies=anomalies)

    def _find_people(self, image: Image) -> list[Anomaly]:
        [persons] = self._persons.detect([image])
        return [
            Anomaly(AnomalyType.INTRUSION, person.score, person.box, True, reliability=Reliability.INDOOR)
            for person in persons
        ]

    def _find_hazards(self, image: Image, types: Set[AnomalyType], usual: UsualScene | None) -> Examination:
        memory = self._memory(types)
        views = take_views(self._extractor, image, plan=PLANS[FRAME], memory=memory)
        frame = _Frame(image, views, unit(np.stack([item.pooled for item in views.all])), usual)
        found: list[Anomaly] = []
        held_back: set[AnomalyType] = set()
        heads: list[tuple[LinearHead, frozenset[AnomalyType]]] = []
        if types & BURNING:
            heads.append((self._heads.fire_or_smoke, BURNING))
            found += self._burning(frame, types, held_back)
        if AnomalyType.FLOOD in types:
            heads += [(self._heads.flood, _FLOODED)] if self._flood_words is None else []
            found += self._flooded(frame, held_back)
        scores = {head.name: frame.probability(head) for head, _ in heads}
        scores[self._heads.outdoors.name] = self._outdoors(views)
        suspects = _suspects(frame, heads)
        if memory is not None and found:  # several frames have to agree on it, each by itself
            memory.forget(views.tile_boxes[one.view - frame.wholes] for one in suspects if one.view >= frame.wholes)
        return Examination(found, suspects, frozenset(held_back), scores)

    def _memory(self, types: Set[AnomalyType]) -> TileMemory | None:
        """By type, because each may have parts of its own painted over."""
        return None if self._memories is None else self._memories.setdefault(frozenset(types), TileMemory())

    def _burning(self, frame: _Frame, types: Set[AnomalyType], held_back: set[AnomalyType]) -> list[Anomaly]:
        head, views = self._heads.fire_or_smoke, frame.views
        excess = frame.excess(head, BURNING)
        confidence = frame.probability(head, excess)
        if not head.reaches_alert(confidence) and head.reaches_alert(frame.probability(head)):
            held_back.add(AnomalyType.FIRE if self._shows_flames(views) else AnomalyType.SMOKE)
        if confidence < head.threshold:
            return []
        activation = head.activation(views.wholes[0])
        fire, smoke = self._places(frame.image)
        flames = Flames(fire) if fire else find_flames(frame.image, activation)
        kind = AnomalyType.FIRE if fire or (not smoke and self._shows_flames(views)) else AnomalyType.SMOKE
        if kind is AnomalyType.FIRE and kind not in types:
            return []
        box = (flames.box if flames else None) if kind is AnomalyType.FIRE else smoke
        reliability = self._reliability(kind, self._is_outdoors(views))
        alerts, extent = head.reaches_alert(confidence), frame.extent(head, excess)
        return [Anomaly(kind, confidence, box, alerts, reliability=reliability, extent=extent)]

    def _shows_flames(self, views: Views) -> bool:
        return self._heads.flames.probability(views, look=FRAME) >= self._heads.flames.threshold

    def _outdoors(self, views: Views) -> float:
        return self._heads.outdoors.probability(Views(views.wholes, (), ()), look=FRAME)

    def _is_outdoors(self, views: Views) -> bool:
        return self._outdoors(views) >= self._heads.outdoors.threshold

    def _reliability(self, kind: AnomalyType, is_outdoors: bool) -> Reliability:
        place = Reliability.OUTDOOR if is_outdoors else Reliability.INDOOR
        return place if place.value in self._heads.reliability.get(kind.value, ()) else Reliability.UNTESTED

    def _places(self, image: Image) -> tuple[Box | None, Box | None]:
        """The surest box of fire and of smoke, where there is a network for them."""
        found = self._boxes.detect([image])[0] if self._boxes is not None else []
        fire, smoke = (next((one.box for one in found if one.label == label), None) for label in ("fire", "smoke"))
        return fire, smoke

    def _flooded(self, frame: _Frame, held_back: set[AnomalyType]) -> list[Anomaly]:
        if self._flood_words is not None:
            confidence, threshold = self._flood_words.probability(frame.image), self._flood_words.threshold
            alerts = confidence >= threshold
        else:
            head = self._heads.flood
            confidence, threshold = frame.probability(head, frame.excess(head, _FLOODED)), head.threshold
            alerts = head.reaches_alert(confidence)
            if not alerts and head.reaches_alert(frame.probability(head)):
                held_back.add(AnomalyType.FLOOD)
        if confidence < threshold:
            return []
        outdoors = self._is_outdoors(frame.views)
        water = WaterKind.OUTDOOR if outdoors else WaterKind.STANDING
        reliability = self._reliability(AnomalyType.FLOOD, outdoors)
        return [Anomaly(AnomalyType.FLOOD, confidence, None, alerts, water=water, reliability=reliability)]


def _neutral(head: LinearHead) -> float:
    return head.calibrations[FRAME].score_of(_HARMLESS)


def _suspects(frame: _Frame, heads: Sequence[tuple[LinearHead, frozenset[AnomalyType]]]) -> tuple[Suspect, ...]:
    """The views whose own score is no longer that of a harmless one."""
    looks_like: dict[int, frozenset[AnomalyType]] = {}
    for head, types in heads:
        for view in np.flatnonzero(frame.scores(head) > _neutral(head)).tolist():
            looks_like[view] = looks_like.get(view, frozenset()) | types
    return tuple(Suspect(view, frame.rows[view], types) for view, types in sorted(looks_like.items()))


def upper_body(face: Box) -> Box:
    """About where the head and shoulders of a face are."""
    return Box(face.x1 - face.width, face.y1 - 0.5 * face.height, face.x2 + face.width, face.y2 + 2 * face.height)


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
