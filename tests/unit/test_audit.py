"""The audit of dependencies by advisories at hand."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from scripts import audit_dependencies
from scripts.advisories import Advisories, UnreadableAdvisories, pinned, read_advisories


def advisory(*events: dict[str, str], name: str = "Some_Package", **more: Any) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    affected = {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges}
    return {"id": "PYSEC-1", "aliases": ["CVE-1"], "affected": [affected], **more}


def archive(path: Path, *documents: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for number, document in enumerate(documents):
            file.writestr(f"{number}.json", json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("events", "affected", "safe"),
    [
        ([{"introduced": "0"}, {"fixed": "1.2"}], ["0.1.dev1", "1.0", "1.2rc1"], ["1.2", "2.0"]),
        ([{"introduced": "1.0"}, {"last_affected": "1.5"}], ["1.0", "1.5"], ["0.9", "1.5.1"]),
        (
            [{"introduced": "1"}, {"fixed": "1.3"}, {"introduced": "2"}, {"fixed": "2.1"}],
            ["1.2", "2.0"],
            ["1.3", "2.1"],
        ),
        ([{"introduced": "3"}], ["3.0", "10"], ["2.9"]),
    ],
)
def test_a_version_is_affected_between_the_events(
    events: list[dict[str, str]], affected: list[str], safe: list[str]
) -> None:
    advisories = Advisories([advisory(*events)])
    assert [version for version in affected + safe if advisories.of("some-package", version)] == affected


def test_what_was_withdrawn_or_is_of_another_place_counts_nothing() -> None:
    withdrawn = advisory({"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z")
    elsewhere = advisory({"introduced": "0"})
    elsewhere["affected"][0]["package"]["ecosystem"] = "npm"
    assert Advisories([withdrawn, elsewhere]).of("some-package", "1.0") == []


def test_pins_are_read_with_their_markers_and_hashes() -> None:
    lines = "# a comment\naio-pika==10.2.1 \\\n    --hash=sha256:00\nuvloop==0.23 ; sys_platform != 'win32'\n"
    assert pinned(lines) == [("aio-pika", "10.2.1"), ("uvloop", "0.23")]


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [("numpy", 1, "numpy 2"), ("nothing-of-ours", 0, ": 0 known vulnerabilities")],
)
def test_the_lists_are_held_against_the_database(
    name: str,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = archive(tmp_path / "all.zip", advisory({"introduced": "0"}, name=name))
    monkeypatch.setenv("AUDIT_DB", str(database))
    assert audit_dependencies.main([]) == status
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
    assert "audit: run on" in printed.out.splitlines()[-1]


def test_an_excused_vulnerability_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUDIT_DB", str(archive(tmp_path / "all.zip", advisory({"introduced": "0"}, name="numpy"))))
    monkeypatch.setattr(audit_dependencies, "excused", lambda: {"CVE-1"})
    assert audit_dependencies.main([]) == 0


@pytest.mark.parametrize("content", [None, b"no archive", "empty", "damaged"])
def test_a_database_that_cannot_be_read_is_a_failure(
    content: bytes | str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "all.zip"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        archive(path, *([{"affected": [{"package": {"ecosystem": "PyPI"}}]}] if content == "damaged" else []))
    with pytest.raises(UnreadableAdvisories):
        read_advisories(str(path))
    monkeypatch.setenv("AUDIT_DB", str(path))
    assert audit_dependencies.main(["--where-possible"]) == 2
    assert "NOT RUN" in capsys.readouterr().err
