"""What a synthetic document is, and the canvas that it is drawn on."""

from __future__ import annotations

import importlib.util
import random
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_FONT_DIRS = {
    "matplotlib": "mpl-data/fonts/ttf",
    "font_source_sans_pro": "files",
    "font_source_serif_pro": "files",
}
"""Packages of requirements-dev.txt, and where they keep their fonts. Those of the system are left alone, so that a seed
is the same document on every machine."""

_FAMILIES = (
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    ("SourceSansPro-Regular.ttf", "SourceSansPro-Bold.ttf"),
    ("SourceSerifPro-Regular.ttf", "SourceSerifPro-Bold.ttf"),
)
"""Regular and bold of families that have every Vietnamese letter."""

_MONOSPACE = "DejaVuSansMono.ttf"


@dataclass(frozen=True, slots=True)
class DrawnItem:
    """A line of an invoice."""

    description: str
    quantity: float
    unit_price: int
    amount: int


@dataclass(frozen=True, slots=True)
class SyntheticDocument:
    """A picture and what it says. ``image`` is (h, w, 3) uint8 BGR; ``back`` the other side of a card."""

    kind: str
    image: NDArray[np.uint8]
    fields: dict[str, str]
    items: tuple[DrawnItem, ...] = ()
    back: NDArray[np.uint8] | None = None


@lru_cache(maxsize=1)
def _font_files() -> dict[str, Path]:
    """Every font of the packages, by file name. Raises ``FileNotFoundError`` where one is not installed."""
    files: dict[str, Path] = {}
    for package, folder in _FONT_DIRS.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise FileNotFoundError(f"{package} is not installed: pip install --no-deps -r requirements-dev.txt")
        files |= {path.name: path for path in (Path(spec.origin).parent / folder).glob("*.ttf")}
    return files


def families() -> list[tuple[Path, Path]]:
    """The families to draw with, regular and bold."""
    files = _font_files()
    return [(files[regular], files[bold]) for regular, bold in _FAMILIES]


@lru_cache(maxsize=256)
def _open_font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size_px)


@dataclass(slots=True)
class Canvas:
    """A page to write on with one family of fonts."""

    width: int
    height: int
    family: tuple[Path, Path]
    background: tuple[int, int, int] = (255, 255, 255)
    image: Image.Image = field(init=False)
    draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("RGB", (self.width, self.height), self.background)
        self.draw = ImageDraw.Draw(self.image)

    def font(self, size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
        return _open_font(self.family[1 if bold else 0], size_px)

    def write(
        self,
        position: tuple[float, float],
        text: str,
        size_px: int,
        *,
        bold: bool = False,
        colour: tuple[int, int, int] = (25, 25, 25),
        anchor: str = "la",
    ) -> float:
        """Write ``text`` and return the x at its end."""
        font = self.font(size_px, bold=bold)
        self.draw.text(position, text, font=font, fill=colour, anchor=anchor)
        return position[0] + font.getlength(text)

    def write_monospace(self, position: tuple[float, float], text: str, *, width_px: int) -> None:
        """Write ``text`` in a monospaced font so that it fills ``width_px``, as machine-readable lines do."""
        font = _open_font(_font_files()[_MONOSPACE], 60)
        strip = Image.new("L", (int(font.getlength(text)) + 4, 80), 255)
        ImageDraw.Draw(strip).text((2, 4), text, font=font, fill=15)
        height = int(80 * width_px / strip.width)
        resized = strip.resize((width_px, height), Image.Resampling.LANCZOS)
        self.image.paste((15, 15, 15), (int(position[0]), int(position[1])), Image.eval(resized, lambda v: 255 - v))

    def wrap(self, text: str, size_px: int, width_px: float, *, bold: bool = False) -> list[str]:
        """``text`` broken at spaces into lines of at most ``width_px``."""
        font, lines = self.font(size_px, bold=bold), [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) <= width_px or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def guilloche(self, rng: random.Random, tint: tuple[int, int, int]) -> None:
        """Fine curved lines over the background, as cards carry them."""
        xs = np.arange(0, self.width, 6)
        for offset in range(-40, self.height + 40, 18):
            phase, amplitude = rng.random() * 6.3, rng.uniform(6, 14)
            ys = offset + amplitude * np.sin(xs / 55.0 + phase)
            self.draw.line([(float(x), float(y)) for x, y in zip(xs, ys, strict=True)], fill=tint, width=1)

    def portrait(self, box: tuple[int, int, int, int], rng: random.Random) -> None:
        """A grey figure where the photo would be."""
        x1, y1, x2, y2 = box
        shade = rng.randint(120, 200)
        self.draw.rectangle(box, fill=(shade, shade + 15, min(255, shade + 30)))
        width, height = x2 - x1, y2 - y1
        self.draw.ellipse(
            (x1 + width * 0.3, y1 + height * 0.15, x1 + width * 0.7, y1 + height * 0.55), fill=(205, 170, 150)
        )
        self.draw.ellipse(
            (x1 + width * 0.12, y1 + height * 0.6, x2 - width * 0.12, y2 + height * 0.3), fill=(60, 60, 90)
        )
        self.draw.rectangle((x1, y2, x2, y2 + height * 0.32), fill=self.background)

    def bgr(self) -> NDArray[np.uint8]:
        return np.ascontiguousarray(np.asarray(self.image)[:, :, ::-1])
