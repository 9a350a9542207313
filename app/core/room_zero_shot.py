"""What CLIP and an object detector add to the evidence of the heads, in packs that have them.

Zero-shot: of a statement and its opposite, whichever lies nearer to the picture is told. Each side is the mean of
several phrasings in several sentences, which is steadier than any one of them. The heads keep their say on tidiness:
they were measured on photos, the statements were not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from app.core.concepts import unit_rows
from app.core.features import mirror
from app.core.looks import QUICK
from app.core.object_detection import ObjectDetector
from app.core.room_analyzer import SURE, ChecklistItem, ItemAnswer, PhotoEvidence, RoomFinding, RoomModel, note
from app.core.room_views import SeenView, View
from app.core.views import quarters
from app.types import Detection, Embedding, FloatArray, Image, Severity

BED = "bed"


@dataclass(frozen=True, slots=True)
class Statement:
    """Phrasings that hold, and phrasings of the opposite."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoomStatements:
    """All that is asked of a photo; ``damaged`` is what makes a room a case for maintenance."""

    bathroom: Statement
    bathroom_dirty: Statement
    towels_present: Statement
    amenities_complete: Statement
    bed_unmade: Statement
    damaged: Statement


class CaptionEmbedder(Protocol):
    """CLIP, or a network like it."""

    def embed_images(self, images: Sequence[Image]) -> list[Embedding]: ...

    def embed_captions(self, captions: Sequence[str]) -> list[Embedding]: ...


class ZeroShot:
    """Judges statements about pictures.

    Args:
        templates: sentences with ``{}`` for the phrasing.
        scale: of the difference of cosines, as the network was trained; the probability is its logistic.
    """

    def __init__(self, embedder: CaptionEmbedder, *, templates: Sequence[str], scale: float) -> None:
        self._embedder = embedder
        self._templates = tuple(templates)
        self._scale = scale

    def direction(self, statement: Statement) -> FloatArray:
        """(d,): from the opposite to the statement."""
        return self._mean(statement.positive) - self._mean(statement.negative)

    def look(self, image: Image, *, depth: str) -> FloatArray:
        """(d,) unit vector of the picture; of its mirror image and its quarters too unless ``depth`` is quick."""
        views = [image] if depth == QUICK else [image, mirror(image), *quarters(image)]
        return self._unit_mean(self._embedder.embed_images(views))

    def probability(self, picture: FloatArray, direction: FloatArray) -> float:
        """That the statement holds; not measured on rooms."""
        return float(1.0 / (1.0 + np.exp(-np.clip(self._scale * float(picture @ direction), -60.0, 60.0))))

    def _mean(self, phrasings: Sequence[str]) -> FloatArray:
        captions = [template.format(phrasing) for template in self._templates for phrasing in phrasings]
        return self._unit_mean(self._embedder.embed_captions(captions))

    def _unit_mean(self, embeddings: Sequence[Embedding]) -> FloatArray:
        mean: FloatArray = unit_rows(np.mean([item.vector for item in embeddings], axis=0)[None])[0]
        return mean


class ZeroShotRoomAnalyzer:
    """The heads' evidence, and beyond it what the statements and the objects tell."""

    def __init__(
        self, heads: RoomModel, *, zero_shot: ZeroShot, statements: RoomStatements, objects: ObjectDetector
    ) -> None:
        self._heads = heads
        self._zero_shot = zero_shot
        self._objects = objects
        self._directions = {
            name: zero_shot.direction(getattr(statements, name)) for name in RoomStatements.__dataclass_fields__
        }

    def inspect(self, images: Sequence[Image], *, depth: str) -> list[PhotoEvidence]:
        """Evidence for each BGR photo; ``depth`` is one of ``DEPTHS``."""
        return [
            self._extend(evidence, image, found, depth=depth)
            for evidence, image, found in zip(
                self._heads.inspect(images, depth=depth), images, self._objects.detect(images), strict=True
            )
        ]

    def warm_up(self) -> None:
        """Run every network once."""
        self._heads.warm_up()
        self._objects.warm_up()
        self._zero_shot.look(np.zeros((64, 64, 3), np.uint8), depth=QUICK)

    def _extend(
        self, evidence: PhotoEvidence, image: Image, found: Sequence[Detection], *, depth: str
    ) -> PhotoEvidence:
        picture = self._zero_shot.look(image, depth=depth)
        probabilities = {
            name: self._zero_shot.probability(picture, direction) for name, direction in self._directions.items()
        }
        things = dict(evidence.things)
        for detection in found:
            things[detection.label] = max(things.get(detection.label, 0.0), detection.score)
        in_bathroom = probabilities["bathroom"] >= SURE
        room, seen = evidence.room, evidence.seen
        if in_bathroom and seen.view is View.NOT_A_ROOM:
            room, seen = (
                max(room, probabilities["bathroom"]),
                SeenView(View.BATHROOM, probabilities["bathroom"], View.BATHROOM, {}),
            )
        if room < SURE:
            return replace(evidence, things=things)
        damage = (
            (RoomFinding("damage", probabilities["damaged"], Severity.HIGH, None),)
            if probabilities["damaged"] >= SURE
            else ()
        )
        return replace(
            evidence,
            room=room,
            seen=seen,
            sights=_sights(probabilities, in_bathroom=in_bathroom, bed_in_sight=BED in things) | dict(evidence.sights),
            findings=evidence.findings + damage,
            things=things,
            damaged=probabilities["damaged"],
        )


def _sights(
    probabilities: Mapping[str, float], *, in_bathroom: bool, bed_in_sight: bool
) -> dict[ChecklistItem, ItemAnswer]:
    """Answers where the subject is in sight; what the heads answered goes before them."""
    sights: dict[ChecklistItem, ItemAnswer] = {}
    if in_bathroom:
        note(sights, ChecklistItem.BATHROOM_CLEAN, 1 - probabilities["bathroom_dirty"])
        note(sights, ChecklistItem.TOWELS_PRESENT, probabilities["towels_present"])
        note(sights, ChecklistItem.AMENITIES_COMPLETE, probabilities["amenities_complete"])
    if bed_in_sight:
        note(sights, ChecklistItem.BED_MADE, 1 - probabilities["bed_unmade"])
    return sights
