"""The photos that the second opinion on liveness is taught with, as cues: real attacks, and living people."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from app.core.attack_cues import attack_cues
from app.core.face_recognition import largest_face
from app.core.features import mirror
from app.ml_models.factories.face import build_close_view, build_face_detector, build_first_liveness
from app.ml_models.model_loader import ModelLoader
from app.types import Box, FloatArray, Image
from evaluation.faces.photos import read_image, read_labels

LFW = "faces_lfw"
_LIVING: Mapping[str, Callable[[Mapping[str, str]], bool]] = {
    LFW: lambda _: True,
    "faces_asian": lambda row: row["source"] == "asian_faces_nz",  # the others are tight crops
    "faces_covered": lambda row: row["source"] == "chandrikadeb" and row["label"] == "uncovered",
    "faces_press": lambda _: True,
}

_PARTS = 4


@dataclass(frozen=True, slots=True)
class AttackPhoto:
    """A labelled photo with the cues of its face and of its mirror image.

    Attributes:
        source: where it is from.
        fold: what is left out together: the source, and of LFW a quarter of its people.
        kind: of attack, or of camera.
        cues: (2, d) float32.
    """

    source: str
    fold: str
    kind: str
    is_attack: bool
    is_tight: bool
    is_uncertain: bool
    cues: FloatArray


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    source: str
    kind: str
    person: str
    is_attack: bool
    is_tight: bool

    @property
    def fold(self) -> str:
        if self.source != LFW:
            return self.source
        return f"{self.source}, part {zlib.crc32(self.person.encode()) % _PARTS}"


def read_photos(loader: ModelLoader, data_dir: Path, cache_dir: Path | None) -> list[AttackPhoto]:
    """Every labelled photo in which a face is found."""
    reader = _CueReader(loader, cache_dir)
    photos = []
    for entry in tqdm(list(_entries(data_dir)), unit="photo"):
        cues, is_uncertain = reader.read(entry.path)
        if cues.size:
            photos.append(
                AttackPhoto(entry.source, entry.fold, entry.kind, entry.is_attack, entry.is_tight, is_uncertain, cues)
            )
    return photos


def _entries(data_dir: Path) -> Iterator[_Entry]:
    for row in read_labels(data_dir / "spoof2"):
        path, is_attack = data_dir / "spoof2" / row["file"], row["label"] != "live"
        yield _Entry(path, row["source"], row["type"], row["identity"], is_attack, "tight" in row["note"])
    for row in read_labels(data_dir / "spoof"):
        path = data_dir / "spoof" / row["file"]
        yield _Entry(path, "web", row["attack"], "", row["label"] != "live", is_tight=False)
    for folder, is_wanted in _LIVING.items():
        seen: set[str] = set()
        for row in filter(is_wanted, read_labels(data_dir / folder)):
            if folder == LFW and row["identity"] in seen:
                continue
            seen.add(row["identity"])
            path = data_dir / folder / row["file"]
            yield _Entry(path, folder, "web", row["identity"], is_attack=False, is_tight=False)


class _CueReader:
    """Cues of photos, computed once where there is a folder to keep them in."""

    def __init__(self, loader: ModelLoader, cache_dir: Path | None) -> None:
        self._detector = build_face_detector(loader, min_score=0.9)
        self._liveness = build_first_liveness(loader, min_score=0.5)
        self._close = build_close_view(loader)
        self._cache_dir = cache_dir

    def read(self, path: Path) -> tuple[FloatArray, bool]:
        """(2, d) float32 of the largest face and of its mirror image, empty where there is none; whether the service
        would say that it can't tell, whatever the score."""
        name = f"{path.parent.parent.name}_{path.parent.name}_{path.stem}.npz"
        kept = self._cache_dir / name if self._cache_dir else None
        if kept is not None and kept.is_file():
            with np.load(kept) as known:
                return known["cues"], bool(known["is_uncertain"])
        cues, is_uncertain = self._cues(read_image(path))
        if kept is not None:
            np.savez(kept, cues=cues, is_uncertain=is_uncertain)
        return cues, is_uncertain

    def _cues(self, image: Image) -> tuple[FloatArray, bool]:
        face = largest_face(self._detector.detect_dominant([image])[0])
        if face is None:
            return np.empty((0, 0), np.float32), True
        [verdict] = self._liveness.assess(image, [face])
        box, width = face.box, image.shape[1]
        turned = Box(width - box.x2, box.y1, width - box.x1, box.y2)
        cues = np.stack([self._cues_of(image, box), self._cues_of(mirror(image), turned)])
        return cues, verdict.uncertain is not None

    def _cues_of(self, image: Image, box: Box) -> FloatArray:
        answers, first = self._liveness.answers(image, [box]), self._liveness.scores(image, [box])
        [cues] = attack_cues(self._close, image, [box], answers=answers, first=first)
        return np.asarray(cues, np.float32)
