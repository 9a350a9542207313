"""Pack manifests: which file plays which role, how it wants its input, and the figures set for it.

A manifest is ``packs/<name>.toml``; ``packs/README.md`` describes its tables.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from app.errors import ConfigurationError
from app.ml_models.tables import Table

PACKS_DIR = Path(__file__).parent / "packs"

Colour = Literal["RGB", "BGR", "GRAY"]
CpuRuntime = Literal["onnxruntime", "openvino"]


@dataclass(frozen=True, slots=True)
class PackFile:
    """A file of a model, ``path`` relative to the pack's folder; ``sha256`` is None where no official one is known."""

    path: PurePosixPath
    sha256: str | None


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a network wants its pictures: n × channels × ``height`` × ``width`` float32 of ``(pixel - mean) / scale``.

    ``mean`` and ``scale`` hold one value, or one for each channel in the order of ``colour``; pixels are 0 to 255.
    """

    name: str
    width: int
    height: int
    colour: Colour
    mean: tuple[float, ...]
    scale: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """What was measured to run a model best, and what may be varied without changing its answers.

    Attributes:
        cpu: the faster runtime on a CPU in f32.
        bf16: whether bfloat16 showed the same error rates as f32.
        fp16_file: the half-precision twin for CUDA, relative to the pack's folder.
        row_by_row: whether OpenVINO runs it faster compiled for a batch of one.
    """

    cpu: CpuRuntime
    bf16: bool
    fp16_file: PurePosixPath | None
    row_by_row: bool


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One role of a pack.

    Attributes:
        role: what it is for, such as ``face_embedding``.
        model_id: identifies the weights; embeddings of different ids are never compared.
        kind: the engine implementation that reads it, such as ``arcface``.
        files: the network first, then what belongs to it.
        licence: as far as it is known, in words.
        source: where it comes from, for ``scripts/download_models.py``.
        params: thresholds and other fixed figures.
        calibration: from raw scores to the public ones, with the data and error rates they were set at.
    """

    role: str
    model_id: str
    kind: str
    files: tuple[PackFile, ...]
    licence: str
    source: Table
    runtime: RuntimeSpec
    params: Table
    calibration: Table
    image_input: InputSpec | None

    @property
    def file(self) -> PurePosixPath:
        """The network's file, relative to the pack's folder."""
        return self.files[0].path

    @property
    def sha256(self) -> str | None:
        """The network file's sha256; None where no official one is known."""
        return self.files[0].sha256

    @property
    def is_pinned(self) -> bool:
        """Whether the manifest knows the sha256 of every file, or of every source that the files are made of."""
        sources = self.source.tables("members")
        return all(file.sha256 for file in self.files) or (
            bool(sources) and all("sha256" in source for source in sources)
        )

    @property
    def input(self) -> InputSpec:
        """Raises ``ConfigurationError`` for a model that takes no pictures."""
        if self.image_input is None:
            raise ConfigurationError(f"{self.params.place.rpartition('.')[0]}: the model takes no pictures.")
        return self.image_input


@dataclass(frozen=True, slots=True)
class Pack:
    """A set of models that were calibrated together; ``models`` is by role."""

    name: str
    description: str
    models: Mapping[str, ModelSpec]

    def spec(self, role: str) -> ModelSpec:
        """Raises ``ConfigurationError`` where the pack has no such role."""
        try:
            return self.models[role]
        except KeyError:
            known = ", ".join(sorted(self.models))
            raise ConfigurationError(f"Model pack {self.name} has no role {role}; it has {known}.") from None


def load_pack(name: str, packs_dir: Path = PACKS_DIR) -> Pack:
    """Read ``<packs_dir>/<name>.toml`` and the roles that it includes from other packs.

    Raises:
        ConfigurationError: no such pack, or a manifest that does not hold together.
    """
    path = packs_dir / f"{name}.toml"
    try:
        root = Table(tomllib.loads(path.read_text(encoding="utf-8")), place=f"Model pack {name}")
    except FileNotFoundError:
        known = ", ".join(pack_names(packs_dir)) or "none"
        raise ConfigurationError(f"There is no model pack {name}; there are: {known}.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"Model pack {name}: {path.name} is not valid TOML: {error}.") from error
    models = [*_included(root, name=name, packs_dir=packs_dir), *(_read_model(table) for table in root.tables("model"))]
    by_role = {model.role: model for model in models}
    if len(by_role) != len(models):
        raise ConfigurationError(f"Model pack {name}: a role stands twice.")
    return Pack(name=name, description=root.text("description"), models=by_role)


def pack_names(packs_dir: Path) -> list[str]:
    """The packs in a folder, in which other data files may stand too."""
    paths = sorted(packs_dir.glob("*.toml"))
    return [path.stem for path in paths if "[[model]]" in path.read_text(encoding="utf-8").splitlines()]


def _included(root: Table, *, name: str, packs_dir: Path) -> list[ModelSpec]:
    included: list[ModelSpec] = []
    for table in root.tables("include"):
        if table.text("pack") == name:
            raise ConfigurationError(f"Model pack {name} includes itself.")
        pack = load_pack(table.text("pack"), packs_dir)
        included += [pack.spec(role) for role in table.texts("roles")]
    return included


def _read_model(table: Table) -> ModelSpec:
    table = Table(table, place=f"{table.place.rpartition('.')[0]}, role {table.text('role')}")
    files = tuple(_read_file(file) for file in table.tables("files"))
    if not files:
        raise ConfigurationError(f"{table.place}: files must name at least one.")
    runtime = table.table("runtime")
    return ModelSpec(
        role=table.text("role"),
        model_id=table.text("id"),
        kind=table.text("kind"),
        files=files,
        licence=table.text("licence"),
        source=table.table("source"),
        runtime=_read_runtime(runtime),
        params=table.table("params"),
        calibration=table.table("calibration"),
        image_input=_read_input(table.table("input")) if "input" in table else None,
    )


def _read_file(table: Table) -> PackFile:
    return PackFile(
        path=_relative(table, "path"),
        sha256=table.text("sha256").lower() if "sha256" in table else None,
    )


def _read_input(table: Table) -> InputSpec:
    colour = table.text("colour")
    if colour not in ("RGB", "BGR", "GRAY"):
        raise ConfigurationError(f"{table.place}: colour must be RGB, BGR or GRAY, and is {colour!r}.")
    return InputSpec(
        name=table.text("name"),
        width=table.integer("width"),
        height=table.integer("height"),
        colour=cast(Colour, colour),
        mean=table.numbers("mean"),
        scale=table.numbers("scale"),
    )


def _read_runtime(table: Table) -> RuntimeSpec:
    cpu = table.text("cpu") if "cpu" in table else "openvino"
    if cpu not in ("onnxruntime", "openvino"):
        raise ConfigurationError(f"{table.place}: cpu must be onnxruntime or openvino, and is {cpu!r}.")
    return RuntimeSpec(
        cpu=cast(CpuRuntime, cpu),
        bf16=table.flag("bf16", default=False),
        fp16_file=_relative(table, "fp16_file") if "fp16_file" in table else None,
        row_by_row=table.flag("row_by_row", default=False),
    )


def _relative(table: Table, key: str) -> PurePosixPath:
    path = PurePosixPath(table.text(key))
    if path.is_absolute() or ".." in path.parts:
        raise ConfigurationError(f"{table.place}: {key} must stay inside the pack's folder, and is {str(path)!r}.")
    return path
