"""Labels to print can be scanned."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import cv2
import numpy as np
import zxingcpp

from app.utils.labels import label_svg

_SVG = "{http://www.w3.org/2000/svg}"


def test_the_code_of_a_label_is_read_and_its_text_is_kept() -> None:
    svg = ElementTree.fromstring(label_svg("claim:1234", ["#1234", "<Room> & 201"]))  # noqa: S314  # our own
    path = svg.find(f"{_SVG}path")
    assert path is not None
    cells = [(int(y), int(x)) for x, y in re.findall(r"M(\d+) (\d+)h", path.attrib["d"])]
    size = max(max(cell) for cell in cells) + 5
    picture = np.full((size, size), 255, np.uint8)
    for cell in cells:
        picture[cell] = 0
    large = cv2.resize(picture, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST)
    assert [found.text for found in zxingcpp.read_barcodes(large)] == ["claim:1234"]
    assert [text.text for text in svg.iter(f"{_SVG}text")] == ["#1234", "<Room> & 201"]
