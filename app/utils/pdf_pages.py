"""What the sandbox does with a PDF: render its pages and read their text layers. Runs in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]  # no stubs

from app.errors import InvalidImage, InvalidInput
from app.utils.picture_limits import PictureLimits
from app.utils.sandbox_memory import Output

_MIN_TEXT_CHARACTERS = 40
"""A shorter text layer is a stamp or a page number on a scan."""

# PDFium looks through all characters for each run, so the work grows with the product. The densest printed page has
# some 8,000 characters in some 1,000 runs; a page beyond this is read like a scan.
_MAX_TEXT_CHARACTERS = 40_000
_MAX_TEXT_RUNS = 4_000

_MAX_ATTACHMENTS = 20


def read_pages(data: memoryview, arguments: Mapping[str, Any], output: Output) -> dict[str, object]:
    """The pages and XML files, as ``{"pages": [{"image", "lines": [{"polygon", "text"}]}], "attachments": [...]}``.

    Args:
        arguments: ``max_pages``; ``page_px``, the longer side of a rendered page; ``attached_bytes``, of all
            attachments that are read.

    Raises:
        InvalidImage: damaged, or encrypted with a password.
        InvalidInput: no page, or more than ``max_pages``.
    """
    document = _open(data)
    max_pages = arguments["max_pages"]
    try:
        if not 1 <= len(document) <= max_pages:
            raise InvalidInput(
                f"The PDF has {len(document)} pages; between 1 and {max_pages} are accepted.", code="too_many_pages"
            )
        return {
            "pages": [_read_page(document[index], arguments["page_px"], output) for index in range(len(document))],
            "attachments": _xml_attachments(document, output, max_bytes=arguments["attached_bytes"]),
        }
    except pdfium.PdfiumError as error:
        raise _damaged() from error


def _damaged() -> InvalidImage:
    return InvalidImage("The PDF is damaged; send the whole file.", code="damaged_pdf")


def _open(data: memoryview) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(bytes(data))
    except pdfium.PdfiumError as error:
        if pdfium_c.FPDF_GetLastError() == pdfium_c.FPDF_ERR_PASSWORD or "password" in str(error).lower():
            raise InvalidImage("The PDF is encrypted; send it without a password.", code="encrypted_pdf") from error
        raise _damaged() from error


def _read_page(page: pdfium.PdfPage, page_px: int, output: Output) -> dict[str, object]:
    width, height = page.get_size()
    if not (0 < width < float("inf") and 0 < height < float("inf")):
        raise _damaged()
    scale = page_px / max(width, height)
    PictureLimits(page_px * page_px).check(max(1, round(width * scale)), max(1, round(height * scale)))
    bitmap = page.render(scale=scale, rev_byteorder=False)
    rendered = bitmap.to_numpy()
    # Sides are rounded up, which may make one of them a pixel longer than the memory was laid out for.
    rendered = rendered[:page_px, :page_px, :3]
    image, reference = output.new_pixels(rendered.shape)
    image[:] = rendered
    bitmap.close()
    return {"image": reference, "lines": _text_lines(page, scale=scale, page_height=height)}


def _xml_attachments(document: pdfium.PdfDocument, output: Output, *, max_bytes: int) -> list[dict[str, int]]:
    """The first XML files inside, as many as ``max_bytes`` hold; none where their list is damaged."""
    found: list[dict[str, int]] = []
    try:
        for index in range(min(document.count_attachments(), _MAX_ATTACHMENTS)):
            attachment = document.get_attachment(index)
            if attachment.get_name().lower().endswith(".xml"):
                content = bytes(attachment.get_data())
                max_bytes -= len(content)
                if max_bytes < 0:
                    break
                found.append(output.write_content(content))
    except pdfium.PdfiumError:
        return []
    return found


def _text_lines(page: pdfium.PdfPage, *, scale: float, page_height: float) -> list[dict[str, object]]:
    """The text layer's runs. A page that is turned has none: its coordinates are those of the unturned one."""
    if page.get_rotation() != 0:
        return []
    text_page = page.get_textpage()
    try:
        if not _MIN_TEXT_CHARACTERS <= text_page.count_chars() <= _MAX_TEXT_CHARACTERS:
            return []
        runs = text_page.count_rects()
        if runs > _MAX_TEXT_RUNS:
            return []
        lines: list[dict[str, object]] = []
        for index in range(runs):
            left, bottom, right, top = text_page.get_rect(index)
            text = text_page.get_text_bounded(left, bottom, right, top)
            if not _is_readable(text):
                return []
            if text.strip():
                polygon = _polygon(left, page_height - top, right, page_height - bottom, scale)
                lines.append({"polygon": polygon, "text": " ".join(text.split())})
        return lines
    finally:
        text_page.close()


def _is_readable(text: str) -> bool:
    """Fonts without a map to Unicode give private or replacement characters."""
    return not any(character == "\ufffd" or "\ue000" <= character <= "\uf8ff" for character in text)


def _polygon(left: float, top: float, right: float, bottom: float, scale: float) -> list[list[float]]:
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return [[x * scale, y * scale] for x, y in corners]
