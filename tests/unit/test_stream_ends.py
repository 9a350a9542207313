"""What a stream held is given back at its end. Cameras come and go for months: what waits for the garbage collector,
which knows nothing of the megabytes that FFmpeg holds behind a small object, grows to hundreds of megabytes."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

import av
import pytest

from app.services.streams.types import Credentials, StreamFailed, StreamKind, StreamSource, TlsTrust
from app.workflows.cameras.clips import ClipFrame, encode_mp4
from tests.camera_servers import USERNAME, http_camera, rtsp_camera
from tests.photos import coffee, jpeg
from tests.tls_front import tls_front
from tests.unit.test_streams import clip, opener, read_on, read_one  # noqa: F401  # clip is a fixture
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.slow

TIMES = 3
WORD = "p@ss:/1"


@pytest.fixture(scope="module")
def alone() -> Iterator[Executor]:
    """A process in which nothing else runs: clients of other tests' servers open files when they like."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=forget_collector) as process:
        yield process


def forget_collector() -> None:
    gc.collect()
    gc.disable()


def held() -> dict[str, int]:
    """What of the process would grow."""
    alive = sum(isinstance(one, av.container.Container | av.codec.context.CodecContext) for one in gc.get_objects())
    return {
        "of FFmpeg": alive,
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
    }


def growth_by(use: Callable[[], None]) -> dict[str, int]:
    """What is held after some uses that was not before. What ends on other threads is waited for."""
    use()  # what is kept once, such as a module's tables, is no growth
    before = held()
    for _ in range(TIMES):
        use()
    deadline_s = time.monotonic() + PATIENCE_S
    while (grown := {what: now - before[what] for what, now in held().items() if now > before[what]}) and (
        time.monotonic() < deadline_s
    ):
        time.sleep(0.05)
    return grown


@pytest.fixture
def sources(tmp_path: Path, clip: Path) -> Iterator[dict[str, StreamSource]]:  # noqa: F811  # the fixture
    """Cameras, well and ill, by what they are."""
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    with ExitStack() as stack:
        http = stack.enter_context(http_camera(jpeg(coffee())))
        rtsp = stack.enter_context(rtsp_camera(USERNAME, WORD))
        udp = stack.enter_context(rtsp_camera(options={"RTSP_UDP": "1"}))
        front = stack.enter_context(tls_front(urlsplit(udp.url()).port or 0, tmp_path))
        right, wrong, any_tls = Credentials(USERNAME, WORD), Credentials(USERNAME, "wrong"), TlsTrust(verify=False)
        yield {
            "rtsp": StreamSource(StreamKind.RTSP, rtsp.url(), right),
            "rtsp, wrong login": StreamSource(StreamKind.RTSP, rtsp.url(), wrong),
            "rtsp, wrong path": StreamSource(StreamKind.RTSP, rtsp.url("/nothing"), right),
            "rtsp, speaks http": StreamSource(StreamKind.RTSP, f"rtsp://127.0.0.1:{http.port}/"),
            "rtsp by udp": StreamSource(StreamKind.RTSP, udp.url()),
            "rtsps, refuses tcp": StreamSource(StreamKind.RTSP, f"rtsps://127.0.0.1:{front.port}/live", tls=any_tls),
            "rtsps, not trusted": StreamSource(StreamKind.RTSP, f"rtsps://127.0.0.1:{front.port}/live"),
            "mjpeg": StreamSource(StreamKind.MJPEG, http.url("/stream")),
            "mjpeg, noise": StreamSource(StreamKind.MJPEG, http.url("/garbage")),
            "mjpeg, a picture": StreamSource(StreamKind.MJPEG, http.url("/snapshot.jpg")),
            "snapshot": StreamSource(StreamKind.SNAPSHOT, http.url("/snapshot.jpg")),
            "snapshot, login": StreamSource(StreamKind.SNAPSHOT, http.url("/digest"), wrong),
            "snapshot, a page": StreamSource(StreamKind.SNAPSHOT, http.url("/busy")),
            "file": StreamSource(StreamKind.FILE, clip.as_uri()),
            "file, noise": StreamSource(StreamKind.FILE, (tmp_path / "noise.mp4").as_uri()),
        }


def try_out(source: StreamSource) -> None:
    with suppress(StreamFailed):
        read_one(opener(), source)


def close_while_read(source: StreamSource) -> None:
    with ThreadPoolExecutor(1) as threads:
        stream = opener().open(source, interval_s=0)
        stream.grab()
        reading = threads.submit(read_on, stream)
        time.sleep(0.1)  # in the middle of it
        stream.close()
        reading.result(PATIENCE_S)


def make_clip() -> None:
    assert encode_mp4([ClipFrame(float(second), jpeg(coffee())) for second in range(3)])


def test_cameras_leave_nothing_behind(sources: dict[str, StreamSource], alone: Executor) -> None:
    for name, source in sources.items():
        assert alone.submit(growth_by, partial(try_out, source)).result() == {}, name


@pytest.mark.parametrize("name", ["rtsp", "rtsp by udp", "mjpeg", "file"])
def test_a_stream_closed_while_another_thread_reads_it_leaves_nothing_behind(
    sources: dict[str, StreamSource], alone: Executor, name: str
) -> None:
    assert alone.submit(growth_by, partial(close_while_read, sources[name])).result() == {}


def test_a_clip_that_is_made_leaves_nothing_behind(alone: Executor) -> None:
    assert alone.submit(growth_by, make_clip).result() == {}
