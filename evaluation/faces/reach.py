"""How small, and how far turned, may a face be? And what else is taken for one?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from app.core.face_alignment import pose
from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.types import Box, Image
from evaluation.faces.photos import on_canvas, pasted, read_image, read_labels, scaled
from evaluation.figures import Share

_FRAMES = ((1280, 720), (1920, 1080))
_SIZES_PX = (32, 40, 44, 56, 80, 120, 240)
_ASKED = {((1280, 720), 44): 0.95, ((1920, 1080), 40): 0.95}
_MIN_IOU = 0.35
_SEED = 11


def evaluate_reach(engine: FaceRecognitionEngine, data_dir: Path, *, photos: int) -> list[Share]:
    """Faces of LFW, scaled by the height of their box, pasted at random places of frames without people."""
    crops = list(_faces(engine, data_dir / "faces_lfw", photos))
    backgrounds = _pictures(data_dir / "rooms")
    shares = []
    for width, height in _FRAMES:
        for size_px in _SIZES_PX:
            rng = np.random.default_rng(_SEED)
            found = 0
            for index, (crop, box) in enumerate(crops):
                factor = size_px / box.height
                small = scaled(crop, factor)
                left = int(rng.integers(0, width - small.shape[1]))
                top = int(rng.integers(0, height - small.shape[0]))
                background = read_image(backgrounds[index % len(backgrounds)])
                frame = cv2.resize(background, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
                scene, place = pasted(frame, small, box.scale(factor), left=left, top=top)
                found += any(face.box.iou(place) >= _MIN_IOU for face in engine.detect_faces(scene))
            asked = _ASKED.get(((width, height), size_px))
            shares.append(Share(f"{size_px} px faces found in {width}×{height}", found, len(crops), target=asked))
    return shares


def evaluate_turned_heads(engine: FaceRecognitionEngine, folder: Path) -> list[Share]:
    """Every LFW photo rolled in the picture's plane; and the widest yaw that was met upright."""
    rows = read_labels(folder)[::8]
    shares, yaws = [], []
    for roll_deg in (-30, -15, 15, 30):
        found = 0
        for row in rows:
            canvas = on_canvas(read_image(folder / row["file"]))
            turn = cv2.getRotationMatrix2D((320.0, 240.0), roll_deg, 1.0)
            rolled = cv2.warpAffine(canvas, turn, (640, 480), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
            found += bool(engine.detect_dominant_faces(rolled))
        shares.append(Share(f"heads rolled by {roll_deg}° found", found, len(rows)))
    for row in rows:
        face = largest_face(engine.detect_dominant_faces(on_canvas(read_image(folder / row["file"]))))
        if face is not None:
            yaws.append(abs(pose(face.landmarks).yaw))
    wide = sum(yaw > 25 for yaw in yaws)
    return [*shares, Share("of the LFW faces found, turned by more than 25°", wide, len(yaws))]


def evaluate_false_alarms(engine: FaceRecognitionEngine, data_dir: Path) -> list[Share]:
    """Pictures without people. A few rooms hold posters, dolls or photos of faces, which count as alarms here."""
    shares = []
    for folder in ("rooms", "lost_found", "receipts_vn", "objects_coil"):
        paths = _pictures(data_dir / folder)
        alarms = sum(bool(engine.detect_faces(read_image(path))) for path in paths)
        shares.append(Share(f"{folder}: pictures with a face where there is none", alarms, len(paths), better="lower"))
    return shares


def _faces(engine: FaceRecognitionEngine, folder: Path, count: int) -> Iterator[tuple[Image, Box]]:
    """Tight crops and the box of the face in each, in pixels of the crop."""
    rows = read_labels(folder)
    for row in rows[:: max(len(rows) // count, 1)][:count]:
        crop = read_image(folder / row["file"])
        face = largest_face(engine.detect_dominant_faces(on_canvas(crop)))
        if face is None:
            continue
        left, top = (640 - crop.shape[1]) // 2, (480 - crop.shape[0]) // 2
        yield crop, Box(face.box.x1 - left, face.box.y1 - top, face.box.x2 - left, face.box.y2 - top)


def _pictures(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
