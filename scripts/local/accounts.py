"""The unprivileged account that PostgreSQL needs when we are root: it refuses to run as root.

Nothing here loosens the rights of any directory. What the account cannot reach, because it lies below a closed folder
such as /root, is put below /var/lib instead.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.local.errors import LocalStackError

_OWN_ACCOUNT = "cv-postgres"
_FALLBACK_ACCOUNTS = ("postgres", "nobody")
_AS_ACCOUNT = Path(__file__).with_name("as_account.py")
_OPEN_STATE_DIR = Path("/var/lib/cv-service")


@dataclass(frozen=True, slots=True)
class Account:
    """A system account."""

    name: str
    uid: int
    gid: int

    def prefix(self) -> list[str]:
        """What to put before a program's arguments, to run it under this account; we have to be root."""
        return [sys.executable, "-I", "-S", str(_AS_ACCOUNT), str(self.uid), str(self.gid)]

    @classmethod
    def named(cls, name: str) -> Account | None:
        """The account of that name, if there is one."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @classmethod
    def owning(cls, path: Path) -> Account:
        """The account that owns ``path``.

        Raises:
            LocalStackError: the owner has no name here, as after a move between machines.
        """
        uid = path.stat().st_uid
        try:
            entry = pwd.getpwuid(uid)
        except KeyError as error:
            raise LocalStackError(f"{path} belongs to user id {uid}, which this machine does not know.") from error
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


def is_root() -> bool:
    """Whether we run as root."""
    return os.geteuid() == 0


def unprivileged_account() -> Account:
    """An account for PostgreSQL: ours, made where it is missing, else one that every system has.

    Raises:
        LocalStackError: there is none and none can be made.
    """
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    if Account.named(_OWN_ACCOUNT) is None and useradd is not None:
        # Fails when a second run makes the account at the same moment; what counts is that it exists afterwards.
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run(
            [useradd, *options, "--shell", "/usr/sbin/nologin", _OWN_ACCOUNT], check=False, capture_output=True
        )
    for name in (_OWN_ACCOUNT, *_FALLBACK_ACCOUNTS):
        account = Account.named(name)
        if account is not None and account.uid != 0:
            return account
    raise LocalStackError("PostgreSQL needs an account that is not root. Run as an ordinary user, or install useradd.")


def can_reach(account: Account, path: Path) -> bool:
    """Whether ``account`` may pass through or execute ``path``: asked by trying, so that ACLs count too."""
    answer = subprocess.run([*account.prefix(), "/usr/bin/test", "-x", str(path)], cwd="/", check=False)
    return answer.returncode == 0


def open_state_dir(name: str) -> Path:
    """A folder below /var/lib that every account can pass through."""
    folder = _OPEN_STATE_DIR / name
    folder.mkdir(parents=True, exist_ok=True)
    for passed_through in (_OPEN_STATE_DIR, folder):  # ours alone; the umask may have closed them
        passed_through.chmod(0o711)
    return folder
