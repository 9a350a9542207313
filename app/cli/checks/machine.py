"""Checks of this machine: settings, packages, disks, models, keys and certificates. They ask no server."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cryptography import x509
from packaging.requirements import InvalidRequirement, Requirement

from app.cli.checks.result import CheckResult, ok, warning, wrong
from app.cli.environment import PROJECT_DIR
from app.cli.models import HERE, states_of
from app.composition.backends import open_vault
from app.composition.documents import load_certificates
from app.config import Settings
from app.errors import ConfigurationError, VisionError
from app.ml_models.heads import read_head
from app.ml_models.model_loader import ModelLoader
from app.ml_models.prototype_file import FILE_NAME, read_prototypes
from app.ml_models.roles import ModelRole
from app.ml_models.specs import Pack

_MB = 1_000_000
_LITTLE_MB, _TOO_LITTLE_MB = 2_000, 200
_SOON = timedelta(days=30)
_ALIKE = 0.85


def misspelt(names: Collection[str]) -> list[CheckResult]:
    """Names in an environment that are nearly those of settings, and mean nothing."""
    known = list(Settings.model_fields)
    close = {name: get_close_matches(name, known, n=1, cutoff=_ALIKE) for name in names if name not in known}
    return [
        warning("settings", f"{name} is no setting, and is not read", f"Is {meant[0]} meant?")
        for name, meant in sorted(close.items())
        if meant
    ]


def open_doors(settings: Settings) -> list[CheckResult]:
    """Settings that are for development."""
    found = []
    if settings.DEBUG:
        found.append(warning("settings", "DEBUG=true shows tracebacks to clients", "Set DEBUG=false."))
    if not settings.AUTH_REQUIRED:
        found.append(
            warning("settings", "AUTH_REQUIRED=false: this machine is served without keys", "Else set it true.")
        )
    return found


def packages(requirements: Path = PROJECT_DIR / "requirements.txt") -> CheckResult:
    """Whether what is installed is what was locked; images don't carry the list, and are built from it."""
    python = f"Python {sys.version.split()[0]}"
    if not requirements.is_file():
        return ok("packages", f"{python}; the image was built from its list")
    others = [f"{name} {here or 'missing'} (locked: {wanted})" for name, wanted, here in _differences(requirements)]
    if not others:
        return ok("packages", f"{python}; as locked")
    shown = ", ".join(others[:5]) + (" …" if len(others) > 5 else "")
    return wrong(
        "packages",
        f"{python}; {len(others)} are not as locked: {shown}",
        "python3 scripts/bootstrap.py requirements.txt makes the environment; rm -r .venv first where it is damaged.",
    )


def _differences(requirements: Path) -> Iterator[tuple[str, str, str | None]]:
    for line in requirements.read_text(encoding="utf-8").splitlines():
        try:
            wanted = Requirement(line.removesuffix("\\").strip())
        except InvalidRequirement:  # hashes, comments and blank lines
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            here = version(wanted.name)
        except PackageNotFoundError:
            here = None
        if here is None or not wanted.specifier.contains(here, prereleases=True):
            yield wanted.name, str(wanted.specifier).removeprefix("=="), here


def disks(settings: Settings) -> list[CheckResult]:
    """Whether there is room where something is written."""
    folders = {"data": settings.CV_DATA_DIR, "temporary files": Path(tempfile.gettempdir())}
    if settings.LOG_DIR is not None:
        folders["logs"] = settings.LOG_DIR
    return [_disk(what, folder.absolute()) for what, folder in folders.items()]


def _disk(what: str, folder: Path) -> CheckResult:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return room(f"{what} in {folder}", shutil.disk_usage(there).free)


def room(where: str, free_bytes: int) -> CheckResult:
    """Whether that much is enough."""
    found = f"{where}: {free_bytes // _MB:,} MB free"
    advice = "Make room, or name a larger place."
    if free_bytes < _TOO_LITTLE_MB * _MB:
        return wrong("disk", found, advice)
    return warning("disk", found, advice) if free_bytes < _LITTLE_MB * _MB else ok("disk", found)


