"""The pieces behind ``make run`` that need no database: files, ports, processes, restarts, settings."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from scripts.local.accounts import Account, can_reach, is_root
from scripts.local.api import Address, api_environment
from scripts.local.credentials import LocalCredentials
from scripts.local.errors import LocalStackError, StopRequested
from scripts.local.layout import PROJECT_DIR, Layout
from scripts.local.ports import LOOPBACK, assign_ports, choose_free_port, is_free
from scripts.local.processes import Child, Command
from scripts.local.service import Service
from scripts.local.steps import run_step
from scripts.local.supervisor import stop_signals, watch
from scripts.local.welcome import facts, health_of, welcome
from tests.waiting import PATIENCE_S, wait_until

SLEEP = "import time; time.sleep(60)"
IGNORE_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)


def python_command(code: str, *, directory: Path, stop_timeout_s: float = 10.0) -> Command:
    return Command(
        argv=[sys.executable, "-c", code],
        environment=dict(os.environ),
        directory=directory,
        log_path=directory / "child.log",
        stop_timeout_s=stop_timeout_s,
    )


@dataclass
class ScriptServer:
    """A server that is a line of Python; ready as soon as ``ready`` says so."""

    directory: Path
    code: str = SLEEP
    ready: Callable[[], bool] = lambda: True
    name: str = "script"
    label: str = "Script"

    def prepare(self) -> None:
        pass

    def command(self) -> Command:
        return python_command(self.code, directory=self.directory)

    def is_ready(self) -> bool:
        return self.ready()

    def provision(self) -> None:
        pass

    def settings(self) -> dict[str, str]:
        return {}


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child("child", run_dir=tmp_path)
    yield child
    child.kill()


@pytest.fixture
def said() -> list[str]:
    return []


def script_service(
    server: ScriptServer,
    *,
    child: Child,
    said: list[str],
    stop_requested: threading.Event | None = None,
    ready_timeout_s: float = PATIENCE_S,
) -> Service:
    return Service(
        server,
        child=child,
        announce=said.append,
        stop_requested=stop_requested or threading.Event(),
        ready_timeout_s=ready_timeout_s,
    )


class TestLayout:
    def test_directory_that_we_make_can_be_passed_through_and_not_listed(self, tmp_path: Path) -> None:
        layout = Layout.create(tmp_path / "data")
        assert layout.data_dir.stat().st_mode & 0o777 == 0o711
        assert layout.run_dir.stat().st_mode & 0o777 == 0o700

    def test_directory_that_exists_keeps_its_rights(self, tmp_path: Path) -> None:
        existing = tmp_path / "data"
        existing.mkdir(mode=0o700)
        Layout.create(existing)
        assert existing.stat().st_mode & 0o777 == 0o700

    def test_second_run_on_one_directory_is_refused(self, tmp_path: Path) -> None:
        layout = Layout.create(tmp_path)
        with layout.locked(), pytest.raises(LocalStackError, match="in use by another run"), layout.locked():
            pass

    def test_who_holds_the_directory_is_known_while_it_is_held(self, tmp_path: Path) -> None:
        layout = Layout.create(tmp_path)
        assert layout.holder() is None
        with layout.locked():
            assert layout.holder() == os.getpid()
        assert layout.holder() is None

    def test_lock_is_given_back(self, tmp_path: Path) -> None:
        layout = Layout.create(tmp_path)
        with layout.locked():
            pass
        with layout.locked():
            assert layout.run_dir.is_dir()

    def test_unusable_directory_is_named(self, tmp_path: Path) -> None:
        occupied = tmp_path / "file"
        occupied.write_text("not a folder")
        with pytest.raises(LocalStackError, match="file"):
            Layout.create(occupied / "data")

    def test_long_log_is_set_aside(self, tmp_path: Path) -> None:
        layout = Layout.create(tmp_path)
        layout.log_file("objects").write_bytes(b"x" * (11 * 1024 * 1024))
        assert not layout.log_file("objects").exists()
        assert (layout.log_dir / "objects.log.1").stat().st_size == 11 * 1024 * 1024


class TestCredentials:
    def test_are_generated_once(self, tmp_path: Path) -> None:
        path = tmp_path / "secrets.json"
        assert LocalCredentials.load_or_generate(path) == LocalCredentials.load_or_generate(path)

    def test_differ_between_installations(self, tmp_path: Path) -> None:
        first = LocalCredentials.load_or_generate(tmp_path / "a")
        assert first.postgres_password != LocalCredentials.load_or_generate(tmp_path / "b").postgres_password

    def test_file_is_ours_alone(self, tmp_path: Path) -> None:
        LocalCredentials.load_or_generate(tmp_path / "secrets.json")
        assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600

    def test_a_file_of_before_milvus_had_a_password_keeps_its_secrets(self, tmp_path: Path) -> None:
        path = tmp_path / "secrets.json"
        before = asdict(LocalCredentials.load_or_generate(path))
        path.write_text(json.dumps({name: secret for name, secret in before.items() if name != "milvus_password"}))
        after = LocalCredentials.load_or_generate(path)
        assert after.milvus_password
        assert asdict(after) | {"milvus_password": before["milvus_password"]} == before
        assert LocalCredentials.load_or_generate(path) == after

    def test_damaged_file_is_reported_not_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "secrets.json"
        path.write_text("{")
        with pytest.raises(LocalStackError, match=r"secrets\.json"):
            LocalCredentials.load_or_generate(path)
        assert path.read_text() == "{"


class TestPorts:
    def test_are_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "ports.json"
        assert assign_ports(path, ["a", "b"]) == assign_ports(path, ["a", "b"])

    def test_are_distinct_and_free(self, tmp_path: Path) -> None:
        ports = assign_ports(tmp_path / "ports.json", ["a", "b", "c", "d"])
        assert len(set(ports.values())) == 4
        assert all(is_free(port) for port in ports.values())

    def test_taken_port_is_replaced_and_the_others_stay(self, tmp_path: Path) -> None:
        path = tmp_path / "ports.json"
        before = assign_ports(path, ["a", "b"])
        with socket.create_server((LOOPBACK, before["a"])):
            after = assign_ports(path, ["a", "b"])
        assert after["a"] != before["a"]
        assert after["b"] == before["b"]
        assert json.loads(path.read_text()) == after

    def test_choice_avoids_what_is_promised_already(self) -> None:
        port = choose_free_port()
        assert choose_free_port([port]) != port


class TestChild:
    def test_stop_ends_it_and_removes_the_pid_file(self, child: Child, tmp_path: Path) -> None:
        command = python_command(SLEEP, directory=tmp_path)
        child.spawn(command)
        pid = child.pid
        assert pid is not None
        child.stop(command)
        assert not psutil.pid_exists(pid)
        assert not (tmp_path / "child.pid").exists()

    def test_stop_insists_where_the_signal_is_ignored(self, child: Child, tmp_path: Path) -> None:
        command = python_command(IGNORE_SIGTERM, directory=tmp_path, stop_timeout_s=0.3)
        child.spawn(command)
        wait_until(lambda: (tmp_path / "child.log").read_text() == "up\n")
        pid = child.pid
        child.stop(command)
        assert pid is not None
        assert not psutil.pid_exists(pid)

    def test_later_run_finds_and_stops_what_was_left(self, child: Child, tmp_path: Path) -> None:
        command = python_command(SLEEP, directory=tmp_path)
        child.spawn(command)
        assert Child("child", run_dir=tmp_path).stop_leftover(command)
        wait_until(lambda: not child.is_alive())

    def test_stranger_with_the_same_number_is_left_alone(self, child: Child, tmp_path: Path) -> None:
        command = python_command(SLEEP, directory=tmp_path)
        child.spawn(command)
        pid_file = tmp_path / "child.pid"
        record = json.loads(pid_file.read_text())
        pid_file.write_text(json.dumps(record | {"started": record["started"] - 3600}))
        assert not Child("child", run_dir=tmp_path).stop_leftover(command)
        assert child.is_alive()

    @pytest.mark.parametrize("text", ["", "{}", '{"pid": 4194304000, "started": 1}', '{"pid": "x", "started": 1}'])
    def test_useless_pid_file_is_no_leftover(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "child.pid").write_text(text)
        assert not Child("child", run_dir=tmp_path).stop_leftover(python_command(SLEEP, directory=tmp_path))

    def test_terminal_interrupt_does_not_reach_it(self, child: Child, tmp_path: Path) -> None:
        child.spawn(python_command(SLEEP, directory=tmp_path))
        assert child.pid is not None
        assert os.getpgid(child.pid) != os.getpgid(0)


class TestService:
    def test_start_waits_until_ready(self, child: Child, tmp_path: Path, said: list[str]) -> None:
        answers = iter([False, False, True])
        service = script_service(ScriptServer(tmp_path, ready=lambda: next(answers)), child=child, said=said)
        service.start()
        assert next(answers, "none left") == "none left"
        assert said[-1].startswith("Script is ready")

    def test_end_during_start_names_code_and_log(self, child: Child, tmp_path: Path, said: list[str]) -> None:
        server = ScriptServer(tmp_path, code="raise SystemExit(3)", ready=lambda: False)
        with pytest.raises(LocalStackError, match=r"code 3; see .*child\.log"):
            script_service(server, child=child, said=said).start()

    def test_start_that_takes_too_long_fails(self, child: Child, tmp_path: Path, said: list[str]) -> None:
        server = ScriptServer(tmp_path, ready=lambda: False)
        service = script_service(server, child=child, said=said, ready_timeout_s=1.0)
        with pytest.raises(LocalStackError, match="not ready after 1 s"):
            service.start()

    def test_stop_request_ends_a_start(self, child: Child, tmp_path: Path, said: list[str]) -> None:
        requested = threading.Event()
        requested.set()
        server = ScriptServer(tmp_path, ready=lambda: False)
        with pytest.raises(StopRequested):
            script_service(server, child=child, said=said, stop_requested=requested).start()

    def test_killed_server_is_restarted(self, child: Child, tmp_path: Path, said: list[str]) -> None:
        service = script_service(ScriptServer(tmp_path), child=child, said=said)
        service.start()
        first_pid = child.pid
        service.kill()
        stopped = threading.Event()
        watcher = threading.Thread(target=watch, args=([service],), kwargs={"until": stopped})
        watcher.start()
        try:
            wait_until(lambda: child.pid not in {None, first_pid})
        finally:
            stopped.set()
            watcher.join()
        assert any("ended with code -9; restart in 0.5 s" in line for line in said)

    def test_pause_before_a_restart_doubles(self, child: Child, tmp_path: Path, said: list[str]) -> None:
        service = script_service(ScriptServer(tmp_path), child=child, said=said)
        service.start()
        for expected_deaths in (1, 2):
            service.kill()

            def is_back() -> bool:
                service.restart_if_dead()
                return child.is_alive()

            wait_until(is_back)
            assert sum("restart in" in line for line in said) == expected_deaths
        pauses = [line.split("restart in ")[1].split(" s")[0] for line in said if "restart in" in line]
        assert pauses == ["0.5", "1.0"]

    def test_stopped_server_stays_down(self, child: Child, tmp_path: Path, said: list[str]) -> None:
        service = script_service(ScriptServer(tmp_path), child=child, said=said)
        service.start()
        service.stop()
        service.restart_if_dead()
        assert not child.is_alive()
        assert not any("restart" in line for line in said)


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_request_a_stop(self, number: signal.Signals) -> None:
        with stop_signals() as requested:
            os.kill(os.getpid(), number)
            assert requested.wait(PATIENCE_S)

    def test_handlers_are_put_back(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        with stop_signals():
            assert signal.getsignal(signal.SIGTERM) is not before
        assert signal.getsignal(signal.SIGTERM) is before


class TestSteps:
    def test_failure_names_the_step(self) -> None:
        with pytest.raises(LocalStackError, match="Migrating failed with code 5"):
            run_step(
                "Migrating",
                ["-c", "raise SystemExit(5)"],
                environment=dict(os.environ),
                stop_requested=threading.Event(),
            )

    def test_what_it_prints_goes_to_its_log_and_is_shown_when_it_fails(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        log_path = tmp_path / "steps.log"
        for code, ends in (("print('first')", nullcontext()), ("exit('second')", pytest.raises(LocalStackError))):
            with ends:
                run_step(
                    "Migrating",
                    ["-c", code],
                    environment=dict(os.environ),
                    stop_requested=threading.Event(),
                    log_path=log_path,
                )
        assert log_path.read_text().split() == ["first", "second"]
        assert capfd.readouterr() == ("", "second\n")

    def test_stop_request_ends_it(self) -> None:
        requested = threading.Event()
        requested.set()
        began_s = time.monotonic()
        with pytest.raises(StopRequested):
            run_step("Waiting", ["-c", SLEEP], environment=dict(os.environ), stop_requested=requested)
        assert time.monotonic() - began_s < PATIENCE_S


class TestApiSettings:
    def test_local_run_needs_no_broker_and_no_keys(self, tmp_path: Path) -> None:
        environment = api_environment({}, servers={}, layout=Layout.create(tmp_path))
        assert environment["RABBITMQ_URL"] == ""
        assert environment["AUTH_REQUIRED"] == "false"

    def test_what_is_given_wins_over_the_defaults(self, tmp_path: Path) -> None:
        given = {"RABBITMQ_URL": "amqp://broker/", "AUTH_REQUIRED": "true"}
        environment = api_environment(given, servers={}, layout=Layout.create(tmp_path))
        assert given.items() <= environment.items()

    def test_our_servers_win_over_what_is_given(self, tmp_path: Path) -> None:
        given, servers = {"DATABASE_URL": "postgresql://elsewhere/x"}, {"DATABASE_URL": "postgresql://here/y"}
        environment = api_environment(given, servers=servers, layout=Layout.create(tmp_path))
        assert environment["DATABASE_URL"] == "postgresql://here/y"

    def test_default_address(self) -> None:
        assert Address.of({}) == Address(host="127.0.0.1", port=8001)

    @pytest.mark.parametrize("port", ["", "x", "0", "65536", "-1", "8001.5"])
    def test_port_that_is_none_is_refused(self, port: str) -> None:
        with pytest.raises(LocalStackError, match="PORT must be a number"):
            Address.of({"PORT": port})

    def test_taken_port_is_told_with_a_way_out(self) -> None:
        with socket.create_server((LOOPBACK, 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(LocalStackError, match=f"make run PORT={port + 1}"):
                Address(host=LOOPBACK, port=port).require_free()

    @pytest.mark.parametrize(
        ("host", "url"),
        [("127.0.0.1", "http://127.0.0.1:1"), ("::1", "http://[::1]:1"), ("::", "http://[::1]:1")],
    )
    def test_url_for_people_can_be_opened(self, host: str, url: str) -> None:
        assert Address(host=host, port=1).url == url


class TestStart:
    def test_a_used_port_is_told_before_any_server_starts(self, tmp_path: Path) -> None:
        with socket.create_server((LOOPBACK, 0)) as taken:
            port = taken.getsockname()[1]
            environment = os.environ | {"CV_DATA_DIR": str(tmp_path), "PORT": str(port)}
            done = subprocess.run(
                [sys.executable, "scripts/run_local.py"],
                cwd=PROJECT_DIR,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        assert done.returncode == 1
        assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
        assert "is ready" not in done.stdout
        assert not list((tmp_path / "run").glob("*.pid"))

    def test_the_table_says_where_things_are_and_what_is_wrong(self, tmp_path: Path) -> None:
        layout = Layout.create(tmp_path)
        health = {
            "checks": {"database": {"status": "ok"}, "redis": {"status": "error", "reason": None}, "models": {}},
            "warnings": ["ocr_fallback_missing"],
            "providers": {"face_detection": "onnxruntime:cpu:f32", "face_embedding": "onnxruntime:cuda:fp16"},
        }
        environment = api_environment({}, servers={}, layout=layout)
        output = io.StringIO()
        welcome(Console(file=output, width=60), facts(Address(LOOPBACK, 8001), environment, layout, health))
        said = [line.split(maxsplit=1) for line in output.getvalue().splitlines()]
        assert ["address", "http://127.0.0.1:8001"] in [[word.strip() for word in line] for line in said]
        assert "compact pack on cpu and cuda" in output.getvalue()
        assert next(line[1].strip() for line in said if line[0] == "warning") == "redis: does not answer"

    def test_a_service_that_does_not_answer_has_no_facts_but_the_settings(self) -> None:
        assert health_of(Address(LOOPBACK, choose_free_port())) == {}


@pytest.mark.skipif(not is_root(), reason="only root runs programs under another account")
class TestAccounts:
    def test_closed_folder_is_out_of_reach(self, tmp_path: Path) -> None:
        nobody = Account.named("nobody")
        assert nobody is not None
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        assert not can_reach(nobody, closed)
        assert can_reach(nobody, Path("/"))

    def test_prefix_gives_up_root(self) -> None:
        nobody = Account.named("nobody")
        assert nobody is not None
        answer = subprocess.run(
            [*nobody.prefix(), "/bin/sh", "-c", "id -u; id -G"], capture_output=True, text=True, check=True, cwd="/"
        )
        assert answer.stdout.split() == [str(nobody.uid), str(nobody.gid)]
