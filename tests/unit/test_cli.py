"""The ``cv`` command without servers: what it finds by itself, what it answers, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from app.cli import main as cli
from app.cli.environment import NO_BACKENDS, found_settings
from app.cli.main import COMMANDS, main
from app.config import Settings


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but the defaults, and none found on the machine that runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "found_settings", lambda _given: {})


def running(data_dir: Path) -> None:
    """What ``make run`` leaves while it is up."""
    (data_dir / "run").mkdir(parents=True)
    lines = ["DATABASE_URL='postgresql://local/cv'", "CV_MASTER_KEY_FILE='/data/master.keys'"]
    (data_dir / "run" / "backends.env").write_text("\n".join(lines) + "\n")


class TestFoundSettings:
    def test_a_running_make_run_is_found(self, tmp_path: Path) -> None:
        running(tmp_path / "data")
        assert found_settings({}, project_dir=tmp_path) == {
            "DATABASE_URL": "postgresql://local/cv",
            "CV_MASTER_KEY_FILE": "/data/master.keys",
            "RABBITMQ_URL": "",
            "AUTH_REQUIRED": "false",
            "CV_DATA_DIR": str(tmp_path / "data"),
        }

    def test_its_data_folder_may_be_named_in_the_env_file(self, tmp_path: Path) -> None:
        running(tmp_path / "elsewhere")
        (tmp_path / ".env").write_text(
            "CV_DATA_DIR=elsewhere\nRABBITMQ_URL=amqp://broker/\nDATABASE_URL=of-yesterday\n"
        )
        found = found_settings({}, project_dir=tmp_path)
        assert found["DATABASE_URL"] == "postgresql://local/cv"
        assert found["RABBITMQ_URL"] == "amqp://broker/"

    def test_a_database_in_the_environment_wins(self, tmp_path: Path) -> None:
        running(tmp_path / "data")
        (tmp_path / ".env").write_text("PORT=9000\n")
        assert found_settings({"DATABASE_URL": "postgresql://given/x"}, project_dir=tmp_path) == {"PORT": "9000"}

    def test_given_master_keys_win(self, tmp_path: Path) -> None:
        running(tmp_path / "data")
        assert "CV_MASTER_KEY_FILE" not in found_settings({"CV_MASTER_KEY": "1:x"}, project_dir=tmp_path)

    def test_where_nothing_runs_nothing_is_found(self, tmp_path: Path) -> None:
        assert found_settings({}, project_dir=tmp_path) == {}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert f"Usage: cv {name}" in capsys.readouterr().out


def test_help_imports_no_command() -> None:
    look = "import sys; from app.cli.main import main; main(['--help']); sys.exit('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True
    )
    assert all(f"  {name}" in done.stdout for name in COMMANDS)


def test_wrong_settings_are_told_in_a_line_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "list", "--json"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("cv: Wrong settings: DATABASE_URL: Field required")
    assert json.loads(said.out)["error"]["code"] == "configuration_error"


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["keys", "create"], ["keys", "revoke", "0"], ["keys", "create", "--label", "x", "--scope", "all"],
     ["import", "no-such-folder", "--category", "room"], ["rotate-key", "--add-key", "--retire-old"]],
)  # fmt: skip
def test_a_line_that_makes_no_sense_is_explained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Error: " in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", lambda _name: type("Module", (), {"command": interrupted}))
    assert main(["reconcile"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_missing_models_are_named_with_the_command_that_fetches_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(NO_BACKENDS) <= set(Settings.model_fields)
    monkeypatch.setenv("MODEL_WEIGHTS_DIR", str(tmp_path))
    assert main(["models", "list", "--json"]) == 1
    states = json.loads(capsys.readouterr().out)["models"]
    assert "cv models install" in states["face_detection"]


def test_the_hotels_own_head_takes_the_place_of_a_shipped_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_HEADS_DIR", str(tmp_path))
    (tmp_path / "room_messy.json").write_text("{}")
    assert main(["heads", "list", "--json"]) == 0
    heads = {head["name"]: head["file"] for head in json.loads(capsys.readouterr().out)["heads"]}
    assert heads["room_messy"] == str(tmp_path / "room_messy.json")
    assert len(heads) > 3
