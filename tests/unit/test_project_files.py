"""Files that people copy or install from: complete, consistent, and free of surprises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.config import Settings
from scripts.bootstrap import Environment, bootstrap, hashes_of

PROJECT_DIR = Path(__file__).resolve().parents[2]
SETTING_LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
REQUIRED = {"DATABASE_URL", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}
SERVING, GPU, EMBEDDED, DEVELOPMENT = (f"requirements{suffix}.txt" for suffix in ("", "-gpu", "-embedded", "-dev"))


def example_settings() -> dict[str, str]:
    text = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")
    return dict(SETTING_LINE.findall(text))


def requirement_lines(name: str) -> list[str]:
    lines = (PROJECT_DIR / name).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def packages(*names: str) -> dict[str, str]:
    """Normalised package name to the rest of its lines, over several files."""
    found: dict[str, str] = {}
    for name in names:
        for line in requirement_lines(name):
            package, version = line.split("==", 1)
            found.setdefault(re.sub(r"[-_.]+", "-", package).lower(), "")
            found[re.sub(r"[-_.]+", "-", package).lower()] += version
    return found


class TestEnvironmentExample:
    def test_explains_every_setting_and_no_other(self) -> None:
        assert set(example_settings()) == set(Settings.model_fields) | {"HOST"}

    def test_shows_the_defaults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in Settings.model_fields:
            monkeypatch.delenv(name, raising=False)
        needed = {name: SecretStr("postgresql://given") for name in REQUIRED}
        defaults = Settings(_env_file=None, **needed)
        derived = {name for name, field in Settings.model_fields.items() if field.default is None}
        shown = {name: value for name, value in example_settings().items() if name not in REQUIRED | derived}
        shown["MODEL_WEIGHTS_DIR"] = str(PROJECT_DIR / shown["MODEL_WEIGHTS_DIR"])
        for name, value in shown.items():
            monkeypatch.setenv(name, value)
        assert Settings(_env_file=None, **needed) == defaults

    def test_every_setting_has_a_comment_in_its_section(self) -> None:
        text = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")
        sections = re.split(r"^# --- .*$", text, flags=re.MULTILINE)[1:]
        assert all(re.search(r"^# ", section, re.MULTILINE) for section in sections)


class TestRequirements:
    @pytest.mark.parametrize("name", [SERVING, GPU, EMBEDDED, DEVELOPMENT])
    def test_are_exact(self, name: str) -> None:
        exact = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+(; python_(full_)?version (<|>=) \"3[.\d]+\")?")
        assert [line for line in requirement_lines(name) if not exact.fullmatch(line)] == []

    @pytest.mark.parametrize("name", [SERVING, GPU, EMBEDDED, DEVELOPMENT])
    def test_name_no_index(self, name: str) -> None:
        assert "://" not in (PROJECT_DIR / name).read_text(encoding="utf-8")

    def test_files_that_are_installed_together_do_not_overlap(self) -> None:
        serving, embedded, development = (set(packages(name)) for name in (SERVING, EMBEDDED, DEVELOPMENT))
        assert serving.isdisjoint(embedded | development)
        assert embedded.isdisjoint(development)

    @pytest.mark.parametrize("name", [SERVING, GPU])
    def test_serving_holds_one_opencv_and_no_torch(self, name: str) -> None:
        assert [package for package in packages(name) if package.startswith("opencv")] == [
            "opencv-contrib-python-headless"
        ]
        assert not {"torch", "torchvision", "tensorflow", "paddlepaddle"} & set(packages(name))

    def test_gpu_differs_only_in_the_runtime(self) -> None:
        cpu, gpu = packages(SERVING), packages(GPU)
        assert set(cpu) - set(gpu) == {"onnxruntime"}
        extra = set(gpu) - set(cpu)
        assert {package for package in extra if not package.startswith("nvidia-")} == {"onnxruntime-gpu"}
        assert gpu["onnxruntime-gpu"] == cpu["onnxruntime"]
        assert {package: cpu[package] for package in set(cpu) & set(gpu)} == {
            package: gpu[package] for package in set(cpu) & set(gpu)
        }


class TestBootstrap:
    def test_mends_a_broken_environment_and_installs_again_only_what_changed(self, tmp_path: Path) -> None:
        environment = Environment(tmp_path / "venv")
        environment.python.parent.mkdir(parents=True)
        environment.python.symlink_to(tmp_path / "gone")
        requirements = tmp_path / "requirements.txt"
        requirements.write_text("# nothing\n")
        bootstrap(environment.folder, [requirements])
        assert environment.is_usable()
        assert environment.installed() == hashes_of([requirements])

        marker = environment.folder / "marker"
        marker.touch()
        bootstrap(environment.folder, [requirements])
        assert marker.exists(), "the environment was made anew"

        requirements.write_text("# nothing, said differently\n")
        assert environment.installed() != hashes_of([requirements])
        bootstrap(environment.folder, [requirements])
        assert environment.installed() == hashes_of([requirements])
        assert marker.exists(), "the environment was made anew"

    def test_unreadable_record_means_that_nothing_is_installed(self, tmp_path: Path) -> None:
        (tmp_path / "installed-requirements.json").write_text("{")
        assert Environment(tmp_path).installed() == {}
