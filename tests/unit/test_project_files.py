"""Files that people copy or install from: complete, consistent, and free of surprises."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr

from app.config import Settings
from scripts import export_settings
from scripts.bootstrap import BootstrapError, Environment, bootstrap, hashes_of

PROJECT_DIR = Path(__file__).resolve().parents[2]
SETTING_LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
REQUIRED = {"DATABASE_URL", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}


def example_settings() -> dict[str, str]:
    text = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")
    return dict(SETTING_LINE.findall(text))


class TestEnvironmentExample:
    def test_explains_every_setting_and_no_other(self) -> None:
        assert set(example_settings()) == set(Settings.model_fields) | {"HOST"}

    def test_shows_the_defaults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in Settings.model_fields:
            monkeypatch.delenv(name, raising=False)
        needed: dict[str, Any] = {name: SecretStr("postgresql://given") for name in REQUIRED}
        defaults = Settings(_env_file=None, **needed)
        derived = {name for name, field in Settings.model_fields.items() if field.default is None}
        shown = {name: value for name, value in example_settings().items() if name not in REQUIRED | derived}
        shown["MODEL_WEIGHTS_DIR"] = str(PROJECT_DIR / shown["MODEL_WEIGHTS_DIR"])
        for name, value in shown.items():
            monkeypatch.setenv(name, value)
        assert Settings(_env_file=None, **needed) == defaults

    def test_a_copy_of_it_without_the_marks_says_the_same(self, tmp_path: Path) -> None:
        """Compose and the service read such files; none of its values needs quotes."""
        copy = tmp_path / ".env"
        copy.write_text("".join(f"{name}={value}\n" for name, value in example_settings().items()), encoding="utf-8")
        assert dotenv_values(copy) == example_settings()

    def test_the_page_of_the_settings_is_current(self) -> None:
        page = export_settings.TARGET.read_text(encoding="utf-8")
        assert page == export_settings.document(), "a setting was added or changed; run: make openapi"

    def test_every_setting_has_a_comment_in_its_section(self) -> None:
        text = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")
        sections = re.split(r"^# --- .*$", text, flags=re.MULTILINE)[1:]
        assert all(re.search(r"^# ", section, re.MULTILINE) for section in sections)


@pytest.mark.slow
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
        assert marker.exists(), "the environment was made again"

        requirements.write_text("# nothing, said differently\n")
        assert environment.installed() != hashes_of([requirements])
        bootstrap(environment.folder, [requirements])
        assert environment.installed() == hashes_of([requirements])
        assert marker.exists(), "the environment was made again"

    def test_its_python_imports_the_project_from_any_folder(self, tmp_path: Path) -> None:
        environment = Environment(tmp_path / "venv")
        environment.create()
        environment.make_importable(PROJECT_DIR)
        found = subprocess.run(
            [environment.python, "-c", "import scripts; print(scripts.__file__)"],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert found.stdout.strip() == str(PROJECT_DIR / "scripts" / "__init__.py")

    def test_the_command_of_operators_is_in_it_and_runs_with_its_python(self, tmp_path: Path) -> None:
        environment = Environment(tmp_path / "venv")
        (tmp_path / "venv" / "bin").mkdir(parents=True)
        environment.python.write_text('#!/bin/sh\necho "$PYTHONPATH $*"\n')
        environment.python.chmod(0o755)
        for _ in range(2):
            environment.offer_command(PROJECT_DIR)
        ran = subprocess.run(
            [environment.folder / "bin" / "cv", "keys", "list"],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert ran.stdout.strip() == f"{PROJECT_DIR} -m app.cli keys list"

    def test_a_package_without_its_hash_is_not_installed(self, tmp_path: Path) -> None:
        requirements = tmp_path / "requirements.txt"
        requirements.write_text("tqdm==4.70.1\n")
        with pytest.raises(BootstrapError):
            bootstrap(tmp_path / "venv", [requirements])
        assert Environment(tmp_path / "venv").installed() == {}

    def test_unreadable_record_means_that_nothing_is_installed(self, tmp_path: Path) -> None:
        (tmp_path / "installed-requirements.json").write_text("{")
        assert Environment(tmp_path).installed() == {}
