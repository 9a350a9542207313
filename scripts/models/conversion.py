"""What a conversion is given; ``conversions.py`` has those that there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.ml_models.tables import Table
from scripts.models.torch_tools import ConversionTools


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is to be converted.

    Attributes:
        sources: the members, in the manifest's order.
        targets: the files to write, in the manifest's order.
        options: the ``source`` table.
        tools: where PyTorch is, for those that need it.
    """

    sources: tuple[Path, ...]
    targets: tuple[Path, ...]
    options: Table
    tools: ConversionTools
