"""What a conversion is given; ``conversions.py`` has those that there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.ml_models.specs import SourceSpec
from scripts.models.errors import PreparationError
from scripts.models.torch_tools import ConversionTools

Options = TypeVar("Options", bound=SourceSpec)


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
    options: SourceSpec
    tools: ConversionTools

    def options_as(self, kind: type[Options]) -> Options:
        """The options of one conversion alone. Raises ``PreparationError`` where they are of another one."""
        if not isinstance(self.options, kind):
            raise PreparationError(f"the conversion {self.options.conversion} has no such options")
        return self.options
