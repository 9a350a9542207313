"""What is kept of a frame: numbers, no pixels. ``pack`` and ``unpack`` turn them into JSON and back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from app.core.active_liveness.geometry import Parallax, UprightFace, parallax
from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.core.liveness import LivenessDetector
from app.types import Face, FloatArray, Image

_SKETCH_ROWS, _SKETCH_COLUMNS = 16, 16
SKETCH_BYTES = _SKETCH_ROWS * _SKETCH_COLUMNS // 8
_CLEAR_STEP = 2  # grey levels; smaller differences are noise
_RIVAL_AREA = 0.35


@dataclass(frozen=True, slots=True)
class SeenHead:
    """The largest face of a frame.

    Attributes:
        landmarks: (5, 2) float32 px, as in ``Face``.
        vector: (d,) float32 of unit norm.
        liveness: the score of the passive check; None where it could tell nothing.
        tone: mean grey value between eyes and mouth, 0 to 255.
        is_alone: whether no other face is nearly as large.
    """

    landmarks: FloatArray
    vector: FloatArray
    liveness: float | None
    tone: float
    is_alone: bool


@dataclass(frozen=True, slots=True)
class SeenFrame:
    """A frame of a session.

    Attributes:
        at_ms: by the client's clock.
        digest: of the pixels; equal for equal pictures alone.
        sketch: where it grows brighter from left to right, on a coarse grid; close for another encoding of the same
            picture.
        head: None where no face was found.
        parallax: since the frame before, where both came together and the head was turned between them.
    """

    at_ms: int
    digest: bytes
    sketch: bytes
    head: SeenHead | None
    parallax: Parallax | None = None


class FrameObserver:
    """Looks at frames; thread-safe."""

    def __init__(self, engine: FaceRecognitionEngine, liveness: LivenessDetector) -> None:
        self._engine = engine
        self._liveness = liveness

    def observe(self, images: Iterable[tuple[int, Image]]) -> list[SeenFrame]:
        """What BGR frames show that follow each other; each with its moment, ms. One is held at a time."""
        frames: list[SeenFrame] = []
        before: UprightFace | None = None
        for at_ms, image in images:
            frame, face = self._observe(image, at_ms=at_ms)
            if before is not None and face is not None:
                frame = replace(frame, parallax=parallax(before, face))
            frames.append(frame)
            before = face
        return frames

    def _observe(self, image: Image, *, at_ms: int) -> tuple[SeenFrame, UprightFace | None]:
        faces = self._engine.detect_dominant_faces(image)
        face = largest_face(faces)
        upright = None if face is None else UprightFace(image, face.landmarks)
        head = None if face is None or upright is None else self._head(image, face, faces, tone=upright.tone)
        frame = SeenFrame(at_ms, hashlib.sha256(image.tobytes()).digest()[:16], sketch_of(image), head)
        return frame, upright

    def _head(self, image: Image, face: Face, faces: list[Face], *, tone: float) -> SeenHead:
        [embedding] = self._engine.embed_probes(image, [face])
        [verdict] = self._liveness.assess(image, [face])
        rivals = [one for one in faces if one is not face and one.box.area >= _RIVAL_AREA * face.box.area]
        return SeenHead(
            landmarks=face.landmarks,
            vector=embedding.vector,
            liveness=None if verdict.uncertain else verdict.score,
            tone=tone,
            is_alone=not rivals,
        )


def sketch_of(image: Image) -> bytes:
    """``SKETCH_BYTES`` bytes."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (_SKETCH_COLUMNS + 1, _SKETCH_ROWS), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] - small[:, :-1] > _CLEAR_STEP).tobytes()


def share_seen_before(sketches: bytes, earlier: bytes, *, max_bits: int = 6) -> float:
    """How many of the frames were also in an earlier session, perhaps encoded again: 0 to 1.

    Args:
        sketches: of one or more frames, one after the other.
        earlier: of the other session's.
        max_bits: in which two sketches of one frame may differ.
    """
    if not earlier:
        return 0.0
    ours, theirs = (np.frombuffer(data, np.uint64).reshape(-1, SKETCH_BYTES // 8) for data in (sketches, earlier))
    differing = np.bitwise_count(ours[:, None] ^ theirs[None]).sum(axis=2, dtype=np.int32)
    return float((differing.min(axis=1) <= max_bits).mean())


def pack(frame: SeenFrame) -> dict[str, Any]:
    """JSON-serialisable."""
    packed: dict[str, Any] = {"at": frame.at_ms, "digest": frame.digest.hex(), "sketch": frame.sketch.hex()}
    if (head := frame.head) is not None:
        packed["head"] = {
            "landmarks": [round(float(value), 2) for value in head.landmarks.ravel()],
            "vector": pack_vector(head.vector),
            "liveness": head.liveness,
            "tone": round(head.tone, 1),
            "alone": head.is_alone,
        }
    if frame.parallax is not None:
        packed["parallax"] = [round(frame.parallax.by_landmarks, 2), round(frame.parallax.by_pixels, 2)]
    return packed


def unpack(packed: Mapping[str, Any]) -> SeenFrame:
    """The inverse of ``pack``, but for rounding."""
    head, moved = packed.get("head"), packed.get("parallax")
    return SeenFrame(
        at_ms=packed["at"],
        digest=bytes.fromhex(packed["digest"]),
        sketch=bytes.fromhex(packed["sketch"]),
        head=_unpack_head(head) if head else None,
        parallax=Parallax(*moved) if moved else None,
    )


def pack_vector(vector: FloatArray) -> list[object]:
    """JSON-serialisable; the zeros that fill a vector up take no place."""
    known = np.trim_zeros(vector, "b").astype(np.float16).tobytes()
    return [len(vector), base64.b64encode(known).decode()]


def unpack_vector(packed: Sequence[Any]) -> FloatArray:
    """(d,) float32 of unit norm."""
    vector = np.zeros(packed[0], np.float32)
    known = np.frombuffer(base64.b64decode(packed[1]), np.float16)
    vector[: len(known)] = known
    unit: FloatArray = (vector / max(float(np.linalg.norm(vector)), 1e-6)).astype(np.float32)
    return unit


def _unpack_head(packed: Mapping[str, Any]) -> SeenHead:
    return SeenHead(
        landmarks=np.array(packed["landmarks"], np.float32).reshape(-1, 2),
        vector=unpack_vector(packed["vector"]),
        liveness=packed["liveness"],
        tone=packed["tone"],
        is_alone=packed["alone"],
    )
