"""What is advised after an enrolment, and that a good gallery gets no advice."""

from __future__ import annotations

import pytest

from app.core.face_quality import FaceAngle, FaceLight
from app.core.gallery_advice import GalleryGap, gallery_advice

FRONTAL, LEFT, RIGHT = FaceAngle.FRONTAL, FaceAngle.LEFT, FaceAngle.RIGHT
GOOD, DIM, UNEVEN = FaceLight.GOOD, FaceLight.DIM, FaceLight.UNEVEN


@pytest.mark.parametrize(
    ("angles", "lights", "gaps"),
    [
        ([FRONTAL, LEFT, RIGHT], [GOOD], []),
        ([FRONTAL], [GOOD], [GalleryGap.ONE_PHOTO, GalleryGap.NO_TURNED]),
        ([LEFT, LEFT], [GOOD], [GalleryGap.NO_FRONTAL]),
        ([FRONTAL, LEFT], [DIM, DIM], [GalleryGap.DIM_LIGHT]),
        ([FRONTAL, LEFT], [DIM, GOOD], []),
        ([FRONTAL, RIGHT], [UNEVEN], [GalleryGap.UNEVEN_LIGHT]),
        ([FRONTAL, None], [GOOD], []),
    ],
)
def test_each_gap_is_named_where_it_is(
    angles: list[str | None], lights: list[FaceLight], gaps: list[GalleryGap]
) -> None:
    assert [advice.reason for advice in gallery_advice(angles, lights)] == gaps
