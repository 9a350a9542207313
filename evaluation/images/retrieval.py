"""Photos with labels, how many of the right ones are found among them, and the calibration that fits their pairs."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.core.image_embedding import SimilarityCalibration
from app.types import FloatArray, Image

_BATCH = 8
# A picture of another kind is the likelier one beforehand. With a half, many searches for what no photo shows find
# something at 0.7; with three quarters, suitcases are not found there.
_WRONG_SHARE = 2 / 3


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Photos with a label each, and their vectors (n, d)."""

    labels: list[str]
    vectors: FloatArray


def read_photos(folder: Path, label_column: str, embed: Callable[[Sequence[Image]], FloatArray]) -> PhotoSet:
    """The photos that ``labels.csv`` of the folder lists."""
    with (folder / "labels.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    batches = [rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH)]
    vectors = [embed([read_image(folder / row["file"]) for row in batch]) for batch in batches]
    return PhotoSet([row[label_column] for row in rows], np.concatenate(vectors))


def read_image(path: Path) -> Image:
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path} is no picture")
    return image.astype(np.uint8)


def precision_by_picture(photos: PhotoSet, *, nearest: int) -> tuple[int, int]:
    """How many of the photos' nearest others carry their label, and how many were looked at.

    A label with fewer others asks for those only, a label of one photo for none.
    """
    labels = np.array(photos.labels)
    cosines = photos.vectors @ photos.vectors.T
    np.fill_diagonal(cosines, -np.inf)
    right = looked_at = 0
    for row, label in zip(cosines, labels, strict=True):
        others = int((labels == label).sum()) - 1
        found = np.argsort(-row)[: min(nearest, others)]
        right += int((labels[found] == label).sum())
        looked_at += len(found)
    return right, looked_at


def precision_by_words(
    queries: Sequence[tuple[FloatArray, set[str]]], photos: PhotoSet, *, nearest: int = 3
) -> tuple[int, int]:
    """How many of the nearest photos of the queries are right, or of as many as there are; and of how many."""
    labels = np.array(photos.labels)
    right = looked_at = 0
    for query, wanted in queries:
        is_right = np.isin(labels, list(wanted))
        found = np.argsort(-(photos.vectors @ query))[: min(nearest, int(is_right.sum()))]
        right += int(is_right[found].sum())
        looked_at += len(found)
    return right, looked_at


def recall_of_claims(
    claims: Sequence[tuple[FloatArray, str]], finds: PhotoSet, *, others: PhotoSet, nearest: int = 5
) -> tuple[int, int]:
    """How often a find that comes after its claim is among the nearest, and of how many claims and finds.

    Each find of a claim's label is held against it alone, among all finds of other labels and the other photos.
    """
    labels = np.array(finds.labels)
    found = looked_at = 0
    for vector, label in claims:
        cosines = finds.vectors @ vector
        wrong = np.concatenate([cosines[labels != label], others.vectors @ vector])
        nearer = (wrong[None] >= cosines[labels == label][:, None]).sum(axis=1)
        found += int((nearer < nearest).sum())
        looked_at += len(nearer)
    return found, looked_at


def fit_calibration(right: FloatArray, wrong: FloatArray) -> SimilarityCalibration:
    """Logistic regression by Newton's method; the wrong hits weigh twice as much as the right ones, however many there
    are of each."""
    x = np.concatenate([right, wrong]).astype(np.float64)
    y = np.concatenate([np.ones(len(right)), np.zeros(len(wrong))])
    weight = np.where(y == 1, (1 - _WRONG_SHARE) / len(right), _WRONG_SHARE / len(wrong))
    design = np.stack([x, np.ones_like(x)], axis=1)
    beta = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weight * (y - p)) - 1e-6 * beta
        hessian = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-6 * np.eye(2)
        beta += np.linalg.solve(hessian, gradient)
    return SimilarityCalibration(slope=float(beta[0]), intercept=float(beta[1]))
