"""XML from strangers: parsed once, within limits, without a document type and without reaching for anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from xml.parsers import expat

from lxml import etree

from app.errors import InvalidInput, TooLarge

MAX_BYTES = 10 * 2**20
_MAX_ELEMENTS = 200_000
_MAX_DEPTH = 64
_MAX_DIGITS = 30
_PARSE_CHUNK_BYTES = 2**16
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

Element = etree._Element  # noqa: SLF001  # lxml names its element type so


def is_xml(data: bytes) -> bool:
    """Whether ``data`` begins like an XML file, with or without a byte order mark."""
    head = data[:64]
    if head.startswith(_UTF16_MARKS):
        head = head[2:].replace(b"\x00", b"")
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def parse(data: bytes) -> Element:
    """The root element.

    Raises:
        TooLarge: more bytes or elements than any invoice, or a camera's answer, has.
        InvalidInput: no well-formed XML, nested too deeply, or with a document type, whose entities none needs.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"XML of at most {MAX_BYTES // 2**20} MB is read.", code="xml_too_large")
    _measure(data)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, dtd_validation=False, no_network=True, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _not_well_formed() from error
    if root.getroottree().docinfo.doctype:
        raise _has_doctype()
    return root


def _measure(data: bytes) -> None:
    """Walk through the file with a parser that builds nothing, and stop at the first limit."""
    counted = depth = 0

    def on_start(_name: str, _attributes: object) -> None:
        nonlocal counted, depth
        counted += 1
        depth += 1
        if counted > _MAX_ELEMENTS:
            raise TooLarge(f"XML of at most {_MAX_ELEMENTS} elements is read.", code="xml_too_large")
        if depth > _MAX_DEPTH:
            raise InvalidInput("The XML is nested too deeply.", code="invalid_xml")

    def on_end(_name: str) -> None:
        nonlocal depth
        depth -= 1

    def on_doctype(*_declaration: object) -> None:
        raise _has_doctype()

    walker = expat.ParserCreate()
    walker.StartElementHandler = on_start
    walker.EndElementHandler = on_end
    walker.StartDoctypeDeclHandler = on_doctype
    try:
        for start in range(0, len(data), _PARSE_CHUNK_BYTES):
            walker.Parse(data[start : start + _PARSE_CHUNK_BYTES], False)
        walker.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise _not_well_formed() from error


def _not_well_formed() -> InvalidInput:
    return InvalidInput("The XML is not well-formed; send the file as it was issued.", code="invalid_xml")


def _has_doctype() -> InvalidInput:
    return InvalidInput(
        "XML with a document type is not read; send the file as it was issued.", code="xml_with_doctype"
    )


def name_of(element: Element) -> str:
    """The element's name without its namespace; empty for comments and processing instructions."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def children(element: Element | None, name: str) -> Iterator[Element]:
    """The children of that local name, in any namespace: providers differ, and the content decides."""
    if element is not None:
        yield from (child for child in element if name_of(child) == name)


def find(element: Element | None, *path: str) -> Element | None:
    """The first element down that path of local names."""
    for name in path:
        element = next(children(element, name), None)
    return element


def text(element: Element | None, *path: str) -> str | None:
    """The whole text of that element, also around comments, which would else hide a part; None where empty."""
    found = find(element, *path)
    if found is None:
        return None
    parts = [found.text or "", *(child.tail or "" for child in found if not isinstance(child.tag, str))]
    return " ".join("".join(parts).split()) or None


def number(element: Element | None, *path: str) -> Decimal | None:
    """The number of that element; None where there is none, or the text is no plain number."""
    value = text(element, *path)
    if value is None or len(value) > _MAX_DIGITS or not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", value):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def day(element: Element | None, *path: str) -> date | None:
    """The day of ``2025-08-10``, ``2025-08-10T09:00:00`` or ``20250810``."""
    value = text(element, *path) or ""
    match = re.match(r"(\d{4})-?(\d{2})-?(\d{2})(?!\d)", value)
    try:
        return datetime(int(match[1]), int(match[2]), int(match[3])).date() if match else None  # noqa: DTZ001  # a day
    except ValueError:
        return None
