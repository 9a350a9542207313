"""What the sandbox does with a PDF: render its pages and read their text layers. Runs in a process of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]  # no stubs

from app.errors import InvalidImage, InvalidInput
from app.utils.pdf_words import text_lines
from app.utils.picture_limits import PictureLimits
from app.utils.sandbox_memory import Output

_MAX_ATTACHMENTS = 20


def read_pages(data: memoryview, arguments: Mapping[str, Any], output: Output) -> dict[str, object]:
    """The pages and XML files, as ``{"pages": [{"image", "lines": [{"polygon", "text"}]}], "attachments": [...],
    "page_count"}``.

    Args:
        arguments: ``max_pages``, of the whole file; ``first`` and ``count``, the pages to read, from 0; ``page_px``,
            the longer side of a rendered page; ``attached_bytes``, of all attachments that are read.

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
        last = min(len(document), arguments["first"] + arguments["count"])
        return {
            "page_count": len(document),
            "pages": [
                _read_page(document[index], arguments["page_px"], output) for index in range(arguments["first"], last)
            ],
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
    lines = [{"polygon": line.polygon.tolist(), "text": line.text} for line in text_lines(page, scale=scale)]
    return {"image": reference, "lines": lines}


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
