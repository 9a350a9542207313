"""Who is it? Enrol one or two photos of each person, search with the others and with strangers.

Thresholds and calibration are the pack's, which were fitted to people of these sets. To show how far the calibration
depends on whom it was fitted to, it is fitted again on one half of the people and used on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.calibration import MatchCalibration
from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.types import FloatArray, Image
from evaluation.faces.photos import files_by_person, on_canvas, read_image, read_labels
from evaluation.figures import Share

MIN_CONFIDENCE = 0.7
"""The shipped FACE_RECOGNITION_THRESHOLD."""

_DRAWS, _SEED = 2000, 0  # of people, for intervals


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo as the service would use it: ``template`` when it is enrolled, ``probe`` when it is searched with."""

    template: FloatArray
    probe: FloatArray


People = Mapping[str, Sequence[Photo | None]]
"""Each person's photos in order; None where no face was found."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Searches of one gallery: for each probe the cosine of the nearest person and whether that is the right one."""

    people: int
    mates: NDArray[np.float64]
    right: NDArray[np.bool_]
    strangers: NDArray[np.float64]


def read_people(
    engine: FaceRecognitionEngine, folder: Path, prepare: Callable[[Image], Image], *, source: str | None = None
) -> People:
    """Detect, align and embed every photo of a folder, or of one of its sources, on the shipped path."""
    rows = [row for row in read_labels(folder) if source is None or row["source"] == source]
    people = files_by_person(folder, rows)
    return {name: [_read_photo(engine, prepare(read_image(path))) for path in paths] for name, paths in people.items()}


def evaluate_people(engine: FaceRecognitionEngine, data_dir: Path) -> list[Share]:
    """LFW (tight crops in the middle of a 640×480 frame) and faces_asian by source, at the shipped calibration."""
    lfw = read_people(engine, data_dir / "faces_lfw", on_canvas)
    web = read_people(engine, data_dir / "faces_asian", lambda image: image, source="asian_faces_nz")
    tight = read_people(engine, data_dir / "faces_asian", _unstretched, source="rmfrd_subset")
    shares = [_found("LFW", lfw), _found("Asian web photos", web), _found("Asian tight crops", tight)]
    one, two = (search(lfw, enrolled=count) for count in (1, 2))
    shares += _shares("LFW, 1 photo", one, engine.calibration, max_fnir=0.025, max_fpir=0.01, min_rank_1=0.99)
    shares += _shares("LFW, 2 photos", two, engine.calibration, max_fnir=0.02, max_fpir=None, min_rank_1=None)
    for label, people in (("Asian web photos", web), ("Asian tight crops", tight)):
        found = search(people, enrolled=1)
        shares += _shares(f"{label}, 1 photo", found, engine.calibration, max_fnir=None, max_fpir=None, min_rank_1=None)
    for label, people in (("LFW", lfw), ("Asian web photos", web), ("Asian tight crops", tight)):
        shares += pair_shares(label, people, engine.calibration)
    for half in (0, 1):
        own = [_half(people, half) for people in (lfw, web)]
        fitted = fit_calibration(*(_half(people, 1 - half) for people in (lfw, web)))
        bar = f"half of the people, fitted on the other half ({fitted.slope:.1f}, {fitted.intercept:.1f})"
        shares += pair_shares(f"LFW, {bar}", own[0], fitted)
        shares += pair_shares(f"Asian web photos, {bar}", own[1], fitted)
    return shares


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
        for pairs, is_same in zip(_pair_cosines(people), (True, False), strict=True):
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


def pair_shares(label: str, people: People, calibration: MatchCalibration) -> list[Share]:
    """FMR and FNMR of single pairs at the shipped threshold, with intervals by drawing the people again."""
    bar = calibration.cosine(MIN_CONFIDENCE)
    matches, pairs = _pairs_by_person(people, bar)
    other = ~np.eye(len(pairs), dtype=bool)
    rng = np.random.default_rng(_SEED)
    rates = []
    for _ in range(_DRAWS):
        drawn = np.bincount(rng.integers(0, len(pairs), len(pairs)), minlength=len(pairs)).astype(np.float64)
        weights = np.outer(drawn, drawn) * other
        rates.append((weights * matches).sum() / max((weights * pairs).sum(), 1.0))
    low, high = (float(rate) for rate in np.quantile(rates, (0.025, 0.975)))
    at = f"of one pair at {MIN_CONFIDENCE} (cosine {bar:.3f})"
    genuine, _ = _pair_cosines(people)
    return [
        Share(
            f"{label}: FMR {at}",
            int(matches[other].sum()),
            int(pairs[other].sum()),
            better="lower",
            drawn_interval=(low, high),
        ),
        Share(f"{label}: FNMR {at}", int((genuine < bar).sum()), len(genuine), better="lower"),
    ]


def _pair_cosines(people: People) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cosines of each photo as probe with each other one as template: of one person, and of two."""
    names, cosines = _cosines(people)
    same = names[:, None] == names[None, :]
    other_photo = ~np.eye(len(names), dtype=bool)
    return cosines[same & other_photo], cosines[~same]


def _pairs_by_person(people: People, bar: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(people, people): how many pairs of theirs match, and how many there are."""
    names, cosines = _cosines(people)
    _, owners = np.unique(names, return_inverse=True)
    of_person = np.eye(owners.max() + 1)[owners]
    counts = of_person.sum(axis=0)
    return of_person.T @ (cosines >= bar) @ of_person, np.outer(counts, counts)


def _cosines(people: People) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    photos = [(name, photo) for name, photos in people.items() for photo in photos if photo is not None]
    probes, templates = (
        np.stack([getattr(photo, part) for _, photo in photos]).astype(np.float64) for part in ("probe", "template")
    )
    return np.array([name for name, _ in photos]), probes @ templates.T


def _half(people: People, half: int) -> People:
    return {name: people[name] for name in list(people)[half::2]}


def _found(label: str, people: People) -> Share:
    photos = [photo for photos in people.values() for photo in photos]
    return Share(f"{label}: a face is found", sum(photo is not None for photo in photos), len(photos))


def _unstretched(image: Image) -> Image:
    """A square that was stretched from an upright crop, at its proportions in the middle of a frame."""
    return on_canvas(cv2.resize(image, (160, 200), interpolation=cv2.INTER_LINEAR).astype(np.uint8))


def _shares(
    label: str,
    found: SearchResult,
    calibration: MatchCalibration,
    *,
    max_fnir: float | None,
    max_fpir: float | None,
    min_rank_1: float | None,
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
