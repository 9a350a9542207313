"""How a picture is looked at: as a whole, mirrored, enlarged and in tiles, all through one backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.features import FeatureExtractor, Features, mirror, resize, tile_boxes
from app.core.tile_memory import TileMemory
from app.types import Box, Image


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """Which views to take.

    Attributes:
        whole_sides_px: the whole picture at each of these input sides; more pixels show smaller things.
        mirrored: also the mirror image of each of those.
        tile_rows: tiles from top to bottom, 0 for none; as many from left to right.
        coarse_tile_rows: a second grid of larger tiles, behind the first; 0 for none.
        tile_side_px: input side of a tile.
        tile_overlap: share of a tile that its neighbour repeats.
    """

    whole_sides_px: tuple[int, ...]
    mirrored: bool = False
    tile_rows: int = 0
    coarse_tile_rows: int = 0
    tile_side_px: int = 224
    tile_overlap: float = 0.25

    @property
    def summary(self) -> str:
        """Every number of it, such as ``320 px, tiles 4x4 2x2 of 160 px overlapping 0.25``: plans with the same summary
        give the same views."""
        sides = " ".join(map(str, self.whole_sides_px))
        wholes = f"{sides} px{' mirrored' if self.mirrored else ''}"
        grids = " ".join(f"{rows}x{rows}" for rows in (self.tile_rows, self.coarse_tile_rows) if rows)
        return f"{wholes}, tiles {grids} of {self.tile_side_px} px overlapping {self.tile_overlap}" if grids else wholes


@dataclass(frozen=True, slots=True)
class Views:
    """One picture's features: ``wholes`` in the plan's order, each followed by its mirror image; ``tiles`` row by row.

    The tiles of a second grid follow those of the first. ``tile_boxes`` are the tiles' places in pixels of the picture.
    """

    wholes: tuple[Features, ...]
    tiles: tuple[Features, ...]
    tile_boxes: tuple[Box, ...]

    @property
    def all(self) -> tuple[Features, ...]:
        return self.wholes + self.tiles


def take_views(extractor: FeatureExtractor, image: Image, *, plan: ViewPlan, memory: TileMemory | None = None) -> Views:
    """Look at one BGR picture as planned; with a memory, only at the tiles that changed."""
    wholes: list[Features] = []
    for side_px in plan.whole_sides_px:
        square = resize(image, width=side_px, height=side_px)  # first, so that only the small one is mirrored
        wholes += extractor.extract([square, mirror(square)] if plan.mirrored else [square], side_px=side_px)
    height, width = image.shape[:2]
    boxes = _tiles(width=width, height=height, plan=plan)

    def extract(some: Sequence[Box]) -> list[Features]:
        return extractor.extract(_cut(image, some), side_px=plan.tile_side_px)

    tiles = memory.extract(image, boxes, extract) if memory else extract(boxes)
    return Views(wholes=tuple(wholes), tiles=tuple(tiles), tile_boxes=tuple(boxes))


def view_places(plan: ViewPlan) -> list[Box]:
    """Where the views of a plan without mirror images lie, as ``Views.all`` has them, in fractions of the picture."""
    return [Box(0, 0, 1, 1)] * len(plan.whole_sides_px) + _tiles(width=1, height=1, plan=plan)


def quarters(image: Image) -> list[Image]:
    """Four parts that overlap a little, row by row."""
    height, width = image.shape[:2]
    return _cut(image, tile_boxes(width=width, height=height, rows=2, columns=2, overlap=0.25))


def _tiles(*, width: int, height: int, plan: ViewPlan) -> list[Box]:
    return [
        box
        for rows in (plan.tile_rows, plan.coarse_tile_rows)
        if rows
        for box in tile_boxes(width=width, height=height, rows=rows, columns=rows, overlap=plan.tile_overlap)
    ]


def _cut(image: Image, boxes: Sequence[Box]) -> list[Image]:
    """The pixels of each box; at least one, so that the tiles of the tiniest picture exist too."""
    height, width = image.shape[:2]
    parts = []
    for box in boxes:
        left, top = min(round(box.x1), width - 1), min(round(box.y1), height - 1)
        right, bottom = max(round(box.x2), left + 1), max(round(box.y2), top + 1)
        parts.append(image[top:bottom, left:right])
    return parts
