"""Mixed load for a long time, and the slope of the memory of every process.

``python -m tests.faults.soak SECONDS LOAD [DOCUMENT]`` prints the table and writes it into the document. LOAD is
``mixed``, the fault campaign's, or ``passing``, which leaves nothing behind: what grows under that is no data. It needs
RabbitMQ, as the fault campaign does.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import psutil

from scripts.benchmark import machine
from tests.backends import BackendName, rabbitmq_url, running_backends
from tests.faults.load import Load, PassingLoad
from tests.faults.stack import two_replicas
from tests.written_tables import put

EVERY_S = 10.0
LOADS: Mapping[str, type[Load]] = {"mixed": Load, "passing": PassingLoad}
# What is filled once, such as caches and pools, is no leak.
WARM_UP = 1 / 3
_MB = 2**20


def memory_mb(process: psutil.Process) -> float:
    """What is a process's own, with its helpers; those that end meanwhile count as nothing."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total / _MB


def table(samples: Mapping[str, list[float]], *, seconds: float, requests: int, others: int) -> str:
    """First, last and slope of each, the slope with its standard error over what comes after the warm-up."""
    lines = [
        f"{machine()}; {seconds / 60:.0f} minutes, n = {requests} requests ({requests / seconds:.1f}/s), "
        f"{others} answers other than 200.",
        "",
        "| process, with its helpers | MB at first | MB at last | MB an hour, after a third of the time |",
        "|---|---|---|---|",
    ]
    for name, values in samples.items():
        slope, error = slope_per_hour(values[int(len(values) * WARM_UP) :])
        lines.append(f"| {name} | {values[0]:.0f} | {values[-1]:.0f} | {slope:+.1f} ± {error:.1f} |")
    return "\n".join(lines)


def slope_per_hour(values: list[float]) -> tuple[float, float]:
    """Slope of a line through samples at equal distances, and its standard error; MB an hour."""
    hours = np.arange(len(values)) * EVERY_S / 3600
    centred = hours - hours.mean()
    slope = float(centred @ np.asarray(values) / (centred @ centred))
    left = np.asarray(values) - np.mean(values) - slope * centred
    error = float(np.sqrt(left @ left / max(len(values) - 2, 1) / (centred @ centred)))
    return slope, error


def soak(seconds: float, kind_of_load: type[Load]) -> str:
    """The table of a run."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_backends() as backends,
        two_replicas(backends, rabbitmq_url(), Path(folder), kind_of_load=kind_of_load) as stack,
    ):
        processes = {f"replica {n}": psutil.Process(each.process.pid) for n, each in enumerate(stack.pair, 1)}
        processes |= {name: backends.process(name) for name in get_args(BackendName)}
        samples: dict[str, list[float]] = {name: [] for name in processes}
        with stack.load.running():
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for name, process in processes.items():
                    samples[name].append(memory_mb(process))
                time.sleep(EVERY_S)
        answers = stack.load.answers
        sent = sum(n for outcome, n in answers.items() if outcome != "not sent")
        lost = stack.ledger.lost(stack.records)
        assert not lost, lost
        return table(samples, seconds=seconds, requests=sent, others=sent - answers["200"])


def main(arguments: list[str]) -> None:
    seconds, load, *documents = arguments
    text = soak(float(seconds), LOADS[load])
    print(text)
    for document in documents:
        put(Path(document), f"make soak LOAD={load}", text)


if __name__ == "__main__":
    main(sys.argv[1:])
