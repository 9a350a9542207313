"""Cameras under TLS, most of which sign their own certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.services.streams.types import Fault, StreamFailed, StreamKind, StreamSource, TlsTrust
from tests.camera_servers import http_camera, rtsp_camera
from tests.photos import coffee, jpeg
from tests.tls_front import TlsFront, tls_front
from tests.unit.test_streams import opener, read_one

KINDS = (StreamKind.SNAPSHOT, StreamKind.RTSP)
PATHS = {StreamKind.SNAPSHOT: ("https", "/snapshot.jpg"), StreamKind.RTSP: ("rtsps", "/live")}


@pytest.fixture(params=KINDS)
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[StreamKind, TlsFront]]:
    kind: StreamKind = request.param
    if kind is StreamKind.RTSP:
        with rtsp_camera() as plain, tls_front(urlsplit(plain.url()).port or 0, tmp_path) as front:
            yield kind, front
    else:
        with http_camera(jpeg(coffee())) as plain_http, tls_front(plain_http.port, tmp_path) as front:
            yield kind, front


def source(camera: tuple[StreamKind, TlsFront], trust: TlsTrust) -> StreamSource:
    kind, front = camera
    scheme, path = PATHS[kind]
    return StreamSource(kind, f"{scheme}://127.0.0.1:{front.port}{path}", tls=trust)


def test_a_pinned_certificate_is_accepted(camera: tuple[StreamKind, TlsFront]) -> None:
    read_one(opener(timeout_s=10), source(camera, TlsTrust(fingerprint=camera[1].fingerprint)))


def test_without_verification_any_certificate_is_accepted(camera: tuple[StreamKind, TlsFront]) -> None:
    read_one(opener(timeout_s=10), source(camera, TlsTrust(verify=False)))


@pytest.mark.parametrize("trust", [TlsTrust(), TlsTrust(fingerprint="0" * 64), TlsTrust(False, "0" * 64)])
def test_another_certificate_is_refused(camera: tuple[StreamKind, TlsFront], trust: TlsTrust) -> None:
    with pytest.raises(StreamFailed) as failed:
        read_one(opener(timeout_s=10), source(camera, trust))
    assert failed.value.fault is Fault.CERTIFICATE


def test_the_fingerprint_is_shown(camera: tuple[StreamKind, TlsFront]) -> None:
    assert opener().certificate(source(camera, TlsTrust())) == camera[1].fingerprint


def test_of_a_port_that_is_no_cameras_no_certificate_is_told(camera: tuple[StreamKind, TlsFront]) -> None:
    assert opener(ports=[443]).certificate(source(camera, TlsTrust())) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_camera_without_tls_is_told_as_such(kind: StreamKind) -> None:
    with http_camera(jpeg(coffee())) as plain:
        scheme, path = PATHS[kind]
        with pytest.raises(StreamFailed) as failed:
            read_one(opener(), StreamSource(kind, f"{scheme}://127.0.0.1:{plain.port}{path}"))
        assert failed.value.fault in (Fault.WRONG_ANSWER, Fault.STALLED)
