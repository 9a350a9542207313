"""What a person's photos lack before they are a good gallery. Advice, not a refusal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from app.core.face_quality import FaceAngle, FaceLight


class GalleryGap(StrEnum):
    """What is missing; stable codes for the caller."""

    ONE_PHOTO = "one_photo"
    NO_FRONTAL = "no_frontal"
    NO_TURNED = "no_turned"
    DIM_LIGHT = "dim_light"
    UNEVEN_LIGHT = "uneven_light"


_ADVICE = {
    GalleryGap.ONE_PHOTO: "One photo is enrolled; add one of another day or in other light.",
    GalleryGap.NO_FRONTAL: "No photo looks straight at the camera; add one that does.",
    GalleryGap.NO_TURNED: "All photos look straight; add one turned a little to the left, and one to the right.",
    GalleryGap.DIM_LIGHT: "The photos are dark; add one in the light of the place where people check in.",
    GalleryGap.UNEVEN_LIGHT: "The light comes from one side; add a photo with light from the front.",
}


@dataclass(frozen=True, slots=True)
class GalleryAdvice:
    """A gap, and what to do about it."""

    reason: GalleryGap
    message: str


def gallery_advice(angles: Collection[str | None], lights: Collection[FaceLight]) -> tuple[GalleryAdvice, ...]:
    """What to add, the most useful first.

    Args:
        angles: of all templates that count, as ``FaceAngle`` has them; None where it is not known.
        lights: of the photos at hand. One that is well lit is enough.
    """
    gaps = (
        (GalleryGap.ONE_PHOTO, len(angles) == 1),
        (GalleryGap.NO_FRONTAL, FaceAngle.FRONTAL not in angles),
        (GalleryGap.NO_TURNED, set(angles) == {FaceAngle.FRONTAL}),
        (GalleryGap.DIM_LIGHT, set(lights) == {FaceLight.DIM}),
        (GalleryGap.UNEVEN_LIGHT, set(lights) == {FaceLight.UNEVEN}),
    )
    return tuple(GalleryAdvice(gap, _ADVICE[gap]) for gap, is_open in gaps if is_open)
