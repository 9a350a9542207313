"""Pages of PDF files: rendered, and with their text layer where they have one."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]  # no stubs

from app.errors import InvalidImage, InvalidInput
from app.types import FloatArray, Image, TextLine

_MAGIC = b"%PDF-"
_LONG_SIDE_PX = 1754
"""A4 at 150 dpi: letters of 9 points are 19 px high."""

_MIN_TEXT_CHARACTERS = 40
"""A shorter text layer is a stamp or a page number on a scan."""

_MAX_ATTACHMENTS = 20
_MAX_ATTACHMENT_BYTES = 10 * 2**20

# PDFium keeps global state and must not be entered by two threads at a time.
_PDFIUM = threading.Lock()


@dataclass(frozen=True, slots=True)
class PdfPage:
    """``image`` is the rendered page, BGR; ``lines`` its text layer in px of the image, empty for a scan."""

    image: Image
    lines: tuple[TextLine, ...]


def is_pdf(data: bytes) -> bool:
    """Whether ``data`` begins like a PDF; some writers put a few bytes before the mark."""
    return _MAGIC in data[:1024]


def read_pdf(data: bytes, *, max_pages: int) -> list[PdfPage]:
    """The pages of a PDF.

    Raises:
        InvalidImage: damaged, or encrypted with a password.
        InvalidInput: no page, or more than ``max_pages``.
    """
    with _PDFIUM:
        document = _open(data)
        try:
            if not 1 <= len(document) <= max_pages:
                raise InvalidInput(
                    f"The PDF has {len(document)} pages; between 1 and {max_pages} are accepted.", code="too_many_pages"
                )
            return [_read_page(document[index]) for index in range(len(document))]
        except pdfium.PdfiumError as error:
            raise InvalidImage("The PDF is damaged; send the whole file.", code="damaged_pdf") from error
        finally:
            document.close()


def xml_attachments(data: bytes) -> list[bytes]:
    """The XML files inside a PDF, as Factur-X and ZUGFeRD put them there: a few, and none that is over the limit."""
    with _PDFIUM:
        document = _open(data)
        found: list[bytes] = []
        try:
            for index in range(min(document.count_attachments(), _MAX_ATTACHMENTS)):
                attachment = document.get_attachment(index)
                if attachment.get_name().lower().endswith(".xml"):
                    content = bytes(attachment.get_data())
                    found += [content] if len(content) <= _MAX_ATTACHMENT_BYTES else []
        except pdfium.PdfiumError:
            return []
        else:
            return found
        finally:
            document.close()


def _open(data: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if pdfium_c.FPDF_GetLastError() == pdfium_c.FPDF_ERR_PASSWORD or "password" in str(error).lower():
            raise InvalidImage("The PDF is encrypted; send it without a password.", code="encrypted_pdf") from error
        raise InvalidImage("The PDF is damaged; send the whole file.", code="damaged_pdf") from error


def _read_page(page: pdfium.PdfPage) -> PdfPage:
    width, height = page.get_size()
    scale = _LONG_SIDE_PX / max(width, height, 1.0)
    image = np.ascontiguousarray(page.render(scale=scale, rev_byteorder=False).to_numpy()[:, :, :3], np.uint8)
    return PdfPage(image, _text_lines(page, scale=scale, page_height=height))


def _text_lines(page: pdfium.PdfPage, *, scale: float, page_height: float) -> tuple[TextLine, ...]:
    """The text layer's runs. A page that is turned has none: its coordinates are those of the unturned one."""
    if page.get_rotation() != 0:
        return ()
    text_page = page.get_textpage()
    try:
        if text_page.count_chars() < _MIN_TEXT_CHARACTERS:
            return ()
        lines = []
        for index in range(text_page.count_rects()):
            left, bottom, right, top = text_page.get_rect(index)
            text = text_page.get_text_bounded(left, bottom, right, top)
            if not _is_readable(text):
                return ()
            if text.strip():
                polygon = _polygon(left, page_height - top, right, page_height - bottom, scale)
                lines.append(TextLine(polygon, " ".join(text.split()), 1.0))
        return tuple(lines)
    finally:
        text_page.close()


def _is_readable(text: str) -> bool:
    """Fonts without a map to Unicode give private or replacement characters."""
    return not any(character == "\ufffd" or "\ue000" <= character <= "\uf8ff" for character in text)


def _polygon(left: float, top: float, right: float, bottom: float, scale: float) -> FloatArray:
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return np.asarray(corners, np.float32) * np.float32(scale)
