"""Faces are blurred in what is kept, but for those of whoever raises the alarm."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from app.core.face_blur import FaceFinder, blur_boxes, blur_picture
from app.core.inference import InferencePool, Priority
from app.ml_models.factories.face import FaceEngines, build_face_detector
from app.ml_models.model_loader import ModelLoader
from app.types import Box, Image, Severity
from app.workflows.safety.evidence import Finding
from app.workflows.safety.frame_painter import FramePainter
from tests.photos import group

BACKGROUND = Priority.BULK


@pytest.fixture(scope="module")
def finder(model_loader: ModelLoader) -> FaceFinder:
    return FaceFinder(build_face_detector(model_loader, min_score=0.5))


@pytest.fixture
def pool() -> Iterator[InferencePool]:
    pool = InferencePool(threads=1, queue_size=0, deadline_s=20.0)
    yield pool
    pool.close()


def found(anomaly_type: str, box: Box | None, *, alert: bool = True) -> Finding:
    return Finding(anomaly_type, 0.9, box, Severity.HIGH, "seen", alert)


def decoded(jpeg: bytes | None) -> Image:
    assert jpeg is not None
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)


def person_of(face: Box) -> Box:
    """A box whose upper half has that face in its middle."""
    return Box(face.x1 - 20, face.y1 - 20, face.x2 + 20, face.y2 + 3 * face.height)


def change(before: Image, after: Image, box: Box) -> float:
    """Mean difference inside a box, in levels."""
    x1, y1, x2, y2 = (round(side) for side in (box.x1, box.y1, box.x2, box.y2))
    return float(np.abs(before[y1:y2, x1:x2].astype(int) - after[y1:y2, x1:x2].astype(int)).mean())


def recognised(face_engines: FaceEngines, image: Image) -> int:
    """How many of the group are still who they were, for somebody who knows where their eyes and mouths are."""
    engine = face_engines.recognition
    faces = engine.detect_faces(group())
    clear, now = engine.embed_probes(group(), faces), engine.embed_probes(image, faces)
    return sum(engine.compare_embeddings(one, other) > 0.35 for one, other in zip(clear, now, strict=True))


def test_a_blurred_face_is_nobodys(finder: FaceFinder, face_engines: FaceEngines) -> None:
    boxes = finder.find(group())
    assert recognised(face_engines, group()) == 6
    assert recognised(face_engines, blur_boxes(group(), boxes)) == 0
    assert recognised(face_engines, blur_picture(group())) == 0


def test_what_is_no_face_stays_as_it_is(finder: FaceFinder) -> None:
    image = group()
    boxes = finder.find(image)
    blurred = blur_boxes(image, boxes)
    outside = np.ones(image.shape[:2], bool)
    for box in boxes:
        wide, high = 0.3 * box.width, 0.3 * box.height
        top, left = max(0, round(box.y1 - high)), max(0, round(box.x1 - wide))
        outside[top : round(box.y2 + high), left : round(box.x2 + wide)] = False
    assert outside.any()
    assert np.array_equal(blurred[outside], image[outside])


@pytest.mark.parametrize("box", [Box(-40, -40, -5, -5), Box(5, 5, 5, 5), Box(-10, -10, 3, 2), Box(60, 30, 90, 70)])
def test_boxes_over_the_edge_are_blurred_as_far_as_they_reach(box: Box) -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    assert blur_boxes(image, [box]).shape == image.shape


async def test_who_raises_the_alarm_keeps_their_face(pool: InferencePool, finder: FaceFinder) -> None:
    image = group()
    intruder, *others = finder.find(image)
    kept = await FramePainter(pool, finder).paint(image, [found("intrusion", person_of(intruder))], priority=BACKGROUND)
    shown, original = decoded(kept.shown), decoded(kept.original)
    assert change(original, shown, intruder) < 3
    assert min(change(original, shown, box) for box in others) > 10
    marked = decoded(kept.marked)
    edge = person_of(intruder)
    assert change(shown, marked, Box(edge.x1 - 1, edge.y1 + 40, edge.x1 + 2, edge.y1 + 80)) > 30
    assert change(shown, marked, others[0]) < 3 or change(shown, marked, others[1]) < 3


async def test_a_fire_concerns_nobody_and_what_alerts_nobody_keeps_no_original(
    pool: InferencePool, finder: FaceFinder, face_engines: FaceEngines
) -> None:
    image, painter = group(), FramePainter(pool, finder)
    fire = await painter.paint(image, [found("fire", None)], priority=BACKGROUND)
    assert recognised(face_engines, decoded(fire.shown)) == 0
    assert recognised(face_engines, decoded(fire.original)) == 6
    assert fire.marked is None, "there is no box to draw"
    seen = await painter.paint(image, [found("intrusion", Box(0, 0, 900, 800), alert=False)], priority=BACKGROUND)
    assert recognised(face_engines, decoded(seen.shown)) == 0
    assert (seen.original, seen.marked) == (None, None)


async def test_without_a_finder_frames_are_kept_as_they_are(pool: InferencePool) -> None:
    image = group()
    kept = await FramePainter(pool, None).paint(image, [found("fire", None)], priority=BACKGROUND)
    assert kept.original is None
    assert change(image, decoded(kept.shown), Box(0, 0, image.shape[1], image.shape[0])) < 5


async def test_a_pool_without_a_place_loses_no_alarm_and_shows_no_face(
    pool: InferencePool, finder: FaceFinder, face_engines: FaceEngines
) -> None:
    image, release = group(), threading.Event()
    running = asyncio.ensure_future(pool.submit("test", release.wait))
    while not pool.taken_places:  # noqa: ASYNC110  # a thread changes it
        await asyncio.sleep(0.005)
    kept = await FramePainter(pool, finder).paint(image, [found("fire", None)], priority=BACKGROUND)
    release.set()
    await running
    assert recognised(face_engines, decoded(kept.shown)) == 0
    assert recognised(face_engines, decoded(kept.original)) == 6
