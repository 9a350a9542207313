"""Labelled invoices and receipts as the service sees them: cells with boxes, kept on disk once they are read."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no stubs
from rapidfuzz import fuzz

from app.core.ocr.dates import find_dates
from app.core.ocr.layout import Page, arrange
from app.core.ocr.money import find_amounts
from app.core.ocr.text import squeeze
from app.types import Image, TextLine
from app.utils.pdf_words import text_lines

Read = Callable[[bytes], list["ReadPage"]]
"""From a file to its pages, by the service's own reader."""

_RECEIPTS = ("receipts_en", "receipts_en2", "receipts_vn", "receipts_vn2", "receipts_world")
_INVOICES = (("invoices_pdf", "files"), ("einvoices_vn", "pdf"))
_PAGE_GAP_PX = 40.0
_LONG_SIDE_PX = 1754
_MAX_PAGES = 3
_SEN = range(-2, 3)
"""Receipts in ringgit are rounded to five sen; labels give the one sum or the other."""

GENERATED = "generated"
"""The origin of papers that never existed: taught beside the others, never left out or judged."""

_OF_ONE_SET = ("receipts_en", "receipts_en2", "receipts_vn", "receipts_vn2")
_OWN_ORIGIN = 10
"""Fewer papers of one publisher are left out with the others of their set."""

_SAME_SELLER = 85.0
_SAME_BEGINNING = 8


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page's lines in px of the page; ``vietnamese`` as the reader took it."""

    height: float
    lines: tuple[TextLine, ...]
    vietnamese: bool


@dataclass(frozen=True, slots=True)
class Paper:
    """A document with what is right. A label that is absent is unknown, and neither taught nor judged; one without
    values says that the paper lacks the field.

    Attributes:
        source: the set that it comes from.
        origin: who published it: the set, or the part of it that one repository with several papers gave.
        group: papers of one seller, whatever the set.
        judged: False for what is only taught.
        labels: by field, every value that is right.
    """

    key: str
    source: str
    origin: str
    group: str
    judged: bool
    page: Page
    vietnamese: bool
    labels: Mapping[str, frozenset[object]]


def read_papers(data: Path, read: Read, cache: Path) -> list[Paper]:
    """Every labelled paper below ``data``; pictures are read once, and kept in ``cache`` as JSON."""
    cache.mkdir(parents=True, exist_ok=True)
    papers = [*_receipts(data, read, cache), *_invoices(data, read, cache)]
    groups = _united(papers)
    published = Counter(paper.origin for paper in papers if paper.judged)
    return [
        replace(
            paper,
            group=groups[paper.group],
            origin=paper.origin if published[paper.origin] >= _OWN_ORIGIN else _family(paper.source),
        )
        for paper in papers
    ]


def _family(source: str) -> str:
    """Sets of one source differ in a number."""
    return source.rstrip("0123456789")


def _origin(source: str, row: Mapping[str, str]) -> str:
    """The e-invoice standard's samples are drawn again by many: these renderings count as one origin."""
    if row["file"].startswith("files/x_"):
        return f"{source}, renderings"
    return _family(source) if source in _OF_ONE_SET else f"{source}, {row['source_repo'].split('/')[0]}"


def _receipts(data: Path, read: Read, cache: Path) -> Iterator[Paper]:
    for source in _RECEIPTS:
        folder = data / source
        with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            pages = _kept(folder / row["file"], read, cache)
            seller = row.get("seller") or row.get("company") or ""
            labels = {
                "total": _around(_money(row["total"]), sen=source.startswith("receipts_en")),
                "date": _day(row["date"]),
                "seller": frozenset(name for name in seller.split("|") if name.strip()),
                "currency": _text(row.get("currency")),
                "subtotal": _money(row.get("subtotal")),
                "tax": _money(row.get("tax")),
                "invoice_number": _text(row.get("invoice_number")),
            }
            group = row.get("group") or seller
            yield _paper(f"{source}/{row['file']}", source, _origin(source, row), group, pages, labels)


def _invoices(data: Path, read: Read, cache: Path) -> Iterator[Paper]:
    for source, part in _INVOICES:
        folder = data / source
        for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if Path(row["file"]).parts[0] != part:
                continue
            total = _money(row.get("total"))
            credit = row.get("type_code") == "381"  # printed with a minus by some, without by others
            labels = {
                "total": total | {-value for value in total if isinstance(value, Decimal)} if credit else total,
                "date": _day(row.get("date")),
                "due_date": _day(row.get("due_date")),
                "seller": _names(row.get("seller")),
                "currency": _text(row.get("currency")),
                "subtotal": _money(row.get("subtotal")),
                "tax": _money(row.get("tax")),
                "invoice_number": frozenset(value for value in row.get("invoice_number", "").split(";") if value),
            }
            group = f"layout {row['layout_group']}" if "layout_group" in row else row["seller_group"]
            path, origin = folder / row["file"], _origin(source, row)
            printed = text_layer(path) if path.suffix == ".pdf" else []
            if printed:
                labels |= {field: _printed(labels[field], printed) for field in ("subtotal", "tax")}
            pages = printed or _kept(path, read, cache)
            yield _paper(row["file"], source, origin, group, pages, labels)


