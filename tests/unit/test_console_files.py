"""The console's built files are those of its source, small, and name no foreign host."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[2]
BUILT = PROJECT_DIR / "app" / "console"
SOURCE = PROJECT_DIR / "console"
MANIFEST = json.loads((BUILT / "manifest.json").read_text(encoding="utf-8"))
MAX_BYTES = 400_000


def digests(folder: Path, paths: list[Path]) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_the_built_files_are_those_of_the_source() -> None:
    """Without Node.js; ``test_console.py`` builds them again."""
    source = [path for path in (SOURCE / "src").rglob("*") if path.is_file()]
    source += [SOURCE / name for name in ("build.mjs", "package-lock.json", "tsconfig.json")]
    assert digests(SOURCE, source) == MANIFEST["sources"], "the source has changed; run: make console"
    built = [path for path in BUILT.iterdir() if path.name != "manifest.json"]
    assert digests(BUILT, built) == MANIFEST["files"], "a built file was changed by hand; run: make console"


def test_they_are_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in BUILT.iterdir()) < MAX_BYTES


def test_the_page_runs_and_loads_its_own_files_alone() -> None:
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!/console/)', page) == []
    assert re.findall(r"<script(?! type=\"module\" src=)|<style|\son\w+=|\sstyle=", page) == []
    names = set(re.findall(r"https?://[^/\"'`)\s]+", (BUILT / "main.js").read_text(encoding="utf-8")))
    assert names <= {"http://www.w3.org"}  # names of XML, which nobody fetches


def test_the_lock_names_no_registry() -> None:
    assert "resolved" not in (SOURCE / "package-lock.json").read_text(encoding="utf-8")
