"""What a synthetic document is, and the canvas that it is drawn on."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_FONT_DIRS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")
_FAMILIES = (
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
    ("OpenSans-Regular.ttf", "OpenSans-Bold.ttf"),
    ("Roboto-Regular.ttf", "Roboto-Bold.ttf"),
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf"),
    ("NotoSerif-Regular.ttf", "NotoSerif-Bold.ttf"),
    ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
)
"""Regular and bold of families that have every Vietnamese letter."""

_MONOSPACE = ("DejaVuSansMono.ttf", "NotoSansMono-Regular.ttf")


@dataclass(frozen=True, slots=True)
class LineItem:
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
    items: tuple[LineItem, ...] = ()
    back: NDArray[np.uint8] | None = None


@lru_cache(maxsize=1)
def _font_files() -> dict[str, Path]:
    return {path.name: path for folder in _FONT_DIRS if folder.is_dir() for path in folder.rglob("*.ttf")}


def families() -> list[tuple[Path, Path]]:
    """The installed families with Vietnamese letters, regular and bold.

    Raises:
        FileNotFoundError: none is installed; Debian's ``fonts-dejavu-core`` is enough.
    """
    files = _font_files()
    found = [(files[regular], files[bold]) for regular, bold in _FAMILIES if regular in files and bold in files]
    if not found:
        raise FileNotFoundError("No font with Vietnamese letters; install fonts-dejavu-core or fonts-noto-core.")
    return found


def fonts_are_installed() -> bool:
    """Whether documents can be drawn here."""
    try:
        return bool(families())
    except FileNotFoundError:
        return False


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
        files = _font_files()
        path = next((files[name] for name in _MONOSPACE if name in files), self.family[0])
        font = _open_font(path, 60)
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