def lasting_places(settings: Settings) -> list[CheckResult]:
    """What has to live and lies where a restart deletes it."""
    temporary = Path(tempfile.gettempdir()).resolve()
    places = {"CV_DATA_DIR": settings.CV_DATA_DIR, "CV_MASTER_KEY_FILE": settings.CV_MASTER_KEY_FILE}
    return [
        warning("settings", f"{name} is in {temporary}, which a restart may empty", f"Set {name} to a lasting place.")
        for name, place in places.items()
        if place is not None and temporary in place.absolute().resolve().parents
    ]


def models(settings: Settings, pack: Pack) -> list[CheckResult]:
    """Whether every file of the pack is here and is the one that its manifest names."""
    states = states_of(ModelLoader(pack, settings.MODEL_WEIGHTS_DIR))
    missing = [
        wrong("models", f"{role}: {state}", f"cv models install --pack {pack.name}")
        for role, state in states.items()
        if state not in HERE
    ]
    return missing or [ok("models", f"pack {pack.name}: {len(states)} here")]


def taught(settings: Settings, pack: Pack) -> list[CheckResult]:
    """Whether heads and prototypes of the hotel's own are of this pack's models."""
    found = []
    own = sorted(settings.own_heads_dir.glob("*.json"))
    for path in own:
        try:
            read_head(path, model_id=pack.spec(ModelRole.IMAGE_FEATURES).model_id)
        except ConfigurationError as error:
            found.append(wrong("heads", error.message, f"Train it again (cv heads train), or remove {path}."))
    if own and not found:
        found.append(ok("heads", f"{len(own)} of the hotel's own"))
    prototypes = settings.CV_DATA_DIR / FILE_NAME
    if prototypes.exists():
        learnt = read_prototypes(prototypes, model_id=pack.spec(ModelRole.IMAGE_EMBEDDING).model_id)
        count = len(learnt.vectors)
        found.append(
            ok("prototypes", f"{count} names learnt")
            if count
            else warning("prototypes", f"{prototypes} is not used: damaged, or another model's", "cv heads prototypes")
        )
    return found


def master_keys(settings: Settings) -> CheckResult:
    """Whether there are any, and the file is nobody else's."""
    try:
        keys = open_vault(settings).keys
        _ = keys.newest  # raises where there is none
    except ConfigurationError as error:
        return wrong("master keys", error.message, "docs/operations.md, Master keys.")
    file = settings.CV_MASTER_KEY_FILE
    if file is not None and file.stat().st_mode & stat.S_IRWXO:
        return warning("master keys", f"everybody on this machine may read {file}", f"chmod o= {file}")
    return ok("master keys", f"versions {', '.join(map(str, keys.versions))}")


def signers(settings: Settings) -> list[CheckResult]:
    """The certificates that vouch for e-invoices."""
    if settings.EINVOICE_TRUST_DIR is None:
        return []
    try:
        certificates = load_certificates(settings.EINVOICE_TRUST_DIR)
    except VisionError as error:
        return [wrong("certificates", error.message, "Put certificates (PEM, DER) there, or set it empty.")]
    if not certificates:
        return [warning("certificates", "EINVOICE_TRUST_DIR has no certificate: no signer is trusted", "Add some.")]
    ending = [
        expiry(f"EINVOICE_TRUST_DIR: {one.subject.rfc4514_string()}", one, renew="Replace it by its successor.")
        for one in certificates
    ]
    return [found for found in ending if found.advice] or [ok("certificates", f"{len(certificates)} signers' roots")]


def expiry(whose: str, certificate: x509.Certificate, *, renew: str) -> CheckResult:
    """Whether a certificate holds for a while."""
    end = certificate.not_valid_after_utc
    left = end - datetime.now(UTC)
    found = f"{whose}: {'ended' if left < timedelta(0) else 'holds until'} {end:%Y-%m-%d}"
    if left < timedelta(0):
        return wrong("certificates", found, renew)
    return warning("certificates", found, renew) if left < _SOON else ok("certificates", found)


def look_at_machine(settings: Settings, pack: Pack, environment: Collection[str]) -> list[CheckResult]:
    """All of these."""
    return [
        *(misspelt(environment) or [ok("settings", "read, and each is one")]),
        *open_doors(settings),
        *lasting_places(settings),
        packages(),
        *disks(settings),
        *models(settings, pack),
        *taught(settings, pack),
        master_keys(settings),
        *signers(settings),
    ]
