"""Covered faces: how many are found, and whom they match at the shipped threshold.

Masks and glasses on LFW are drawn on the aligned crops, and say so; those of faces_covered were worn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.types import Image
from evaluation.faces.pairs import MIN_CONFIDENCE
from evaluation.faces.photos import on_canvas, read_image, read_labels, unstretched
from evaluation.figures import Share
from scripts.heads.drawn_covers import EYES, LOWER

_SEED = 3
_STEP = 3  # of LFW's people


def evaluate_worn(engine: FaceRecognitionEngine, data_dir: Path) -> list[Share]:
    """Worn masks of strangers: how many are found, and matches with bare templates and with each other."""
    bar = engine.calibration.cosine(MIN_CONFIDENCE)
    _, crops = _lfw(engine, data_dir / "faces_lfw")
    templates = np.stack([template.embedding.vector for template in engine.embed_aligned(crops)])
    shares = []
    for source in ("chandrikadeb", "rmfrd_subset"):
        people, worn, asked = _worn(engine, data_dir / "faces_covered", source)
        shares.append(Share(f"{source}, worn mask: a face is found", len(worn), asked))
        vectors = np.stack([template.embedding.vector for template in engine.embed_aligned(worn)])
        shares.append(_matches(f"{source}, worn mask against LFW's bare templates: FMR", vectors @ templates.T, bar))
        if len(set(people)) > 1:
            other = people[:, None] != people[None, :]
            label = f"{source}, worn mask against another's worn mask: FMR"
            shares.append(_matches(label, (vectors @ vectors.T)[other], bar))
    return shares


def evaluate_drawn(engine: FaceRecognitionEngine, data_dir: Path) -> list[Share]:
    """Drawn covers against their own person and others."""
    bar = engine.calibration.cosine(MIN_CONFIDENCE)
    names, crops = _lfw(engine, data_dir / "faces_lfw")
    templates = np.stack([template.embedding.vector for template in engine.embed_aligned(crops)])
    rng = np.random.default_rng(_SEED)
    shares = []
    same = (names[:, None] == names[None, :]) & ~np.eye(len(names), dtype=bool)
    for kind, draw in {**LOWER, **EYES}.items():
        drawn = engine.embed_aligned([draw(crop, rng) for crop in crops])
        cosines = np.stack([template.embedding.vector for template in drawn]) @ templates.T
        shares.append(
            _matches(f"LFW, {kind} against bare templates of the same person: recognised", cosines[same], bar)
        )
        shares.append(
            _matches(f"LFW, {kind} against other people: FMR", cosines[names[:, None] != names[None, :]], bar)
        )
    return shares


def _matches(label: str, cosines: NDArray[np.floating], bar: float) -> Share:
    return Share(f"{label} at {MIN_CONFIDENCE}", int((cosines >= bar).sum()), cosines.size)


def _lfw(engine: FaceRecognitionEngine, folder: Path) -> tuple[NDArray[np.str_], Sequence[Image]]:
    """Names and aligned crops of every third person."""
    chosen = set(sorted({row["identity"] for row in read_labels(folder)})[::_STEP])
    rows = [row for row in read_labels(folder) if row["identity"] in chosen]
    found = [(row["identity"], _aligned(engine, on_canvas(read_image(folder / row["file"])))) for row in rows]
    kept = [(name, crop) for name, crop in found if crop is not None]
    return np.array([name for name, _ in kept]), [crop for _, crop in kept]


def _worn(engine: FaceRecognitionEngine, folder: Path, source: str) -> tuple[NDArray[np.str_], list[Image], int]:
    """Identities (empty where unknown), aligned crops, and how many photos there are."""
    rows = [row for row in read_labels(folder) if row["source"] == source and row["label"] == "covered"]
    found = [(row["identity"], _aligned(engine, _framed(read_image(folder / row["file"]), source))) for row in rows]
    kept = [(name, crop) for name, crop in found if crop is not None]
    return np.array([name for name, _ in kept]), [crop for _, crop in kept], len(rows)


def _framed(image: Image, source: str) -> Image:
    return unstretched(image) if source == "rmfrd_subset" else image


def _aligned(engine: FaceRecognitionEngine, image: Image) -> Image | None:
    face = largest_face(engine.detect_dominant_faces(image))
    return None if face is None else engine.align(image, [face])[0]
