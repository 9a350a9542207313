"""What makes pictures and pages of uploads, and the processes that it does the dangerous part in."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from app.config import Settings
from app.utils.fair_queue import FairPlaces
from app.utils.pdf import READ_PDF, PdfReader
from app.utils.picture_limits import PictureLimits
from app.utils.pictures import DECODE_PICTURE, PictureOpener
from app.utils.sandbox import Sandbox, SandboxLimits


@dataclass(frozen=True, slots=True)
class Decoders:
    """The ways in for files from outside."""

    pictures: PictureOpener
    pdfs: PdfReader


def picture_limits(settings: Settings) -> PictureLimits:
    """What every picture's header is held against, wherever it comes from."""
    return PictureLimits(settings.MAX_IMAGE_PIXELS, settings.MAX_IMAGE_SIDE)


async def open_decoders(stack: AsyncExitStack, settings: Settings) -> Decoders:
    """Start the sandbox; ``stack`` closes it.

    Raises:
        Unavailable: its process does not start.
    """
    sandbox = Sandbox([DECODE_PICTURE, READ_PDF])
    stack.push_async_callback(sandbox.close)
    await sandbox.open()
    limits = SandboxLimits(settings.SANDBOX_CPU_S, settings.SANDBOX_WALL_S, settings.SANDBOX_MEMORY_MB * 2**20)
    return Decoders(
        pictures=PictureOpener(
            sandbox,
            _places(settings, "Too many pictures in HEIC, AVIF or TIFF at once; try again shortly, or send JPEG."),
            picture_limits=picture_limits(settings),
            sandbox_limits=limits,
        ),
        pdfs=PdfReader(
            sandbox,
            _places(settings, "Too many documents wait to be read; try again shortly."),
            max_pages=settings.OCR_MAX_PAGES,
            max_long_pages=settings.OCR_MAX_PAGES_ASYNC,
            sandbox_limits=limits,
        ),
    )


def _places(settings: Settings, refusal: str) -> FairPlaces:
    return FairPlaces(
        settings.SANDBOX_PLACES,
        max_waiting=settings.INFERENCE_QUEUE_SIZE,
        deadline_s=settings.INFERENCE_DEADLINE_S,
        refusal=refusal,
    )
