"""Engines over the installed weights, built once for the session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from app.config import WEIGHTS_DIR
from app.ml_models.factories.face import FaceEngines, build_face_engines
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from scripts.download_models import DEFAULT_TOOLS_DIR, main
from scripts.models.progress import Progress
from scripts.models.torch_tools import ConversionTools
from tests import full_pack


@pytest.fixture(scope="session")
def model_loader() -> ModelLoader:
    """The compact pack, as ``make weights`` installs it."""
    return ModelLoader(load_pack("compact"), WEIGHTS_DIR)


@pytest.fixture(scope="session")
def face_engines(model_loader: ModelLoader) -> FaceEngines:
    """The face engines at the shipped thresholds."""
    return build_face_engines(model_loader)


@pytest.fixture(scope="session")
def conversion_tools() -> ConversionTools:
    """PyTorch and what reads its checkpoints, where somebody made that environment."""
    progress = Progress(Console(quiet=True), roles=1)
    tools = ConversionTools(DEFAULT_TOOLS_DIR, torch_index=None, progress=progress)
    if not tools.is_complete():
        pytest.skip("there is no conversion environment: make model-tools")
    return tools


@dataclass(frozen=True, slots=True)
class PreparedPacks:
    """The ``full`` packs, installed by the download script from the folder ``sources``."""

    packs_dir: Path
    weights_dir: Path
    sources: Path

    def install(self, pack: str, *options: str, roles: Sequence[str] = (), weights_dir: Path | None = None) -> int:
        """Run the download script over the sources; its exit status. No roles are all roles."""
        weights_dir = weights_dir or self.weights_dir
        places = {"--packs-dir": self.packs_dir, "--weights-dir": weights_dir, "--from": self.sources}
        only = [argument for role in roles for argument in ("--only", role)]
        return main(["--pack", pack, *only, *(str(part) for place in places.items() for part in place), *options])

    def loader(self, pack: str) -> ModelLoader:
        """Of what was installed."""
        return ModelLoader(load_pack(pack, self.packs_dir), self.weights_dir)


@pytest.fixture(scope="session")
def prepared_packs(conversion_tools: ConversionTools, tmp_path_factory: pytest.TempPathFactory) -> PreparedPacks:
    """What the ``full`` packs convert from PyTorch, out of a folder of checkpoints."""
    folder = tmp_path_factory.mktemp("prepared")
    prepared = PreparedPacks(full_pack.unpinned_manifests(folder / "packs"), folder / "weights", folder / "sources")
    full_pack.write_checkpoints(prepared.sources, conversion_tools)
    assert prepared.install("full", "--accept-licence", roles=full_pack.CLIP_ROLES + full_pack.YOLO_ROLES) == 0
    assert prepared.install("full-siglip2", roles=full_pack.CLIP_ROLES) == 0
    return prepared
