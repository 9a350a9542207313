"""Labels to print: a QR code with lines of text beside it, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import zxingcpp

_WIDTH_MM, _HEIGHT_MM = 62, 29  # a common roll of label printers
_CODE_MM = 27.0
_LINE_MM = 4.6
_FONT_MM = 3.6


def label_svg(code: str, lines: Sequence[str]) -> bytes:
    """A label of 62 by 29 mm.

    Args:
        code: what scanners read.
        lines: beside it, up to five; longer ones than some 18 letters run out of the label.
    """
    size = {"width": f"{_WIDTH_MM}mm", "height": f"{_HEIGHT_MM}mm", "viewBox": f"0 0 {_WIDTH_MM} {_HEIGHT_MM}"}
    svg = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size})
    ElementTree.SubElement(svg, "rect", {"width": "100%", "height": "100%", "fill": "#fff"})
    modules = _modules(code)
    scale = _CODE_MM / len(modules)
    path = "".join(f"M{x} {y}h1v1h-1z" for y, x in zip(*np.nonzero(modules), strict=True))
    ElementTree.SubElement(svg, "path", {"d": path, "transform": f"translate(1 1) scale({scale:.5f})"})
    for number, line in enumerate(lines):
        place = {
            "x": "30",
            "y": f"{5 + number * _LINE_MM:.1f}",
            "font-size": str(_FONT_MM),
            "font-family": "sans-serif",
        }
        ElementTree.SubElement(svg, "text", place).text = line
    return bytes(ElementTree.tostring(svg, encoding="utf-8", xml_declaration=True))


def _modules(code: str) -> npt.NDArray[np.bool_]:
    """(n, n) bool, true where the code is dark, its quiet zone included."""
    barcode = zxingcpp.create_barcode(code, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    dark: npt.NDArray[np.bool_] = np.array(barcode.to_image(scale=1, add_quiet_zones=True)) == 0
    return dark
