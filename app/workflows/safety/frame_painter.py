"""The pictures that are kept of a frame: faces of people who are not concerned blurred, boxes drawn beside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import cv2

from app.core.face_blur import FaceFinder, blur_boxes, blur_picture
from app.core.inference import InferencePool, Priority
from app.errors import DeadlineExceeded, Overloaded
from app.types import Box, Image
from app.utils.image_processing import encode_jpeg
from app.workflows.safety.evidence import Finding, FramePictures
from app.workflows.safety.faces import belongs_to
from app.workflows.safety.rules import ABOUT_PEOPLE

_RED = (40, 40, 230)
_WHITE = (255, 255, 255)


class FramePainter:
    """Paints frames over the pool.

    Args:
        finder: None blurs nothing.
    """

    def __init__(self, pool: InferencePool, finder: FaceFinder | None) -> None:
        self._pool = pool
        self._finder = finder

    async def faces(self, image: Image, *, priority: Priority) -> list[Box] | None:
        """Faces to blur; None where nobody could look for them, as while all places of the pool are taken."""
        if self._finder is None:
            return []
        try:
            return await self._pool.submit_at(priority, "face_blur", self._finder.find, image)
        except (Overloaded, DeadlineExceeded):
            return None

    async def paint(self, image: Image, findings: Sequence[Finding], *, priority: Priority) -> FramePictures:
        """The pictures of a frame. Who raises an alarm is concerned, and keeps their face.

        No alarm is lost for want of a place in the pool: then the whole picture is blurred.
        """
        faces = await self.faces(image, priority=priority)
        return await asyncio.to_thread(_pictures, image, faces, findings)


def _pictures(image: Image, faces: list[Box] | None, findings: Sequence[Finding]) -> FramePictures:
    alerting = [finding for finding in findings if finding.alert]
    people = [one.box for one in alerting if one.box is not None and one.anomaly_type in ABOUT_PEOPLE]
    if faces is None:
        shown = blur_picture(image)
    else:
        strangers = [face for face in faces if not any(belongs_to(face, person) for person in people)]
        shown = blur_boxes(image, strangers) if strangers else image
    places = [finding for finding in alerting if finding.box is not None]
    return FramePictures(
        shown=encode_jpeg(shown),
        marked=encode_jpeg(_marked(shown, places)) if places else None,
        original=encode_jpeg(image) if shown is not image and alerting else None,
    )


def _marked(image: Image, findings: Sequence[Finding]) -> Image:
    """A copy with a box and a word for each finding."""
    marked = image.copy()
    height, width = image.shape[:2]
    line = max(2, round(max(height, width) / 400))
    scale = max(height, width) / 1200
    for finding in findings:
        if finding.box is None:
            continue
        box = finding.box.clip(width, height)
        corners = (int(box.x1), int(box.y1)), (int(box.x2), int(box.y2))
        cv2.rectangle(marked, *corners, _RED, line)
        word = f"{finding.anomaly_type} {finding.confidence:.0%}"
        (_, word_height), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, scale, line)
        at = (corners[0][0] + line, max(corners[0][1] - line, word_height + line))
        cv2.putText(marked, word, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _RED, 3 * line)
        cv2.putText(marked, word, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _WHITE, line)
    return marked
