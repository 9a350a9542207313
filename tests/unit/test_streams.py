"""Reading cameras: what works, and everything that cameras do wrong."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.errors import InvalidInput
from app.services.streams.opener import StreamOpener
from app.services.streams.types import Credentials, Fault, FrameStream, StreamFailed, StreamKind, StreamSource
from app.types import Image
from app.utils.network_guard import NetworkGuard, parse_networks
from app.utils.picture_limits import PictureLimits
from tests.camera_servers import PASSWORD, USERNAME, HttpCamera, RtspCamera, http_camera, rtsp_camera
from tests.photos import coffee, jpeg

pytestmark = pytest.mark.slow

LOGIN = Credentials(USERNAME, PASSWORD)
TIMEOUT_S = 2.0


@pytest.fixture
def camera() -> Iterator[HttpCamera]:
    with http_camera(jpeg(coffee())) as running:
        yield running


def opener(
    allowed: str = "127.0.0.0/8",
    *,
    allow_files: bool = True,
    timeout_s: float = TIMEOUT_S,
    ports: Iterable[int] = range(1, 2**16),
) -> StreamOpener:
    guard, limits = NetworkGuard(parse_networks(allowed)), PictureLimits(2_000_000)
    return StreamOpener(guard, ports=frozenset(ports), timeout_s=timeout_s, limits=limits, allow_files=allow_files)


def fault_of(kind: StreamKind, url: str, login: Credentials | None = None, *, allowed: str = "127.0.0.0/8") -> Fault:
    """Why no picture comes."""
    with pytest.raises(StreamFailed) as failed:
        read_one(opener(allowed), StreamSource(kind, url, login))
    return failed.value.fault


def read_one(opening: StreamOpener, source: StreamSource) -> None:
    stream = opening.open(source, interval_s=0)
    try:
        stream.grab()
        stream.decode()
    finally:
        stream.close()


def read_on(stream: FrameStream) -> tuple[int, Fault]:
    """How many pictures still come, and why no more."""
    count = 0
    while True:
        try:
            stream.grab()
        except StreamFailed as error:
            return count, error.fault
        count += 1


@pytest.mark.parametrize("path", ["/stream", "/plain"])
def test_motion_jpeg_gives_picture_after_picture(camera: HttpCamera, path: str) -> None:
    stream = opener().open(StreamSource(StreamKind.MJPEG, camera.url(path)), interval_s=0)
    for _ in range(3):
        stream.grab()
        assert stream.decode().shape == coffee().shape
    stream.close()


@pytest.mark.parametrize("path", ["/basic", "/digest"])
def test_a_snapshot_is_fetched_with_the_login(camera: HttpCamera, path: str) -> None:
    stream = opener().open(StreamSource(StreamKind.SNAPSHOT, camera.url(path + "?size=1"), LOGIN), interval_s=0)
    stream.grab()
    assert stream.decode().shape == coffee().shape
    wrong = Credentials(USERNAME, "wrong")
    assert fault_of(StreamKind.SNAPSHOT, camera.url(path), wrong) is Fault.UNAUTHORIZED
    assert fault_of(StreamKind.SNAPSHOT, camera.url(path)) is Fault.UNAUTHORIZED


def test_snapshots_are_not_asked_for_more_often_than_wanted(camera: HttpCamera) -> None:
    stream = opener().open(StreamSource(StreamKind.SNAPSHOT, camera.url("/snapshot.jpg")), interval_s=0.2)
    began_at_s = time.monotonic()
    for _ in range(4):
        stream.grab()
    assert time.monotonic() - began_at_s >= 0.6


@pytest.mark.parametrize(
    ("kind", "path", "fault"),
    [
        (StreamKind.MJPEG, "/nothing", Fault.NOT_FOUND),
        (StreamKind.SNAPSHOT, "/nothing", Fault.NOT_FOUND),
        (StreamKind.SNAPSHOT, "/busy", Fault.NOT_A_PICTURE),
        (StreamKind.MJPEG, "/garbage", Fault.NOT_A_STREAM),
        (StreamKind.MJPEG, "/snapshot.jpg", Fault.NOT_A_STREAM),
        (StreamKind.MJPEG, "/silent", Fault.STALLED),
        (StreamKind.MJPEG, "/drip", Fault.STALLED),
    ],
)
def test_a_camera_that_gives_no_pictures_is_told_why(
    camera: HttpCamera, kind: StreamKind, path: str, fault: Fault
) -> None:
    assert fault_of(kind, camera.url(path)) is fault


def test_nobody_there_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    faults = {fault_of(StreamKind(scheme), f"{prefix}://127.0.0.1:{port}/") for scheme, prefix in
              (("snapshot", "http"), ("mjpeg", "http"), ("rtsp", "rtsp"))}  # fmt: skip
    assert faults == {Fault.UNREACHABLE}


def test_a_cut_stream_ends(camera: HttpCamera) -> None:
    stream = opener().open(StreamSource(StreamKind.MJPEG, camera.url("/stream")), interval_s=0)
    stream.grab()
    camera.cut()
    assert read_on(stream)[1] is Fault.ENDED


def test_a_stream_can_be_closed_while_it_is_waited_for(camera: HttpCamera) -> None:
    stream = opener().open(StreamSource(StreamKind.MJPEG, camera.url("/silent")), interval_s=0)
    threading.Timer(0.2, stream.close).start()
    began_at_s = time.monotonic()
    with pytest.raises(StreamFailed):
        stream.grab()
    assert time.monotonic() - began_at_s < TIMEOUT_S / 2


def test_a_server_that_speaks_no_http_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"\x00\x01\x02 what?\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert fault_of(StreamKind.MJPEG, f"http://127.0.0.1:{server.getsockname()[1]}/") is Fault.WRONG_ANSWER
        thread.join()


# Redirects


def test_a_redirect_inside_the_allowed_networks_is_followed_without_the_login(camera: HttpCamera) -> None:
    with http_camera(jpeg(coffee())) as other:
        camera.moved_to = other.url("/digest")
        assert fault_of(StreamKind.SNAPSHOT, camera.url("/moved"), LOGIN) is Fault.UNAUTHORIZED
        assert other.requests == [("/digest", None)]
        camera.moved_to = "/digest"
        stream = opener().open(StreamSource(StreamKind.SNAPSHOT, camera.url("/moved"), LOGIN), interval_s=0)
        stream.grab()


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://127.0.0.2:1/", "file:///etc/passwd"])
def test_a_redirect_elsewhere_is_refused(camera: HttpCamera, target: str) -> None:
    camera.moved_to = target
    assert fault_of(StreamKind.SNAPSHOT, camera.url("/moved"), allowed="127.0.0.1/32") is Fault.REFUSED


def test_redirects_end(camera: HttpCamera) -> None:
    camera.moved_to = "/moved"
    assert fault_of(StreamKind.SNAPSHOT, camera.url("/moved")) is Fault.WRONG_ANSWER


def test_an_address_that_is_not_allowed_is_never_connected_to(camera: HttpCamera) -> None:
    assert fault_of(StreamKind.SNAPSHOT, camera.url("/snapshot.jpg"), allowed="10.0.0.0/8") is Fault.REFUSED
    assert camera.requests == []


def test_a_redirect_to_a_port_of_something_else_is_not_followed(camera: HttpCamera) -> None:
    with http_camera(b"") as other:
        camera.moved_to = other.url("/basic")
        with pytest.raises(StreamFailed) as failed:
            read_one(opener(ports=[camera.port]), StreamSource(StreamKind.SNAPSHOT, camera.url("/moved")))
        assert failed.value.fault is Fault.REFUSED
        assert other.requests == []


@pytest.mark.parametrize("kind", [StreamKind.RTSP, StreamKind.MJPEG, StreamKind.SNAPSHOT])
def test_on_other_ports_an_open_one_and_a_closed_one_read_alike(camera: HttpCamera, kind: StreamKind) -> None:
    scheme = "rtsp" if kind is StreamKind.RTSP else "http"
    told = set()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    for port, path in ((nobody, "/"), (camera.port, "/basic"), (camera.port, "/nothing"), (camera.port, "/busy")):
        with pytest.raises(StreamFailed) as failed:
            read_one(opener(ports=[554, 80]), StreamSource(kind, f"{scheme}://127.0.0.1:{port}{path}"))
        told.add((failed.value.fault, failed.value.message))
    assert len(told) == 1
    assert told.pop()[0] is Fault.UNREACHABLE


def test_a_camera_on_another_port_is_read_and_then_spoken_of(camera: HttpCamera) -> None:
    stream = opener(ports=[80]).open(StreamSource(StreamKind.MJPEG, camera.url("/stream")), interval_s=0)
    stream.grab()
    stream.decode()
    camera.cut()
    assert read_on(stream)[1] is Fault.ENDED
    stream.close()


@pytest.mark.parametrize(
    "status_line",
    [
        b"RTSP/1.0 302 Moved",
        b"RTSP/1.0  302 Moved",
        b"RTSP/1.0\t302 Moved",
        b"RTSP/1.00 302 Moved",
        b"RTSP/ 302 Moved",
        b"RTSP/2.0 301 Moved",
        b"rtsp/1.0 307 Moved",
        b" RTSP/1.0 302 Moved",
        b"RTSP/1.0 +302 Moved",
    ],
)
def test_an_rtsp_redirect_is_refused_in_any_spelling(status_line: bytes) -> None:
    """FFmpeg would follow it by itself, and reads status lines more loosely than the standard."""
    with http_camera(b"") as target, socket.create_server(("127.0.0.1", 0)) as server:

        def redirect() -> None:
            connection, _ = server.accept()
            with connection:
                for line in connection.makefile("rb"):
                    if line.lower().startswith(b"cseq"):
                        place = f"rtsp://127.0.0.1:{target.port}/live".encode()
                        connection.sendall(b"%s\r\n%sLocation: %s\r\n\r\n" % (status_line, line, place))

        thread = threading.Thread(target=redirect, daemon=True)
        thread.start()
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/live"
        assert fault_of(StreamKind.RTSP, url) in (Fault.REFUSED, Fault.WRONG_ANSWER)
        assert target.requests == []


# RTSP


def test_rtsp_gives_picture_after_picture() -> None:
    with rtsp_camera() as camera:
        stream = opener().open(StreamSource(StreamKind.RTSP, camera.url()), interval_s=0)
        for _ in range(3):
            stream.grab()
        assert stream.decode().shape == (240, 320, 3)
        assert fault_of(StreamKind.RTSP, camera.url("/nothing")) is Fault.NOT_FOUND
        camera.kill()
        assert read_on(stream)[1] is Fault.ENDED
        stream.close()


def test_rtsp_with_a_login() -> None:
    with rtsp_camera(USERNAME, "p@ss:/1") as camera:
        login = Credentials(USERNAME, "p@ss:/1")
        stream = opener().open(StreamSource(StreamKind.RTSP, camera.url(), login), interval_s=0)
        stream.grab()
        assert stream.decode().shape == (240, 320, 3)
        stream.close()
        assert fault_of(StreamKind.RTSP, camera.url(), Credentials(USERNAME, "wrong")) is Fault.UNAUTHORIZED


def shown(
    camera: RtspCamera, guard: NetworkGuard, *, host: str = "127.0.0.1", login: Credentials | None = None
) -> Image:
    """The third picture of a camera."""
    limits = PictureLimits(2_000_000)
    opening = StreamOpener(
        guard, ports=frozenset(range(1, 2**16)), timeout_s=TIMEOUT_S, limits=limits, allow_files=False
    )
    stream = opening.open(StreamSource(StreamKind.RTSP, camera.url(host=host), login), interval_s=0)
    try:
        for _ in range(3):
            stream.grab()
        return stream.decode()
    finally:
        stream.close()


def guard_of(*networks: str, **names: list[str]) -> NetworkGuard:
    """A guard that knows these names, and addresses as they are."""
    return NetworkGuard(parse_networks(",".join(networks)), resolver=lambda host, _: names.get(host, [host]))


@pytest.mark.parametrize("login", [(), (USERNAME, "p@ss:/1")])
def test_a_camera_that_sends_by_udp_alone_is_read(login: tuple[str, ...]) -> None:
    with rtsp_camera(*login, options={"RTSP_UDP": "1"}) as camera:
        known = Credentials(*login) if login else None
        assert shown(camera, guard_of("127.0.0.0/8"), login=known).shape == (240, 320, 3)
        if login:
            wrong = Credentials(USERNAME, "wrong")
            assert fault_of(StreamKind.RTSP, camera.url(), wrong) is Fault.UNAUTHORIZED


def test_a_camera_that_sends_by_udp_is_told_when_it_ends() -> None:
    with rtsp_camera(options={"RTSP_UDP": "1"}) as camera:
        stream = opener().open(StreamSource(StreamKind.RTSP, camera.url()), interval_s=0)
        stream.grab()
        camera.kill()
        assert read_on(stream)[1] in {Fault.ENDED, Fault.STALLED}
        stream.close()


def test_rtsp_with_a_basic_login() -> None:
    with rtsp_camera(USERNAME, "p@ss:/1", options={"RTSP_AUTH": "basic"}) as camera:
        assert shown(camera, guard_of("127.0.0.0/8"), login=Credentials(USERNAME, "p@ss:/1")).shape == (240, 320, 3)
        assert fault_of(StreamKind.RTSP, camera.url(), Credentials(USERNAME, "wrong")) is Fault.UNAUTHORIZED


@pytest.mark.parametrize("by_udp", [False, True])
def test_a_camera_with_an_ipv6_address_is_read(by_udp: bool) -> None:
    options = {"RTSP_HOST": "::1", **({"RTSP_UDP": "1"} if by_udp else {})}
    with rtsp_camera(options=options) as camera:
        assert shown(camera, guard_of("::1/128"), host="[::1]").shape == (240, 320, 3)
        assert fault_of(StreamKind.RTSP, camera.url(host="[::1]"), allowed="127.0.0.0/8") is Fault.REFUSED


def test_of_a_name_with_several_addresses_the_one_that_answers_is_read() -> None:
    with rtsp_camera() as camera:
        both = guard_of("127.0.0.0/8", lobby=["127.0.0.7", "127.0.0.1"])  # nobody listens at the first
        assert shown(camera, both, host="lobby").shape == (240, 320, 3)
        one_outside = guard_of("127.0.0.0/8", lobby=["127.0.0.1", "10.1.2.3"])
        with pytest.raises(StreamFailed) as refused:
            shown(camera, one_outside, host="lobby")
        assert refused.value.fault is Fault.REFUSED


def test_silent_cameras_keep_no_other_from_opening() -> None:
    """After a power cut, the dead cameras of a hotel must not decide when the others come back."""
    with rtsp_camera() as camera, socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        dead = StreamSource(StreamKind.RTSP, f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live")
        with ThreadPoolExecutor(8) as threads:
            waiting = [threads.submit(read_one, opener(timeout_s=60), dead) for _ in range(4)]
            for _ in range(4):
                read_one(opener(), StreamSource(StreamKind.RTSP, camera.url()))
            assert not any(one.done() for one in waiting)
            silent.close()
            assert all(isinstance(one.exception(), StreamFailed) for one in waiting)


def test_a_silent_rtsp_camera_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert fault_of(StreamKind.RTSP, f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live") is Fault.STALLED


def test_an_rtsp_camera_that_speaks_something_else_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"\x00\x01\x02 what?\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert fault_of(StreamKind.RTSP, f"rtsp://127.0.0.1:{server.getsockname()[1]}/") is Fault.WRONG_ANSWER
        thread.join()


# Files


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames at 20 a second."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (160, 120))
    for level in range(10):
        writer.write(np.full((120, 160, 3), level * 20, np.uint8))
    writer.release()
    return path


def test_a_file_plays_at_its_own_speed_and_ends(clip: Path) -> None:
    stream = opener().open(StreamSource(StreamKind.FILE, clip.as_uri()), interval_s=0)
    began_at_s = time.monotonic()
    assert read_on(stream) == (10, Fault.ENDED)
    assert time.monotonic() - began_at_s >= 0.45


def test_files_are_for_tests_only(clip: Path) -> None:
    source = StreamSource(StreamKind.FILE, clip.as_uri())
    with pytest.raises(InvalidInput, match="CAMERA_ALLOW_FILES"):
        opener(allow_files=False).check(source)
    with pytest.raises(InvalidInput):
        opener(allow_files=False).open(source, interval_s=0)


def test_a_missing_file_and_one_without_video_are_told_apart(tmp_path: Path) -> None:
    assert fault_of(StreamKind.FILE, (tmp_path / "gone.mp4").as_uri()) is Fault.NOT_FOUND
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    assert fault_of(StreamKind.FILE, (tmp_path / "noise.mp4").as_uri()) is Fault.NOT_A_STREAM


# Sources that are refused before anything is opened


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("rtsp", "http://127.0.0.1/"),
        ("mjpeg", "rtsp://127.0.0.1/"),
        ("snapshot", "file:///etc/passwd"),
        ("snapshot", "ftp://127.0.0.1/"),
        ("rtsp", "rtsp:///live"),
        ("mjpeg", "http://127.0.0.1:99999/"),
        ("mjpeg", "http://[::1/"),
        ("mjpeg", "http://127.0.0.1/a b"),
        ("mjpeg", "127.0.0.1"),
    ],
)
def test_a_url_that_does_not_fit_is_refused(kind: str, url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        opener().check(StreamSource(StreamKind(kind), url))
    assert refused.value.code == "invalid_camera_url"


def test_a_name_that_does_not_resolve_yet_passes_the_check() -> None:
    opener().check(StreamSource(StreamKind.RTSP, "rtsp://not-yet.invalid/live"))
    assert fault_of(StreamKind.RTSP, "rtsp://not-yet.invalid/live") is Fault.UNREACHABLE
