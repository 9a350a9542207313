"""Who is it? Enrol one or two photos of each person, search with the others and with strangers.

Thresholds and calibration are the pack's, which were fitted to people of these sets. To show how far the calibration
depends on whom it was fitted to, it is fitted again on one half of the people and used on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.calibration import MatchCalibration
from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.types import Image
from evaluation.faces.pairs import MIN_CONFIDENCE, People, Photo, pair_cosines, pair_shares
from evaluation.faces.photos import files_by_person, on_canvas, read_image, read_labels, unstretched
from evaluation.figures import Share


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Searches of one gallery: for each probe the cosine of the nearest person and whether that is the right one."""

    people: int
    mates: NDArray[np.float64]
    right: NDArray[np.bool_]
    strangers: NDArray[np.float64]


def read_people(
    engine: FaceRecognitionEngine,
    folder: Path,
    prepare: Callable[[Image], Image],
    is_wanted: Callable[[Mapping[str, str]], bool] = lambda _: True,
) -> People:
    """Detect, align and embed every photo of a folder whose row is wanted, on the shipped path."""
    people = files_by_person(folder, [row for row in read_labels(folder) if is_wanted(row)])
    return {name: [_read_photo(engine, prepare(read_image(path))) for path in paths] for name, paths in people.items()}


def evaluate_people(engine: FaceRecognitionEngine, data_dir: Path) -> list[Share]:
    """LFW (tight crops in the middle of a 640×480 frame) and faces_asian by source, at the shipped calibration."""
    lfw = read_people(engine, data_dir / "faces_lfw", on_canvas)
    asian = data_dir / "faces_asian"
    web = read_people(engine, asian, lambda image: image, lambda row: row["source"] == "asian_faces_nz")
    tight = read_people(engine, asian, unstretched, lambda row: row["source"] == "rmfrd_subset")
    others = {"Asian web photos": web, "Asian tight crops": tight}
    shares = [_found(label, people) for label, people in {"LFW": lfw, **others}.items()]
    one, two = (search(lfw, enrolled=count) for count in (1, 2))
    shares += _shares("LFW, 1 photo", one, engine.calibration, max_fnir=0.025, max_fpir=0.01, min_rank_1=0.99)
    shares += _shares("LFW, 2 photos", two, engine.calibration, max_fnir=0.02)
    for label, people in others.items():
        shares += _shares(f"{label}, 1 photo", search(people, enrolled=1), engine.calibration)
    shares += pair_shares("LFW", lfw, engine.calibration)
    for label, people in others.items():
        shares += pair_shares(label, people, engine.calibration, beside=lfw)
    for half in (0, 1):
        own = [_half(people, half) for people in (lfw, web)]
        fitted = fit_calibration(*(_half(people, 1 - half) for people in (lfw, web)))
        bar = f"half of the people, fitted on the other half ({fitted.slope:.1f}, {fitted.intercept:.1f})"
        shares += pair_shares(f"LFW, {bar}", own[0], fitted)
        shares += pair_shares(f"Asian web photos, {bar}", own[1], fitted)
    return shares


def evaluate_masked_people(engine: FaceRecognitionEngine, data_dir: Path) -> list[Share]:
    """faces_covered's people, in tight stretched crops: bare ones, and masked ones against their bare templates."""
    bare, masked = (
        read_people(engine, data_dir / "faces_covered", unstretched, partial(_is_crop_of, label=label))
        for label in ("uncovered", "covered")
    )
    label, at_bare = "faces_covered, bare tight crops", search(bare_first(bare, masked), enrolled=1)
    return [
        _found(label, bare),
        *_shares(f"{label}, 1 photo", search(bare, enrolled=1), engine.calibration),
        *pair_shares(label, bare, engine.calibration),
        *_shares("faces_covered, masked tight crops, 1 bare photo", at_bare, engine.calibration),
    ]


def _is_crop_of(row: Mapping[str, str], label: str) -> bool:
    return row["source"] == "rmfrd_subset" and row["label"] == label and bool(row["identity"])


def bare_first(bare: People, masked: People) -> People:
    """Each person's first bare photo, which is enrolled, and then the masked ones, which are searched with."""
    first = {name: next((photo for photo in photos if photo is not None), None) for name, photos in bare.items()}
    return {name: [photo, *masked[name]] for name, photo in first.items() if photo is not None and name in masked}


