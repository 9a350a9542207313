"""The conversion environment: PyTorch and what reads its checkpoints, apart from the environment that serves."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.models.errors import PreparationError
from scripts.models.progress import Progress

PROJECT_DIR = Path(__file__).resolve().parents[2]
REQUIREMENTS = PROJECT_DIR / "requirements-models.txt"
TORCH_REQUIREMENTS = PROJECT_DIR / "requirements-models-torch.txt"
DETECTOR_REQUIREMENTS = PROJECT_DIR / "requirements-models-detectors.txt"
EXPORTERS_DIR = Path(__file__).parent / "exporters"
STAMP = "complete"


class ConversionTools:
    """Runs exporters in an environment that it makes at the first need and keeps.

    Args:
        tools_dir: where the environment is.
        torch_index: a package index with PyTorch builds, asked beside the usual one; None asks the usual one alone.
        progress: is told of the installation.
    """

    def __init__(self, tools_dir: Path, *, torch_index: str | None, progress: Progress) -> None:
        self._tools_dir = tools_dir
        self._index_options = ["--extra-index-url", torch_index] if torch_index else []
        self._progress = progress

    def export(self, exporter: str, arguments: Sequence[str | Path]) -> None:
        """Run ``exporters/<exporter>.py`` with these arguments.

        Raises:
            PreparationError: the environment could not be made, or the exporter failed.
        """
        self.make_environment()
        command = [str(self._python), str(EXPORTERS_DIR / f"{exporter}.py"), *map(str, arguments)]
        environment = os.environ | {
            "HF_HUB_OFFLINE": "1",
            "YOLO_OFFLINE": "true",
            "YOLO_AUTOINSTALL": "false",
            "YOLO_CONFIG_DIR": str(self._tools_dir),
            "PYTHONPATH": str(self._detectors_dir) if exporter == "yolo" else "",
        }
        _run(command, f"the exporter {exporter}", environment)

    def make_environment(self) -> None:
        """Install what is missing; nothing to do where all is there.

        Raises:
            PreparationError: a package could not be had.
        """
        if self.is_complete():
            return
        self.remove()
        self._progress.step(f"installing PyTorch and its exporters into {self._tools_dir}, once")
        _run([sys.executable, "-m", "venv", str(self._tools_dir)], "the conversion environment")
        pip = [str(self._python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        locked = [*pip, "--no-deps", "--require-hashes"]
        _run([*locked, "-r", str(REQUIREMENTS)], REQUIREMENTS.name)
        _run([*pip, *self._index_options, "-r", str(TORCH_REQUIREMENTS)], TORCH_REQUIREMENTS.name)
        aside = ["--target", str(self._detectors_dir), "-r", str(DETECTOR_REQUIREMENTS)]
        _run([*locked, *aside], DETECTOR_REQUIREMENTS.name)
        self.mark_complete()

    def is_complete(self) -> bool:
        """Whether the environment is there and holds what the requirements say."""
        stamp = self._tools_dir / STAMP
        return stamp.is_file() and stamp.read_text(encoding="utf-8") == _fingerprint()

    def remove(self) -> None:
        """Delete the environment; the next need makes it again."""
        if self._tools_dir.exists():
            shutil.rmtree(self._tools_dir)

    def mark_complete(self) -> None:
        """Say that the environment holds all that it should; one without the mark is an interrupted installation."""
        (self._tools_dir / STAMP).write_text(_fingerprint(), encoding="utf-8")

    @property
    def _python(self) -> Path:
        return self._tools_dir / "bin" / "python"

    @property
    def _detectors_dir(self) -> Path:
        return self._tools_dir / "detectors"


def _fingerprint() -> str:
    """Changes with what the environment should hold."""
    files = (REQUIREMENTS, TORCH_REQUIREMENTS, DETECTOR_REQUIREMENTS)
    content = b"".join(file.read_bytes() for file in files) + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def _run(command: Sequence[str], what: str, environment: dict[str, str] | None = None) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if finished.returncode != 0:
        said = [line.strip() for line in finished.stderr.splitlines() if line.strip()]
        raise PreparationError(f"{what} failed: {said[-1] if said else f'exit status {finished.returncode}'}")
