"""What one piece of each kind of work costs on this machine, measured on the service's own engines and pictures."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from app.composition.face import load_face_engines
from app.composition.image import load_image_embedder
from app.composition.models import open_loader
from app.composition.rooms import load_room_model
from app.composition.safety import load_anomaly_detector
from app.config import Settings
from app.core.anomalies import AnomalyType
from app.core.capacity import Costs
from app.core.face_recognition import largest_face
from app.core.ocr_engine import SourcePage
from app.ml_models.factories.ocr import build_ocr_engine
from app.types import Image
from app.utils import clock
from app.utils.image_processing import decode_image, encode_jpeg
from app.utils.picture_limits import PictureLimits

_PICTURES = Path(__file__).parents[1] / "api" / "example_pictures"
_CAMERA, _DOOR, _ROOM, _PAGE = (1280, 720), (640, 480), (1280, 960), (900, 1200)

AROUND_A_REQUEST = 0.4
"""What HTTP, databases and log lines cost beside the networks, in passes of a check-in. Of docs/benchmarks.md,
2026-11-30: 41.0 ms over all processes but the client, where a pass alone took 29.9; 1.33 to 1.45 times in three rounds.
"""


def measure_costs(settings: Settings, *, rounds: int) -> Costs:
    """Medians of ``rounds``, one after another; nothing is stored, and no server is asked.

    Raises:
        ConfigurationError: models do not fit the settings.
        ModelUnavailable: a file is missing or damaged.
    """
    cv2.setNumThreads(1)
    passes = {name: _median_cpu_s(work, rounds) for name, work in _works(settings).items()}
    around = AROUND_A_REQUEST * passes["check_in"]
    # Frames of cameras come without a request, and nothing is written down of most.
    return Costs(**{name: one + (0.0 if name == "camera_frame" else around) for name, one in passes.items()})


def _works(settings: Settings) -> Mapping[str, Callable[[], object]]:
    """One piece of each kind of work, by the name of its cost, from the file to the engine's answer."""
    loader = open_loader(settings)
    faces, embedder = load_face_engines(settings, loader), load_image_embedder(loader)
    rooms, anomalies = load_room_model(settings, loader), load_anomaly_detector(loader, settings)
    documents = build_ocr_engine(loader, threads=os.cpu_count() or 1, fallback_name=settings.OCR_FALLBACK)
    door, room, page = (
        _jpeg(name, *size) for name, size in (("face.jpg", _DOOR), ("room.jpg", _ROOM), ("invoice.webp", _PAGE))
    )
    frame = _jpeg("room.jpg", *_CAMERA)

    def check_in() -> None:
        image = _decoded(door)
        face = largest_face(faces.recognition.detect_dominant_faces(image))
        if face is None:
            raise RuntimeError("The face of the service's own example was not found.")
        faces.liveness.assess(image, [face])
        crops = faces.recognition.align(image, [face])
        faces.recognition.embed_aligned_probes(crops)
        if faces.covers is not None:
            faces.covers.detect(crops)

    return {
        "check_in": check_in,
        "camera_frame": lambda: anomalies.examine(_decoded(frame), frozenset(AnomalyType)),
        "room_photo": lambda: rooms.inspect([_decoded(room)], depth="detailed"),
        "document_page": lambda: documents.read_invoices([SourcePage(_decoded(page))], today=clock.now().date()),
        "image_search": lambda: embedder.embed_images([_decoded(room)]),
    }


def _jpeg(name: str, width: int, height: int) -> bytes:
    """One of the pictures of /docs on a canvas of that size, as a camera or a phone would send it."""
    shown: Image = np.asarray(cv2.imread(str(_PICTURES / name)), np.uint8)
    factor = min(width / shown.shape[1], height / shown.shape[0])
    size = (round(shown.shape[1] * factor), round(shown.shape[0] * factor))
    canvas = np.full((height, width, 3), 128, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(shown, size, interpolation=cv2.INTER_CUBIC)
    return encode_jpeg(canvas)


def _decoded(picture: bytes) -> Image:
    return decode_image(picture, PictureLimits(50_000_000))


def _median_cpu_s(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of this process and all its threads; the first pass is not counted."""
    work()
    spent = []
    for _ in range(rounds):
        before_s = time.process_time()
        work()
        spent.append(time.process_time() - before_s)
    return statistics.median(spent)
