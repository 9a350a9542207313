"""What a return of a camera leaves in memory: ``python -m tests.stream_memory RETURNS [DOCUMENT]`` prints the table,
and writes it there.

Each kind of stream is opened, shows three pictures and is closed, so often, by eight threads of a process of its own,
which collects garbage as the service does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil

from app.services.streams.opener import StreamOpener
from app.services.streams.types import StreamFailed, StreamKind, StreamSource
from app.utils.network_guard import NetworkGuard, parse_networks
from app.utils.picture_limits import PictureLimits
from scripts.benchmark import machine
from tests.camera_servers import http_camera, rtsp_camera
from tests.faults.soak import WARM_UP
from tests.photos import coffee, jpeg
from tests.written_tables import put

_THREADS = 8
_PICTURES = 3
_SAMPLES = 30
_MB = 2**20


@contextmanager
def _sources() -> Iterator[Mapping[str, tuple[StreamKind, str]]]:
    """Kind and address of each, by what it is."""
    with ExitStack() as stack:
        rtsp, http = stack.enter_context(rtsp_camera()), stack.enter_context(http_camera(jpeg(coffee())))
        yield {
            "H.264 over RTSP, 320×240": (StreamKind.RTSP, rtsp.url()),
            "RTSP, a wrong path": (StreamKind.RTSP, rtsp.url("/nothing")),
            "motion JPEG, 600×400": (StreamKind.MJPEG, http.url("/stream")),
            "snapshots, 600×400": (StreamKind.SNAPSHOT, http.url("/snapshot.jpg")),
        }


def _come_and_go(kind: StreamKind, url: str, returns: int) -> list[float]:
    """The MB that the process has for itself, at equal numbers of returns."""
    guard, limits = NetworkGuard(parse_networks("127.0.0.0/8")), PictureLimits(2_000_000)
    opener = StreamOpener(guard, ports=frozenset(range(1, 2**16)), timeout_s=20.0, limits=limits, allow_files=False)

    def come(_: int) -> None:
        with suppress(StreamFailed):
            stream = opener.open(StreamSource(kind, url), interval_s=0.0)
            try:
                for _picture in range(_PICTURES):
                    stream.grab()
                    stream.decode()
            finally:
                stream.close()

    own, samples = psutil.Process(), []
    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in range(_SAMPLES):
            list(threads.map(come, range(returns // _SAMPLES)))
            samples.append(own.memory_full_info().uss / _MB)
    return samples


def table(returns: int) -> str:
    """What came of it."""
    lines = [
        f"{machine()}; n = {returns // _SAMPLES * _SAMPLES} returns of each.",
        "",
        "| stream | MB after the first thirtieth | MB at last | kB a return, after a third of them |",
        "|---|---|---|---|",
    ]
    with _sources() as sources:
        for name, (kind, url) in sources.items():
            command = [sys.executable, "-m", "tests.stream_memory", "--of", kind.value, url, str(returns)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=3600)
            samples = np.asarray(json.loads(done.stdout.splitlines()[-1]))
            slope, error = _slope(samples[int(len(samples) * WARM_UP) :], returns // _SAMPLES)
            lines.append(f"| {name} | {samples[0]:.0f} | {samples[-1]:.0f} | {slope:+.1f} ± {error:.1f} |")
    return "\n".join(lines)


def _slope(samples: np.ndarray[tuple[int], np.dtype[np.float64]], step: int) -> tuple[float, float]:
    """kB a return, and the standard error; samples in MB lie ``step`` returns apart."""
    returns = np.arange(len(samples)) * step
    (slope, _), covariance = np.polyfit(returns, samples * 1024, 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def main(arguments: list[str]) -> None:
    """See the module."""
    if arguments[0] == "--of":
        print(json.dumps(_come_and_go(StreamKind(arguments[1]), arguments[2], int(arguments[3]))))
        return
    text = table(int(arguments[0]))
    print(text)
    if arguments[1:]:
        put(Path(arguments[1]), "make stream-memory", text)


if __name__ == "__main__":
    main(sys.argv[1:])