def evaluate_press(engine: FaceRecognitionEngine, folder: Path) -> list[Share]:
    """Full-size photos: the first of each person is enrolled."""
    people = read_people(engine, folder, lambda image: image)
    found = search(people, enrolled=1)
    return [Share("press photos, 1 photo: rank-1", int(found.right.sum()), len(found.right), target=1.0)]


def search(people: People, *, enrolled: int) -> SearchResult:
    """Enrol the first photos of everybody who has more than ``enrolled``; the best template of a person counts.

    Strangers are the people with too few photos, and every probe once more against a gallery without its own person.
    A photo without a face fails as a probe and is skipped at the enrolment.
    """
    gallery = {
        name: [photo for photo in photos[:enrolled] if photo is not None]
        for name, photos in people.items()
        if len(photos) > enrolled
    }
    gallery = {name: photos for name, photos in gallery.items() if photos}
    templates = np.stack([photo.template for photos in gallery.values() for photo in photos])
    owners = np.array([index for index, photos in enumerate(gallery.values()) for _ in photos])
    mates, right, strangers = [], [], []
    for name, photos in people.items():
        own = list(gallery).index(name) if name in gallery else None
        for photo in photos[enrolled:] if own is not None else photos[:1]:
            best = np.full(len(gallery), -1.0)
            if photo is not None:
                np.maximum.at(best, owners, templates @ photo.probe)
            if own is not None:
                mates.append(best.max())
                right.append(photo is not None and int(best.argmax()) == own)
                best[own] = -1.0
            strangers.append(best.max())
    return SearchResult(len(gallery), np.array(mates), np.array(right), np.array(strangers))


def fit_calibration(*populations: People) -> MatchCalibration:
    """Logistic regression of "same person" on the cosine by Newton's method; populations and outcomes weigh alike."""
    cosines, same, weights = [], [], []
    for people in populations:
        for pairs, is_same in zip(pair_cosines(people), (True, False), strict=True):
            cosines.append(pairs)
            same.append(np.full(len(pairs), float(is_same)))
            weights.append(np.full(len(pairs), 0.5 / len(pairs)))
    x, y, w = (np.concatenate(parts) for parts in (cosines, same, weights))
    design, beta = np.column_stack([x, np.ones_like(x)]), np.array([20.0, -6.0])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-design @ beta))
        gradient = design.T @ (w * (p - y))
        curvature = (design * (w * p * (1 - p))[:, None]).T @ design
        beta -= np.linalg.solve(curvature, gradient)
    return MatchCalibration(slope=float(beta[0]), intercept=float(beta[1]))


def _half(people: People, half: int) -> People:
    return {name: people[name] for name in list(people)[half::2]}


def _found(label: str, people: People) -> Share:
    photos = [photo for photos in people.values() for photo in photos]
    return Share(f"{label}: a face is found", sum(photo is not None for photo in photos), len(photos))


def _shares(
    label: str,
    found: SearchResult,
    calibration: MatchCalibration,
    *,
    max_fnir: float | None = None,
    max_fpir: float | None = None,
    min_rank_1: float | None = None,
) -> list[Share]:
    bar = calibration.cosine(MIN_CONFIDENCE, people=found.people)
    missed = int((~found.right | (found.mates < bar)).sum())
    at = f"at {MIN_CONFIDENCE} (cosine {bar:.3f}) among {found.people}"
    return [
        Share(f"{label}: rank-1 among {found.people}", int(found.right.sum()), len(found.right), target=min_rank_1),
        Share(f"{label}: FNIR {at}", missed, len(found.mates), target=max_fnir, better="lower"),
        Share(
            f"{label}: FPIR {at}",
            int((found.strangers >= bar).sum()),
            len(found.strangers),
            target=max_fpir,
            better="lower",
        ),
    ]


def _read_photo(engine: FaceRecognitionEngine, image: Image) -> Photo | None:
    face = largest_face(engine.detect_dominant_faces(image))
    if face is None:
        return None
    [template], [probe] = engine.embed(image, [face]), engine.embed_probes(image, [face])
    return Photo(template.embedding.vector, probe.vector)
