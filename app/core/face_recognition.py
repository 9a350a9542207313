"""Who a face is, as far as numbers can tell: detect, align, embed, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.calibration import MatchCalibration
from app.core.crops import spread_tones
from app.core.face_alignment import CROP_PX, align
from app.core.face_detection import FaceDetector
from app.core.picture_network import PictureNetwork
from app.errors import ConfigurationError
from app.types import Embedding, Face, FloatArray, Image

_CROPS_AT_ONCE = 16  # bounds the memory of one forward pass
_DULL_RANGE = 90.0  # of 255, of an aligned face; one in a hundred of LFW's spans less than 117


@dataclass(frozen=True, slots=True)
class FaceTemplate:
    """A face ready to be kept, with what its network betrays of the picture's worth.

    Attributes:
        embedding: of the face and its mirror image together.
        norm: length of the embedding before it was normalised; short where the network recognised little.
        mirror_agreement: cosine between the face and its mirror image; low where light, pose or a hand got in the way.
    """

    embedding: Embedding
    norm: float
    mirror_agreement: float


class FaceRecognitionEngine:
    """Faces to embeddings. Age and gender are not computed.

    Args:
        detector: finds faces and their landmarks.
        embedder: an ArcFace-like network: aligned crops → embeddings of any length.
        model_id: of the embedder; embeddings of different ids are never compared.
        dimension: of the embeddings; zeros fill up what the network answers, which changes no cosine. The collections
            of a contract have one length, whichever network is behind them.
        calibration: from cosines to match probabilities.
        plain_norm: length of a raw embedding from which its crop certainly shows a face that stands upright.
    """

    def __init__(
        self,
        detector: FaceDetector,
        embedder: PictureNetwork,
        *,
        model_id: str,
        dimension: int,
        calibration: MatchCalibration,
        plain_norm: float,
    ) -> None:
        self.model_id = model_id
        self.plain_norm = plain_norm
        self.calibration = calibration
        self._detector = detector
        self._embedder = embedder
        self._dimension = dimension

    def detect_faces(self, image: Image) -> list[Face]:
        """All faces of a BGR picture, surest first."""
        return self._detector.detect([image])[0]

    def detect_dominant_faces(self, image: Image) -> list[Face]:
        """As ``detect_faces``, but small faces beside a much larger one may be left out where that saves time."""
        return self._detector.detect_dominant([image])[0]

    def extract_embedding(self, image: Image) -> FloatArray | None:
        """The embedding of the largest face, (d,) float32 of unit norm; None where there is no face."""
        face = largest_face(self.detect_dominant_faces(image))
        return None if face is None else self.embed(image, [face])[0].embedding.vector

    def align(self, image: Image, faces: Sequence[Face]) -> list[Image]:
        """Each face upright in a (112, 112, 3) uint8 crop, as the embedder sees it."""
        return [align(image, face.landmarks) for face in faces]

    def embed(self, image: Image, faces: Sequence[Face]) -> list[FaceTemplate]:
        """Templates to enrol, in order. Costs two crops a face."""
        return self.embed_aligned(self.align(image, faces))

    def embed_aligned(self, crops: Sequence[Image]) -> list[FaceTemplate]:
        """As ``embed``, of crops that ``align`` made."""
        raw = self._run([*crops, *(np.ascontiguousarray(crop[:, ::-1]) for crop in crops)])
        return [
            self._template(face, mirrored) for face, mirrored in zip(raw[: len(crops)], raw[len(crops) :], strict=True)
        ]

    def embed_probes(self, image: Image, faces: Sequence[Face]) -> list[Embedding]:
        """Embeddings to search with, in order, from one crop a face.

        Half the price of a template; the mirror image on both sides gains little over having it in the gallery alone
        (docs/benchmarks.md).
        """
        return self.embed_aligned_probes(self.align(image, faces))

    def embed_aligned_probes(self, crops: Sequence[Image]) -> list[Embedding]:
        """As ``embed_probes``, of crops that ``align`` made."""
        return [Embedding(unit_vector(vector), self.model_id) for vector in self._run(crops)]

    def norm_of(self, image: Image, face: Face) -> float:
        """Length of the face's embedding before it is normalised; short where the network recognises little."""
        [raw] = self._run(self.align(image, [face]))
        return float(np.linalg.norm(raw))

    def compare_embeddings(
        self, embedding1: Embedding | NDArray[np.floating], embedding2: Embedding | NDArray[np.floating]
    ) -> float:
        """Cosine similarity, 0 to 1; opposed vectors count as unlike.

        Raises:
            ValueError: the embeddings are of different models.
        """
        models = {e.model_id for e in (embedding1, embedding2) if isinstance(e, Embedding)}
        if len(models) > 1:
            raise ValueError(f"embeddings of {' and '.join(sorted(models))} cannot be compared")
        a, b = (unit_vector(e.vector if isinstance(e, Embedding) else e) for e in (embedding1, embedding2))
        return min(max(float(a @ b), 0.0), 1.0)

    def warm_up(self) -> None:
        """Every network once, in the batches of a probe and of a template."""
        self._detector.warm_up()
        blank = np.zeros((CROP_PX, CROP_PX, 3), np.uint8)
        self._run([blank])
        self._run([blank, blank])

    def _run(self, crops: Sequence[Image]) -> list[FloatArray]:
        crops = [_clear(crop) for crop in crops]
        vectors: list[FloatArray] = []
        for start in range(0, len(crops), _CROPS_AT_ONCE):
            [output] = self._embedder.run(crops[start : start + _CROPS_AT_ONCE])
            missing = self._dimension - output.shape[1]
            if missing < 0:
                raise ConfigurationError(
                    f"{self.model_id} answers {output.shape[1]} numbers, more than the {self._dimension} that are kept."
                )
            vectors.extend(np.pad(output, ((0, 0), (0, missing))))
        return vectors

    def _template(self, raw: FloatArray, mirrored: FloatArray) -> FaceTemplate:
        face, mirror = unit_vector(raw), unit_vector(mirrored)
        return FaceTemplate(
            embedding=Embedding(unit_vector(raw + mirrored), self.model_id),
            norm=float(np.linalg.norm(raw)),
            mirror_agreement=float(face @ mirror),
        )


def _clear(crop: Image) -> Image:
    """The crop, with its tones spread where haze or darkness left few: the network recognises more in it."""
    spread = spread_tones(crop, dull_range=_DULL_RANGE)
    return crop if spread is None else spread


def largest_face(faces: Sequence[Face]) -> Face | None:
    """The face with the largest box; None where there is none."""
    return max(faces, key=lambda face: face.box.area, default=None)


def unit_vector(vector: NDArray[np.floating]) -> FloatArray:
    """The vector at length one; a zero vector stays zero."""
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 0 else vector).astype(np.float32)
