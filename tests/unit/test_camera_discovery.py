"""Looking for ONVIF cameras: who is found, what each offers, and whom nobody asks."""

from __future__ import annotations

import socket
import time
from datetime import timedelta

import pytest

from app.errors import InvalidInput
from app.services.streams import ws_discovery
from app.services.streams.http_client import HttpClient
from app.services.streams.onvif import OnvifDevice, OnvifFacts
from app.services.streams.types import Credentials, Fault, StreamFailed
from app.services.streams.ws_discovery import Announcement, ask_around
from app.utils.network_guard import NetworkGuard, parse_networks
from tests.onvif_server import USER, WORD, OnvifCamera, onvif_camera

pytestmark = pytest.mark.slow

LOGIN = Credentials(USER, WORD)
LOOPBACK = "127.0.0.0/8"


HERE = "127.0.0.1"


def asked(camera: OnvifCamera, *hosts: str, allowed: str = LOOPBACK, most: int = 8) -> list[Announcement]:
    """Whom the link has, or those of ``hosts``, who are not waited for once they have answered."""
    networks = parse_networks(allowed)
    return ask_around(NetworkGuard(networks), networks, hosts=hosts, wait_s=1.0, most=most, port=camera.port)


def facts_of(one: Announcement, login: Credentials | None = LOGIN, *, seconds: float = 10.0) -> OnvifFacts:
    http = HttpClient(NetworkGuard(parse_networks(LOOPBACK)), ports=frozenset(), timeout_s=1.0)
    return OnvifDevice(http, one.service_url, login, deadline_s=time.monotonic() + seconds).facts()


def fault_of(camera: OnvifCamera, login: Credentials | None = LOGIN, *, seconds: float = 10.0) -> Fault:
    [one] = asked(camera, HERE)
    with pytest.raises(StreamFailed) as failed:
        facts_of(one, login, seconds=seconds)
    return failed.value.fault


@pytest.mark.parametrize("hosts", [(), ("127.0.0.1",), ("localhost",)])
def test_a_camera_is_found_with_its_streams(hosts: tuple[str, ...]) -> None:
    with onvif_camera(OnvifCamera(clock_is_ahead=timedelta(hours=-7))) as camera:
        [one] = asked(camera, *hosts)
        assert (one.address, one.name, one.hardware) == ("127.0.0.1", "Back door", "X1")
        facts = facts_of(one)
    assert (facts.manufacturer, facts.model, facts.firmware) == ("Acme", "Dome 4", "2.1")
    main, sub = facts.profiles
    assert (main.name, main.codec, main.width, main.height, main.frames_per_second) == ("main", "H264", 1920, 1080, 15)
    assert (sub.name, sub.url) == ("sub", "rtsp://127.0.0.1:554/live")
    assert sub.snapshot_url == "http://127.0.0.1/snap.jpg"


def test_a_question_that_is_lost_is_asked_once_more_and_no_more() -> None:
    with onvif_camera(OnvifCamera(relates_to="urn:uuid:of-somebody-else")) as camera:
        assert asked(camera) == []
        assert camera.probes == 2


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"\x00\xff" * 500,
        b"<a>" * 20_000,
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        b"<x xmlns='http://www.w3.org/2003/05/soap-envelope'><Header/><Body/></x>",
    ],
)
def test_what_is_no_answer_is_passed_over(noise: bytes) -> None:
    with onvif_camera(OnvifCamera(before=[noise])) as camera:
        assert [one.address for one in asked(camera, HERE)] == ["127.0.0.1"]


def test_a_flood_of_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_discovery, "_MOST_DATAGRAMS", 50)  # far fewer than a socket holds, so that none is lost
    with onvif_camera(OnvifCamera(before=[b"<x/>"] * 60)) as camera:
        assert asked(camera) == []


def test_an_answer_that_points_at_another_host_is_dropped() -> None:
    with onvif_camera(OnvifCamera(service_host="127.0.0.9")) as camera:
        assert asked(camera) == []


def test_nobody_outside_the_allowed_networks_is_asked_or_heard() -> None:
    with onvif_camera(OnvifCamera()) as camera:
        assert asked(camera, allowed="127.0.0.8/32") == []  # the same link: asked, and not heard
        assert camera.probes == 2
        assert asked(camera, allowed="192.0.2.0/24") == []
        assert camera.probes == 2
        with pytest.raises(InvalidInput, match="outside the networks"):
            asked(camera, "127.0.0.1", allowed="127.0.0.8/32")
        with pytest.raises(InvalidInput, match="metadata"):
            asked(camera, "169.254.169.254", allowed="0.0.0.0/0")
        assert camera.probes == 2


def test_a_login_may_also_be_asked_for_by_http() -> None:
    with onvif_camera(OnvifCamera(http_login="Digest")) as camera:
        [one] = asked(camera, HERE)
        assert len(facts_of(one).profiles) == 2


@pytest.mark.parametrize("login", [None, Credentials(USER, "wrong"), Credentials("<o:Username>&", WORD)])
@pytest.mark.parametrize("http_login", ["", "Digest"])
def test_a_wrong_login_is_told_as_such(http_login: str, login: Credentials | None) -> None:
    with onvif_camera(OnvifCamera(http_login=http_login)) as camera:
        assert fault_of(camera, login) is Fault.UNAUTHORIZED


def test_the_password_is_given_to_nobody_who_asks_for_it_in_the_clear() -> None:
    with onvif_camera(OnvifCamera(http_login="Basic")) as camera:
        assert fault_of(camera) is Fault.UNAUTHORIZED
        assert set(camera.authorizations) == {""}


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://10.0.0.5/live",
        "rtsp://metadata.example/live",
        "file:///etc/passwd",
        "http://127.0.0.1/x",
        "rtsp://[",
        "",
        f"rtsp://127.0.0.1/{'x' * 2000}",
    ],
)
def test_a_stream_elsewhere_is_not_named(uri: str) -> None:
    with onvif_camera(OnvifCamera(stream_uri=uri)) as camera:
        [one] = asked(camera, HERE)
        assert {profile.url for profile in facts_of(one).profiles} == {None}


def test_a_login_in_a_stream_is_taken_out() -> None:
    with onvif_camera(OnvifCamera(stream_uri="rtsp://a:b@127.0.0.1/live?x=1")) as camera:
        [one] = asked(camera, HERE)
        assert {profile.url for profile in facts_of(one).profiles} == {"rtsp://127.0.0.1/live?x=1"}


def test_a_redirect_is_not_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        with onvif_camera(OnvifCamera(location=f"http://127.0.0.1:{elsewhere.getsockname()[1]}/")) as camera:
            assert fault_of(camera) is Fault.WRONG_ANSWER
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_a_device_that_is_no_camera_and_one_that_is_silent_are_told_apart() -> None:
    with onvif_camera(OnvifCamera(has_media=False)) as camera:
        assert fault_of(camera) is Fault.NOT_A_STREAM
    with onvif_camera(OnvifCamera(is_silent=True)) as camera:
        assert fault_of(camera) is Fault.STALLED
        assert len(camera.asked) == 1
    with onvif_camera(OnvifCamera()) as camera:
        assert fault_of(camera, seconds=0.0) is Fault.STALLED
        assert camera.asked == []