def _paper(
    key: str,
    source: str,
    origin: str,
    group: str,
    pages: Sequence[ReadPage],
    labels: Mapping[str, frozenset[object]],
) -> Paper:
    vietnamese = any(page.vietnamese for page in pages) or source == "einvoices_vn"
    known = {name: values for name, values in labels.items() if values}
    if source in _RECEIPTS:
        known["due_date"] = frozenset()
    return Paper(key, source, origin, group, True, below_one_another(pages), vietnamese, known)


def below_one_another(pages: Sequence[ReadPage]) -> Page:
    """The pages of a document as one."""
    lines: list[TextLine] = []
    offset = 0.0
    for page in pages:
        down = np.array([0.0, offset], np.float32)
        lines += [TextLine(line.polygon + down, line.text, line.score) for line in page.lines]
        offset += page.height + _PAGE_GAP_PX
    return arrange(lines)


def _kept(path: Path, read: Read, cache: Path) -> list[ReadPage]:
    """The pages of a file as read, from the cache where they are there."""
    kept = cache / f"{path.parent.parent.name}--{path.name}.json"
    if not kept.is_file():
        pages = read(path.read_bytes())[:_MAX_PAGES]
        document = [
            {
                "height": page.height,
                "vietnamese": page.vietnamese,
                "lines": [
                    {"p": np.round(line.polygon, 1).tolist(), "t": line.text, "s": round(line.score, 4)}
                    for line in page.lines
                ],
            }
            for page in pages
        ]
        kept.write_text(json.dumps({"pages": document}, ensure_ascii=False), encoding="utf-8")
    return [
        ReadPage(
            page["height"],
            tuple(TextLine(np.asarray(line["p"], np.float32), line["t"], line["s"]) for line in page["lines"]),
            page["vietnamese"],
        )
        for page in json.loads(kept.read_text(encoding="utf-8"))["pages"]
    ]


def text_layer(path: Path) -> list[ReadPage]:
    """The pages of a PDF by their text layer; empty for a scan."""
    document = pdfium.PdfDocument(str(path))
    try:
        pages = []
        for index in range(min(len(document), _MAX_PAGES)):
            page = document[index]
            width, height = page.get_size()
            scale = _LONG_SIDE_PX / max(width, height)
            pages.append(ReadPage(height * scale, text_lines(page, scale=scale), vietnamese=False))
        return pages if pages[0].lines else []
    finally:
        document.close()


def rendered(data: bytes) -> list[Image]:
    """The first pages of a PDF of our own as pictures, BGR, of the size that the service renders."""
    document = pdfium.PdfDocument(data)
    try:
        pages = [document[index] for index in range(min(len(document), _MAX_PAGES))]
        return [
            np.ascontiguousarray(page.render(scale=_LONG_SIDE_PX / max(page.get_size())).to_numpy()[:, :, :3], np.uint8)
            for page in pages
        ]
    finally:
        document.close()


def _money(written: str | None) -> frozenset[object]:
    digits = re.sub(r"[^0-9.\-]", "", written or "")
    return frozenset({Decimal(digits)}) if re.search(r"\d", digits) else frozenset()


def _around(values: frozenset[object], *, sen: bool) -> frozenset[object]:
    if not sen:
        return values
    return frozenset(value + Decimal(step) / 100 for value in values if isinstance(value, Decimal) for step in _SEN)


def _day(written: str | None) -> frozenset[object]:
    """ISO, or as an older set printed it, day first."""
    if not written:
        return frozenset()
    if re.match(r"\d{4}-\d{2}-\d{2}", written):
        return frozenset({date.fromisoformat(written[:10])})
    return frozenset(found.value for found in find_dates(written, latest=date(2030, 12, 31))[:1])


def _names(written: str | None) -> frozenset[object]:
    """Alternatives and printed lines are apart; a name on several lines counts whole and by its lines."""
    names = [name for name in re.split("[|;]", written or "") if name.strip()]
    return frozenset({*names, *(line for name in names for line in name.split("\n") if len(squeeze(line)) > 4)})


def _printed(values: frozenset[object], pages: Sequence[ReadPage]) -> frozenset[object]:
    """Those that a text layer has: labels from an e-invoice's XML name sums that its print leaves out."""
    texts = [line.text for page in pages for line in page.lines]
    return values & {amount.value for text in texts for amount in find_amounts(text)}


def _text(written: str | None) -> frozenset[object]:
    return frozenset({written}) if written else frozenset()


def _united(papers: Sequence[Paper]) -> dict[str, str]:
    """One group for the sellers of one name in several sets: a seller that was seen is not left out."""
    names: dict[str, set[str]] = defaultdict(set)
    for paper in papers:
        names[paper.group] |= {squeeze(str(name)) for name in paper.labels.get("seller", ())}
    parent = {group: group for group in names}

    def root(group: str) -> str:
        while parent[group] != group:
            group = parent[group]
        return group

    groups = list(names)
    for index, one in enumerate(groups):
        for other in groups[index + 1 :]:
            if any(_same(left, right) for left in names[one] for right in names[other]):
                parent[root(other)] = root(one)
    return {group: root(group) for group in groups}


def _same(left: str, right: str) -> bool:
    shorter = min(len(left), len(right))
    if shorter < _SAME_BEGINNING - 3:
        return False
    beginning = shorter >= _SAME_BEGINNING and left[:_SAME_BEGINNING] == right[:_SAME_BEGINNING]
    return beginning or fuzz.ratio(left, right) >= _SAME_SELLER
