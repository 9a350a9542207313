"""The text layer of a PDF page: ligatures, and what is written twice."""

from __future__ import annotations

import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs

from app.utils.pdf_words import text_lines
from tests.unit.test_pdf import page, stream

LIGATURE = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CMapName /L def /CMapType 2 def 1 begincodespacerange <00> <ff> endcodespacerange
2 beginbfchar <74> <00740074> <66> <00660069> endbfchar endcmap end end"""
"""The glyph of t stands for tt, that of f for fi."""

FONT = (
    b"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> "
    b"/F2 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 5 0 R >> >> >>"
)


def words_of(content: bytes) -> list[str]:
    document = pdfium.PdfDocument(page(stream(content), resources=FONT, more=(stream(LIGATURE),)))
    try:
        return [line.text for line in text_lines(document[0], scale=1.0)]
    finally:
        document.close()


def test_the_letters_of_a_ligature_are_all_read() -> None:
    lines = words_of(b"BT /F2 14 Tf 60 760 Td (Bruto 1.021,91) Tj 0 -24 Td (Neto 858,75 Pfand 30,00 Ofen) Tj ET")
    assert lines == ["Brutto 1.021,91", "Netto 858,75 Pfiand 30,00 Ofien"]


def test_what_is_written_twice_for_bold_type_is_read_once() -> None:
    bold = b"BT /F1 14 Tf 60 %d Td (Total 1,021.91 at the reception desk of the house, in cash) Tj ET\n"
    glyphs = b"BT /F1 14 Tf 60 700 Td (D) Tj ET BT /F1 14 Tf 60 700 Td (D) Tj ET\n"
    assert words_of((bold % 760) * 2 + glyphs) == ["Total 1,021.91 at the reception desk of the house, in cash", "D"]
