"""A whole service of its own for a measurement: servers and API in processes, over a temporary directory."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from scripts.local.api import Address, ApiServer, api_environment
from scripts.local.ports import choose_free_port
from scripts.local.processes import Child
from scripts.local.service import Service
from scripts.local.stack import LocalStack, open_stack
from scripts.local.steps import run_step

_READY_TIMEOUT_S = 300.0  # of a machine that has other work too
_IDLE_CPU_S = 0.1  # in a second, of all processes


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measurement talks to.

    Attributes:
        client: of the running API.
        environment: of the API process, for scripts that open the same backends.
        processes: the supervised process of each service, by name; children belong to it.
        ready_s: how long the API's process took from its start to readiness.
    """

    client: httpx.Client
    environment: Mapping[str, str]
    processes: Mapping[str, psutil.Process]
    ready_s: float

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds that each service has used so far, children included."""
        return {name: process_cpu_s(process) for name, process in self.processes.items()}

    def settle(self, *, within_s: float = 60.0) -> None:
        """Wait until the service and its servers have done what an earlier step left them to do, or time is up."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            before = sum(self.cpu_s().values())
            time.sleep(1.0)
            if sum(self.cpu_s().values()) - before < _IDLE_CPU_S:
                return

    def resident_mb(self, name: str) -> float:
        """Memory of one service's process that is really in use."""
        return float(self.processes[name].memory_info().rss) / 2**20


def proportional_mb(process: psutil.Process) -> float:
    """Memory of a process and its descendants; what several share counts once."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            total += one.memory_full_info().pss / 2**20
    return total


def process_cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process and its descendants, those that ended included where their parents waited for them."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:  # PostgreSQL ends backends that idle
            continue
        total += times.user + times.system
    ended = process.cpu_times()
    return float(total + ended.children_user + ended.children_system)


@contextmanager
def open_bench(settings: Mapping[str, str]) -> Iterator[Bench]:
    """Start everything, migrated, with further ``settings`` for the API; stop it and leave nothing behind."""
    folder = Path(tempfile.mkdtemp(prefix="cv-service-bench-"))
    folder.chmod(0o711)  # as root, PostgreSQL runs under another account, which has to pass through
    stop = threading.Event()
    try:
        with open_stack(folder, announce=print, stop_requested=stop) as stack, serving(stack, settings, stop) as bench:
            yield bench
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(stack: LocalStack, settings: Mapping[str, str], stop: threading.Event) -> Iterator[Bench]:
    """The API over a running stack, migrated; a second time it finds what the first start kept."""
    environment = api_environment(settings, servers=stack.settings(), layout=stack.layout)
    address = Address("127.0.0.1", choose_free_port())
    for label, arguments in {
        "migrating": ["-m", "alembic", "upgrade", "head"],
        "making collections": ["scripts/init_vector_db.py"],
    }.items():
        run_step(label, arguments, environment=environment, stop_requested=stop)
    child = Child("api", run_dir=stack.layout.run_dir)
    server = ApiServer(address, environment)
    service = Service(server, child=child, announce=print, stop_requested=stop, ready_timeout_s=_READY_TIMEOUT_S)
    began_s = time.monotonic()
    service.start()
    ready_s = time.monotonic() - began_s
    try:
        processes = {name: psutil.Process(one.child.pid) for name, one in stack.services.items()}
        processes["api"] = psutil.Process(service.child.pid)
        with httpx.Client(base_url=address.url, timeout=60) as client:
            yield Bench(client, environment, processes, ready_s)
    finally:
        service.stop()


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the values lie."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def timed_ms(call: object, *, times: int) -> list[float]:
    """How long each of ``times`` calls took, in milliseconds."""
    durations = []
    for _ in range(times):
        started_at = time.perf_counter()
        call()  # type: ignore[operator]
        durations.append((time.perf_counter() - started_at) * 1000)
    return durations
