"""Build the documentation as a site: ``make docs``. Runs in the environment of ``requirements-docs.txt``.

``docs/`` and the pages that stand elsewhere in the repository are gathered in a folder, with links as they have to be
there; links in the repository stay as GitHub and editors follow them. MkDocs then refuses whatever leads nowhere.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

PROJECT_DIR = Path(__file__).resolve().parents[1]
DOCS = PurePosixPath("docs")
STARTS = {"README.md": "index.md", "README.vi.md": "index.vi.md"}
"""Where the site's first page comes from, by language."""
MORE = ("CONTRIBUTING.md", "CHANGELOG.md")
REST = PurePosixPath("repository")
"""Stands in the site for what stands elsewhere in the repository."""
_CODE = r"^```.*?^```$|`[^`\n]+`"
_LINK = re.compile(rf"({_CODE})|(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"[a-z]+:|/")
_OTHER_LANGUAGE = re.compile(r"^\[(English|Tiếng Việt)\]\([^)]*\)\n\n?", re.MULTILINE)


def place(path: PurePosixPath) -> PurePosixPath:
    """Where a file of the repository stands among the site's sources."""
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS)
    return PurePosixPath(STARTS[str(path)]) if str(path) in STARTS else REST / path


def relinked(text: str, change: Callable[[str], str]) -> str:
    """The text with the address of every relative link changed; code stays as it is."""

    def changed(found: re.Match[str]) -> str:
        code, address, anchor = found.groups()
        return found[0] if code or _ELSEWHERE.match(address) else f"{change(address)}{anchor or ''}"

    return _LINK.sub(changed, text)


def gather(target: Path) -> None:
    """Copies the pages, and the files that they link to, into a folder.

    The site chooses the language, so a link leads to the page whatever language it names.
    """
    documents = (path.relative_to(PROJECT_DIR) for path in (PROJECT_DIR / DOCS).rglob("*") if path.is_file())
    waiting = [*map(PurePosixPath, (*STARTS, *MORE)), *(PurePosixPath(path.as_posix()) for path in documents)]
    gathered = set(waiting)
    while waiting:
        source = waiting.pop()
        copy = target / place(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix != ".md":
            copy.write_bytes((PROJECT_DIR / source).read_bytes())
            continue

        def moved(address: str, source: PurePosixPath = source) -> str:
            linked = PurePosixPath(os.path.normpath(source.parent / address))
            if not (PROJECT_DIR / linked).is_file():
                return address  # which MkDocs then names
            if linked not in gathered:
                gathered.add(linked)
                waiting.append(linked)
            return os.path.relpath(place(linked), place(source).parent).replace(".vi.md", ".md")

        text = _OTHER_LANGUAGE.sub("", (PROJECT_DIR / source).read_text(encoding="utf-8"))
        copy.write_text(relinked(text, moved), encoding="utf-8")


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", type=Path, default=PROJECT_DIR / "site", help="where it is written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        gather(Path(folder))
        command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(PROJECT_DIR / "mkdocs.yml")]
        command += ["--site-dir", str(options.site.resolve())]
        environment = {**os.environ, "CV_DOCS_DIR": folder, "NO_MKDOCS_2_WARNING": "1"}
        status = subprocess.run(command, check=False, env=environment).returncode
    if status == 0:
        # The plugin that does this does it before the languages' entries are put together.
        search = options.site / "search"
        entries = (search / "search_index.json").read_text(encoding="utf-8")
        (search / "search_index.js").write_text(f"var __index = {entries}", encoding="utf-8")
        print(f"{options.site}/index.html")
    return status


if __name__ == "__main__":
    sys.exit(main())
