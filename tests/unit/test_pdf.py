"""PDF files: what is read of good ones, and what becomes of those that are made to hold a process."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable

import pytest

from app.errors import InvalidImage, InvalidInput
from app.utils.fair_queue import FairPlaces
from app.utils.pdf import READ_PDF, PdfPage, PdfReader, is_pdf
from app.utils.sandbox import Sandbox, SandboxLimits

A4 = b"[0 0 595 842]"
HELVETICA = b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
LINES = ["INVOICE No: A-17", "Date: 17/01/2025", "Bed linens 10 100.00 1,000.00", "Total: 1,000.00 USD"]


def pdf(objects: list[bytes]) -> bytes:
    """A file of these objects; the first is the catalogue."""
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + trailer


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def page(content: bytes, *, box: bytes = A4, resources: bytes = b"<< >>", more: tuple[bytes, ...] = ()) -> bytes:
    """A file of one page that draws ``content``, the fourth object."""
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents 4 0 R /Resources %s >>" % (box, resources),
            content,
            *more,
        ]
    )


def text_page(lines: list[str]) -> bytes:
    text = " ".join(f"({line}) Tj 0 -24 Td" for line in lines)
    return page(stream(f"BT /F1 14 Tf 60 760 Td {text} ET".encode()), resources=HELVETICA)


def forms_that_draw_forms(levels: int, *, calls: int) -> bytes:
    """``calls`` to the power of ``levels`` rectangles, in two kilobytes."""
    forms = []
    for level in range(levels):
        is_last = level == levels - 1
        below = b"" if is_last else b"/Resources << /XObject << /X %d 0 R >> >>" % (6 + level)
        content = b"0 0 595 842 re f\n" if is_last else b"/X Do\n" * calls
        forms.append(stream(content, b"/Type /XObject /Subtype /Form /BBox %s %s" % (A4, below)))
    return page(stream(b"/X Do\n" * calls), resources=b"<< /XObject << /X 5 0 R >> >>", more=tuple(forms))


def flate(data: bytes) -> bytes:
    return stream(zlib.compress(data, 9), b"/Filter /FlateDecode")


def inflated_twice() -> bytes:
    """A gigabyte of zeros in two kilobytes."""
    packer, outer = zlib.compressobj(9), zlib.compressobj(9)
    packed = [outer.compress(packer.compress(bytes(10**7))) for _ in range(100)]
    data = b"".join([*packed, outer.compress(packer.flush()), outer.flush()])
    return page(stream(data, b"/Filter [/FlateDecode /FlateDecode]"))


def huge_picture(filters: bytes, data: bytes, *, side: int) -> bytes:
    picture = stream(
        data,
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /ColorSpace /DeviceRGB /Filter /%s"
        % (side, side, filters),
    )
    return page(stream(b"595 0 0 842 0 0 cm /I Do"), resources=b"<< /XObject << /I 5 0 R >> >>", more=(picture,))


def many_runs(count: int) -> bytes:
    """Words all over the page, each a run of its own."""
    words = b"".join(b"1 0 0 1 %d %d Tm (word) Tj " % ((i * 7) % 590, (i * 13) % 840) for i in range(count))
    return page(flate(b"BT /F1 1 Tf " + words + b"ET"), resources=HELVETICA)


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox([READ_PDF])
    await sandbox.open()
    yield sandbox
    await sandbox.close()


def reader(sandbox: Sandbox, *, cpu_s: int = 2, max_pages: int = 2) -> PdfReader:
    places = FairPlaces(2, max_waiting=8, deadline_s=60.0, refusal="Too many.")
    return PdfReader(
        sandbox,
        places,
        max_pages=max_pages,
        max_long_pages=4,
        sandbox_limits=SandboxLimits(cpu_s, wall_s=60.0, memory_bytes=2**30),
    )


async def read(pdfs: PdfReader, data: bytes) -> list[PdfPage]:
    assert is_pdf(data)
    async with pdfs.opened(data) as content:
        return list(content.pages)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_page_is_rendered_and_its_text_is_where_it_is_seen(sandbox: Sandbox) -> None:
    [seen] = await read(reader(sandbox), text_page(LINES))
    assert seen.image.shape == (1754, 1240, 3)
    assert [line.text for line in seen.lines] == LINES
    for line in seen.lines:
        (left, top), (right, bottom) = line.polygon.min(0).astype(int), line.polygon.max(0).astype(int)
        assert seen.image[top:bottom, left:right].min() < 128  # its letters
    assert seen.image[:100].min() == 255


@pytest.mark.asyncio(loop_scope="module")
async def test_pages_come_in_order_and_not_too_many(sandbox: Sandbox) -> None:
    pages = [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d 300] >>" % width for width in (200, 300)]
    two = pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>", *pages])
    assert [seen.image.shape for seen in await read(reader(sandbox), two)] == [(1754, 1170, 3), (1754, 1754, 3)]
    with pytest.raises(InvalidInput) as refused:
        await read(reader(sandbox, max_pages=1), two)
    assert refused.value.code == "too_many_pages"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"%PDF-1.7 and no more", "damaged_pdf"),
        (pdf([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"]), "damaged_pdf"),
        (page(stream(b""), box=b"[0 0 0.0001 100000]"), "image_too_narrow"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_document_is_refused(sandbox: Sandbox, data: bytes, code: str) -> None:
    with pytest.raises(InvalidImage) as refused:
        await read(reader(sandbox), data)
    assert refused.value.code == code


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: forms_that_draw_forms(9, calls=10),
        lambda: page(flate(b"0 0 m 600 800 l S\n" * 2_000_000)),
        inflated_twice,
    ],
    ids=["forms", "operators", "inflated twice"],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_bomb_is_its_own_senders_error_alone(sandbox: Sandbox, make: Callable[[], bytes]) -> None:
    pdfs = reader(sandbox)
    bomb = asyncio.create_task(read(pdfs, make()))
    started_at_s = time.monotonic()
    while not bomb.done() and time.monotonic() - started_at_s < 60:
        [seen] = await read(pdfs, text_page(LINES))  # beside it, as often as it takes
        assert [line.text for line in seen.lines] == LINES
    with pytest.raises(InvalidImage) as refused:
        await bomb
    assert refused.value.code == "document_too_complex"


@pytest.mark.parametrize(
    "data",
    [
        many_runs(60_000),
        huge_picture(b"JBIG2Decode", b"\0" * 100, side=60_000),
        huge_picture(b"JPXDecode", b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 100, side=60_000),
        page(stream(b""), box=b"[0 0 1e9 1e9]"),
    ],
    ids=["runs", "jbig2", "jpeg 2000", "huge box"],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_what_can_be_passed_over_is_read_like_a_scan(sandbox: Sandbox, data: bytes) -> None:
    [seen] = await read(reader(sandbox, cpu_s=8), data)
    assert max(seen.image.shape) == 1754
    assert seen.lines == ()
