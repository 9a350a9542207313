"""All engines of a process, loaded side by side."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app.composition.documents import load_ocr_engine
from app.composition.face import load_face_engines
from app.composition.image import load_image_embedder
from app.composition.rooms import load_room_model
from app.composition.safety import load_anomaly_detector, load_face_finder
from app.config import Settings
from app.core.anomaly_detector import HeadAnomalyDetector
from app.core.face_blur import FaceFinder
from app.core.image_embedding import ImageEmbedder
from app.core.ocr_engine import OCREngine
from app.core.room_analyzer import RoomModel
from app.ml_models.factories.face import FaceEngines
from app.ml_models.model_loader import ModelLoader


@dataclass(frozen=True, slots=True)
class Engines:
    """What computes; warm. ``documents`` is None where OCR is switched off."""

    faces: FaceEngines
    images: ImageEmbedder
    documents: OCREngine | None
    rooms: RoomModel
    anomalies: HeadAnomalyDetector
    face_finder: FaceFinder | None


async def load_engines(settings: Settings, loader: ModelLoader) -> Engines:
    """Load and warm them, each in a thread: reading, compiling and first passes leave the interpreter to others.

    Raises:
        ConfigurationError: models do not fit the settings.
        ModelUnavailable: a file is missing or damaged.
    """
    # More threads than cores would only wait for each other: five on two cores took half as much processor time again.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="loading") as threads:
        run = asyncio.get_running_loop().run_in_executor
        images, documents, faces, anomalies, rooms = await asyncio.gather(  # those that take longest first
            run(threads, load_image_embedder, loader),
            run(threads, load_ocr_engine, settings, loader),
            run(threads, load_face_engines, settings, loader),
            run(threads, load_anomaly_detector, loader, settings),
            run(threads, load_room_model, settings, loader),
        )
    return Engines(faces, images, documents, rooms, anomalies, load_face_finder(loader, settings))
