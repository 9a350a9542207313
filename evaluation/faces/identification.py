"""Who is it? Enrol one or two photos of each person, search with the others and with strangers.

Nothing is fitted to these photos: thresholds and calibration are the pack's. To show how far the calibration depends
on the people it was fitted to, it is fitted anew on one half of the people and used on the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.calibration import MatchCalibration
from app.core.face_recognition import FaceRecognitionEngine, largest_face
from app.types import FloatArray, Image
from evaluation.faces.photos import files_by_person, on_canvas, read_image, read_labels
from evaluation.figures import Share

MIN_CONFIDENCE = 0.7
"""The shipped FACE_RECOGNITION_THRESHOLD."""


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


def read_people(engine: FaceRecognitionEngine, folder: Path, prepare: Callable[[Image], Image]) -> People:
    """Detect, align and embed every photo of a folder on the shipped path."""
    people = files_by_person(folder, read_labels(folder))
    return {name: [_read_photo(engine, prepare(read_image(path))) for path in paths] for name, paths in people.items()}


def evaluate_lfw(engine: FaceRecognitionEngine, folder: Path) -> list[Share]:
    """The figures on tight 150 px crops in the middle of a 640×480 frame."""
    people = read_people(engine, folder, on_canvas)
    photos = [photo for photos in people.values() for photo in photos]
    shares = [Share("LFW: a face is found", sum(photo is not None for photo in photos), len(photos))]
    one, two = (search(people, enrolled=count) for count in (1, 2))
    shares += _shares("LFW, 1 photo", one, engine.calibration, max_fnir=0.045, max_fpir=0.015, min_rank_1=0.99)
    shares += _shares("LFW, 2 photos", two, engine.calibration, max_fnir=0.02, max_fpir=None, min_rank_1=None)
    halves = [{name: people[name] for name in list(people)[half::2]} for half in (0, 1)]
    for own, other in (halves, halves[::-1]):
        fitted = fit_calibration(other)
        label = (
            f"LFW, 1 photo, half of the people, fitted on the other half ({fitted.slope:.1f}, {fitted.intercept:.1f})"
        )
        shares += _shares(label, search(own, enrolled=1), fitted, max_fnir=None, max_fpir=None, min_rank_1=None)
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


def fit_calibration(people: People) -> MatchCalibration:
    """Logistic regression of "same person" on the cosine, both outcomes weighted alike, by Newton's method."""
    photos = [(name, photo) for name, photos in people.items() for photo in photos if photo is not None]
    names = np.array([name for name, _ in photos])
    cosines = np.stack([photo.probe for _, photo in photos]) @ np.stack([photo.template for _, photo in photos]).T
    same = names[:, None] == names[None, :]
    other_photo = ~np.eye(len(photos), dtype=bool)
    positive, negative = cosines[same & other_photo], cosines[~same]
    x = np.concatenate([positive, negative]).astype(np.float64)
    y = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    weights = np.repeat([0.5 / len(positive), 0.5 / len(negative)], [len(positive), len(negative)])
    design, beta = np.column_stack([x, np.ones_like(x)]), np.array([20.0, -6.0])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-design @ beta))
        gradient = design.T @ (weights * (p - y))
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design
        beta -= np.linalg.solve(curvature, gradient)
    return MatchCalibration(slope=float(beta[0]), intercept=float(beta[1]))


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
