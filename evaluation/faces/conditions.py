"""Hard light, odd sensors, small and turned faces: how many are found, and how many recognised.

One photo of each of LFW's people is enrolled as it is; another is made worse, and goes the service's way from its file
on: decoding, the look at turned views, alignment, embedding, the shipped threshold among all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.core.face_turning import look_for_faces
from app.types import FloatArray, Image
from app.utils.image_processing import decode_image
from app.utils.picture_limits import PictureLimits
from evaluation.faces.pairs import MIN_CONFIDENCE
from evaluation.faces.photos import files_by_person, on_canvas, read_image, read_labels, scaled
from evaluation.figures import Share

_SEED = 7
_LIMITS = PictureLimits(max_pixels=10_000_000)

Condition = Callable[[Image, Generator], bytes]
"""From a photo to the file that a camera gives under that condition."""


def evaluate_conditions(engine: FaceRecognitionEngine, data_dir: Path, *, probes: int) -> list[Share]:
    """Shares of the same people's second photos, condition by condition."""
    gallery, photos = _people(engine, data_dir / "faces_lfw")
    chosen = list(enumerate(photos))[:: max(len(photos) // probes, 1)]
    bar = engine.calibration.cosine(MIN_CONFIDENCE, people=len(gallery))
    shares = []
    for name, condition in _CONDITIONS.items():
        rng = np.random.default_rng(_SEED)
        found = recognised = mistaken = 0
        for person, photo in chosen:
            look = look_for_faces(decode_image(condition(photo, rng), _LIMITS), engine.detect_dominant_faces, engine)
            face = largest_face(look.faces)
            if face is None:
                continue
            [probe] = engine.embed_probes(look.image, [face])
            cosines = gallery @ probe.vector
            found += 1
            recognised += int(cosines.argmax()) == person and float(cosines.max()) >= bar
            mistaken += float(np.delete(cosines, person).max()) >= bar
        at = f"at {MIN_CONFIDENCE} (cosine {bar:.3f}) among {len(gallery)}"
        shares.append(Share(f"{name}: found", found, len(chosen)))
        shares.append(Share(f"{name}: recognised {at}", recognised, len(chosen)))
        shares.append(Share(f"{name}: taken for another, own template left out", mistaken, len(chosen)))
    return shares


def _people(engine: FaceRecognitionEngine, folder: Path) -> tuple[FloatArray, Sequence[Image]]:
    """Templates (n, d) of the first photos in which a face is found, and the second photos of the same people."""
    templates, probes = [], []
    for files in files_by_person(folder, read_labels(folder)).values():
        if len(files) < 2:
            continue
        photo = on_canvas(read_image(files[0]))
        face = largest_face(engine.detect_dominant_faces(photo))
        if face is not None:
            templates.append(engine.embed(photo, [face])[0].embedding.vector)
            probes.append(read_image(files[1]))
    return np.stack(templates), probes


def _jpeg(image: Image, quality: int = 88) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _dark(light: float, noise: float) -> Condition:
    def expose(photo: Image, rng: Generator) -> bytes:
        """So much of the light in linear terms, with a sensor's noise before it is rounded."""
        linear = (on_canvas(photo).astype(np.float32) / 255) ** 2.2 * light
        seen = 255 * linear ** (1 / 2.2) + rng.normal(0, noise, linear.shape)
        return _jpeg(np.clip(seen, 0, 255).astype(np.uint8))

    return expose


def _hazy(photo: Image, _: Generator) -> bytes:
    return _jpeg((on_canvas(photo) * 0.18 + 150).astype(np.uint8))


def _infrared(darkest: int, brightest: int) -> Condition:
    def expose(photo: Image, _: Generator) -> bytes:
        """The red channel, which is nearest to infrared, in a band of 16 bits."""
        tones = on_canvas(photo)[..., 2].astype(np.float32) / 255
        band = (darkest + tones * (brightest - darkest)).astype(np.uint16)
        return cv2.imencode(".png", band)[1].tobytes()

    return expose


def _small(height_px: int, width: int, height: int) -> Condition:
    def step_back(photo: Image, rng: Generator) -> bytes:
        """The face so high, and the photo around it; LFW's faces take 0.83 of the crops' height (median)."""
        small = scaled(photo, height_px / (0.83 * photo.shape[0]))
        frame = np.full((height, width, 3), 127, np.uint8)
        left, top = int(rng.integers(0, width - small.shape[1])), int(rng.integers(0, height - small.shape[0]))
        frame[top : top + small.shape[0], left : left + small.shape[1]] = small
        return _jpeg(frame, 92)

    return step_back


def _turned(quarters: int) -> Condition:
    def turn(photo: Image, _: Generator) -> bytes:
        return _jpeg(np.ascontiguousarray(np.rot90(on_canvas(photo), quarters)))

    return turn


_CONDITIONS: Mapping[str, Condition] = {
    "as it is": lambda photo, _: _jpeg(on_canvas(photo)),
    "a tenth of the light": _dark(0.1, 2.0),
    "a 30th of the light, noise of 4": _dark(0.033, 4.0),
    "a 100th of the light, noise of 4": _dark(0.01, 4.0),
    "haze": _hazy,
    "infrared, 12 of 16 bits": _infrared(0, 4000),
    "infrared, a band of 600 of 16 bits": _infrared(20_000, 20_600),
    "32 px face in 1280×720": _small(32, 1280, 720),
    "24 px face in 1280×720": _small(24, 1280, 720),
    "24 px face in 640×480": _small(24, 640, 480),
    "on its side": _turned(1),
    "upside down": _turned(2),
    "on its other side": _turned(3),
}
