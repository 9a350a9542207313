"""Pages of PDF files: rendered, and with their text layer where they have one.

What a page costs is not told by the file's size: a kilobyte of forms that draw each other takes hours and gigabytes.
So pages are read in the sandbox, by ``pdf_pages``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import numpy as np

from app.errors import InvalidImage
from app.types import Image, TextLine
from app.utils.fair_queue import FairPlaces
from app.utils.sandbox import Sandbox, SandboxLimits, SandboxTask

_MAGIC = b"%PDF-"
_PAGE_PX = 1754
"""The longer side of a rendered page: A4 at 150 dpi, where letters of 9 points are 19 px high."""

_PAGE_BYTES = 3 * _PAGE_PX * _PAGE_PX + 2**20
"""Room for the pixels and the text layer of a page."""

_ATTACHED_BYTES = 10 * 2**20
"""Of all the files inside that are read."""

READ_PDF = SandboxTask(
    name="pdf",
    function="app.utils.pdf_pages:read_pages",
    code="document_too_complex",
    message="The PDF takes too much work to read; print it to a new PDF, or send a photo of the page.",
)


@dataclass(frozen=True, slots=True)
class PdfPage:
    """``image`` is the rendered page, BGR; ``lines`` its text layer in px of the image, empty for a scan."""

    image: Image
    lines: tuple[TextLine, ...]


@dataclass(frozen=True, slots=True)
class PdfContent:
    """Some of the pages, and the XML files inside, as Factur-X and ZUGFeRD put them there; ``page_count`` of the whole
    file."""

    pages: tuple[PdfPage, ...]
    attachments: tuple[bytes, ...]
    page_count: int


def is_pdf(data: bytes) -> bool:
    """Whether ``data`` begins like a PDF; some writers put a few bytes before the mark."""
    return _MAGIC in data[:1024]


class PdfReader:
    """Reads PDF files, each in a process of its own.

    Args:
        places: bounds how many are read or in memory at once.
        max_pages: that are in memory at once.
        max_long_pages: of a file that is read in parts.
        sandbox_limits: of one file.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        places: FairPlaces,
        *,
        max_pages: int,
        max_long_pages: int,
        sandbox_limits: SandboxLimits,
    ) -> None:
        self._sandbox = sandbox
        self._places = places
        self._max_pages = max_pages
        self._max_long_pages = max(max_pages, max_long_pages)
        self._limits = sandbox_limits

    def opened(self, data: bytes) -> AbstractAsyncContextManager[PdfContent]:
        """What a PDF of up to ``max_pages`` holds. Its pages are in memory until the block ends, and hold a place as
        long.

        Raises:
            InvalidImage: damaged, encrypted with a password, a page of impossible proportions, or too much work.
            InvalidInput: no page, or more than ``max_pages``.
            Overloaded, DeadlineExceeded, Unavailable: as ``FairPlaces.place`` and ``Sandbox.run`` say.
        """
        return self._opened(data, first=0, count=self._max_pages, max_pages=self._max_pages)

    def opened_from(self, data: bytes, first: int) -> AbstractAsyncContextManager[PdfContent]:
        """As ``opened``, of a longer PDF: up to ``max_pages`` of its pages, from ``first`` on, counted from 0."""
        return self._opened(data, first=first, count=self._max_pages, max_pages=self._max_long_pages)

    async def count_pages(self, data: bytes) -> int:
        """How many pages a PDF has; errors as for ``opened``, with ``max_long_pages``."""
        async with self._opened(data, first=0, count=0, max_pages=self._max_long_pages) as content:
            return content.page_count

    @asynccontextmanager
    async def _opened(self, data: bytes, *, first: int, count: int, max_pages: int) -> AsyncIterator[PdfContent]:
        async with self._places.place():
            arguments = {
                "max_pages": max_pages,
                "first": first,
                "count": count,
                "page_px": _PAGE_PX,
                "attached_bytes": _ATTACHED_BYTES,
            }
            reply = await self._sandbox.run(
                READ_PDF,
                data,
                arguments,
                limits=self._limits,
                output_bytes=count * _PAGE_BYTES + _ATTACHED_BYTES,
            )
            pages, page_count = reply.value.get("pages"), reply.value.get("page_count")
            if not isinstance(page_count, int) or not isinstance(pages, list) or len(pages) > count:
                raise _damaged()
            try:
                content = PdfContent(
                    tuple(PdfPage(reply.output.pixels(page["image"]), _lines(page["lines"])) for page in pages),
                    tuple(reply.output.content(place) for place in reply.value["attachments"]),  # type: ignore[attr-defined]  # TypeError below
                    page_count,
                )
            except (KeyError, TypeError, ValueError) as error:  # a decoder that was led astray
                raise _damaged() from error
            yield content


def _lines(lines: Sequence[Mapping[str, object]]) -> tuple[TextLine, ...]:
    return tuple(TextLine(_polygon(line["polygon"]), str(line["text"]), 1.0) for line in lines)


def _polygon(corners: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    polygon = np.asarray(corners, np.float32)
    if polygon.shape != (4, 2) or not np.isfinite(polygon).all():
        raise ValueError("four corners")
    return polygon


def _damaged() -> InvalidImage:
    return InvalidImage("The PDF is damaged; send the whole file.", code="damaged_pdf")
