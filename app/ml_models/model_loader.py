"""From a pack's manifest to verified files and loaded networks."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from app.errors import ModelUnavailable
from app.ml_models.devices import RuntimeOptions, SessionOpener
from app.ml_models.integrity import file_sha256, lock_path, read_lock
from app.ml_models.runtimes import UnreadableModel
from app.ml_models.specs import ModelSpec, Pack, PackFile, Spec
from app.ml_models.start_cache import StartCache
from app.types import FloatArray, Session
from app.utils.logging import logger


@dataclass(frozen=True, slots=True)
class ModelListing:
    """What is told of a model to the outside.

    Attributes:
        sha256: of the network's file; None where nothing is installed and the manifest knows none.
        verified: whether the manifest pins the file or the sources that it was made of; else it is only held against
            what came at its first installation.
        provider: what runs it; None until it is loaded.
    """

    role: str
    id: str
    kind: str
    file: str
    sha256: str | None
    verified: bool
    licence: str
    source: str
    provider: str | None
    calibration: Mapping[str, object]


class ModelLoader:
    """Gives engines their specs, files and sessions. Thread-safe; verifies each file and loads each network once.

    Args:
        pack: the manifest.
        weights_dir: holds a folder for each pack, as ``cv models install`` lays it out.
        runtime: how the networks run.
        cache: keeps from one start to the next what is computed of verified files; None computes it each time.

    Raises:
        ConfigurationError: a GPU is required and there is none, or the pack's lock file is damaged.
    """

    def __init__(
        self,
        pack: Pack,
        weights_dir: Path,
        runtime: RuntimeOptions | None = None,
        *,
        cache: StartCache | None = None,
    ) -> None:
        self._pack = pack
        self._pack_dir = weights_dir / pack.name
        self._locked = read_lock(lock_path(weights_dir, pack.name))
        self._opener = SessionOpener(runtime or RuntimeOptions(), cache=cache)
        self._cache = cache
        self._verified: set[PurePosixPath] = set()
        self._sessions: dict[str, Session] = {}
        self._providers: dict[str, str] = {}
        self._lock = threading.RLock()
        self._opening: dict[str, threading.Lock] = {role: threading.Lock() for role in pack.models}

    @property
    def pack(self) -> Pack:
        return self._pack

    @property
    def gpu_missing(self) -> bool:
        """Whether a GPU was asked for and could not be had."""
        return self._opener.gpu_missing

    def has(self, role: str) -> bool:
        """Whether the pack fills this role."""
        return role in self._pack.models

    def spec(self, role: str) -> ModelSpec:
        """The role's manifest entry. Raises ``ConfigurationError`` where the pack has no such role."""
        return self._pack.spec(role)

    def model(self, role: str, kind: type[Spec]) -> Spec:
        """The role's manifest entry as one of that kind, or family of kinds. Raises as ``Pack.model``."""
        return self._pack.model(role, kind)

    def path(self, role: str) -> Path:
        """The role's network file, once all files of the role are verified.

        Raises:
            ConfigurationError: the pack has no such role.
            ModelUnavailable: a file is missing or not the one expected; the message names the command that repairs it.
        """
        spec = self.spec(role)
        for file in spec.files:
            self._verify(spec, file)
        return self._pack_dir / spec.file

    def session(self, role: str) -> Session:
        """The role's network, loaded at the first call.

        Raises:
            ConfigurationError: the pack has no such role, or a GPU is required and cannot be had.
            ModelUnavailable: see ``path``; also where the runtime cannot load the file.
        """
        self.spec(role)
        with self._opening[role]:  # of each its own: a start opens several at once
            session = self._sessions.get(role)
            if session is None:
                session = self._sessions[role] = self._open(role)
                self.note_provider(role, session.provider)
            return session

    def derived(self, role: str, name: str, compute: Callable[[Path], FloatArray]) -> FloatArray:
        """What ``compute`` makes of the role's network file, which a start with a cache does only once.

        Args:
            name: of the result; another meaning or another way to compute it is another name.

        Raises:
            as ``path``.
        """
        path, spec = self.path(role), self.spec(role)
        if self._cache is None:
            return compute(path)
        key = str(self._expected_sha256(spec.files[0]))  # known, as ``path`` found the file to be the one expected
        kept = self._cache.find(name, key=key)
        if kept is not None:
            array: FloatArray = np.load(io.BytesIO(kept), allow_pickle=False)
            return array
        computed = compute(path)
        file = io.BytesIO()
        np.save(file, computed, allow_pickle=False)
        self._cache.keep(name, file.getvalue(), key=key)
        return computed

    def note_provider(self, role: str, provider: str) -> None:
        """Tell the listing what runs a model; engines that load a file by other means than ``session`` call this."""
        with self._lock:
            self._providers[role] = provider
        logger.debug("model_loaded", role=role, provider=provider)

    def providers(self) -> dict[str, str]:
        """What runs each loaded model, by role."""
        with self._lock:
            return dict(self._providers)

    def listing(self) -> list[ModelListing]:
        """Every model of the pack, by role."""
        with self._lock:
            return [self._listed(self._pack.models[role]) for role in sorted(self._pack.models)]

    def _open(self, role: str) -> Session:
        spec, path = self.spec(role), self.path(role)
        half = spec.runtime.fp16_file
        try:
            return self._opener.open(
                path,
                spec.runtime,
                fp16_path=None if half is None else self._pack_dir / half,
                sha256=self._expected_sha256(spec.files[0]),
            )
        except UnreadableModel as error:
            raise ModelUnavailable(f"The model file {spec.file} cannot be loaded: {error}") from error

    def _verify(self, spec: ModelSpec, file: PackFile) -> None:
        if file.path in self._verified:
            return
        expected = self._expected_sha256(file)
        repair = f"Run: cv models install --pack {self._pack.name} --only {spec.role}"
        try:
            found = file_sha256(self._pack_dir / file.path)
        except OSError as error:
            raise ModelUnavailable(f"The model file {file.path} is not there ({error.strerror}). {repair}") from error
        if expected is None:
            raise ModelUnavailable(f"The model file {file.path} was not installed by the download script. {repair}")
        if found != expected:
            raise ModelUnavailable(f"The model file {file.path} is damaged, or another one than expected. {repair}")
        self._verified.add(file.path)

    def _expected_sha256(self, file: PackFile) -> str | None:
        return file.sha256 or self._locked.files.get(str(file.path))

    def _listed(self, spec: ModelSpec) -> ModelListing:
        return ModelListing(
            role=spec.role,
            id=spec.model_id,
            kind=spec.kind,
            file=str(spec.file),
            sha256=self._expected_sha256(spec.files[0]),
            verified=spec.is_pinned,
            licence=spec.licence,
            source=spec.source.package,
            provider=self._providers.get(spec.role),
            calibration=spec.calibration.model_dump(),
        )
