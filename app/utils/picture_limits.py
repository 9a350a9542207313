"""How large a picture may be: one rule for uploads, cameras, scripts and the pages of documents."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import InvalidImage, TooLarge

MAX_ASPECT_RATIO = 50
"""Longer side by shorter side. A network that makes the shorter side 256 px makes the longer one that many times
larger, so that a line of pixels takes gigabytes; the longest till receipts and panoramas are below 20."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """Bounds that a picture's header is held against, before a pixel is decoded.

    Attributes:
        max_pixels: width times height.
        max_side: of either side, in px.
    """

    max_pixels: int
    max_side: int = 20_000

    def check(self, width: int, height: int) -> None:
        """Refuse a picture of that size if it is over a limit.

        Raises:
            TooLarge: too many pixels, or too long a side.
            InvalidImage: too narrow for its length.
        """
        if width * height > self.max_pixels:
            raise TooLarge(
                f"The image has {width}x{height} pixels; at most {self.max_pixels} are accepted. Send a smaller one.",
                code="too_many_pixels",
            )
        if max(width, height) > self.max_side:
            raise TooLarge(
                f"The image has {width}x{height} pixels; no side may be over {self.max_side}. Send a smaller one.",
                code="image_side_too_long",
            )
        if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
            raise InvalidImage(
                f"The image has {width}x{height} pixels; one side may be at most {MAX_ASPECT_RATIO} times the other.",
                code="image_too_narrow",
            )

    def allow(self, width: int, height: int) -> bool:
        """Whether a picture of that size passes ``check``."""
        try:
            self.check(width, height)
        except (TooLarge, InvalidImage):
            return False
        return True
