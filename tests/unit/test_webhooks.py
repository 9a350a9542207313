"""Webhooks without a service: signatures, patterns of types, and where messages may go."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.errors import InvalidInput
from app.services.delivery.signing import new_signing_secret, signed_headers
from app.services.delivery.webhook_sender import WebhookSender
from app.utils.network_guard import PUBLIC_WEBHOOKS, WEBHOOKS, NetworkGuard, Purpose, parse_networks
from app.workflows.webhook_courier import wants


def guard(purpose: Purpose, *answers: str, allowed: str = "10.20.0.0/16") -> NetworkGuard:
    def told(_host: str, _port: int) -> Sequence[str]:
        return answers

    return NetworkGuard(parse_networks(allowed), purpose=purpose, resolver=told)


def test_signatures_are_those_of_standard_webhooks() -> None:
    # The example that the specification's own libraries are tested with.
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        event_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        sent_at_s=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_secrets_differ() -> None:
    assert len({new_signing_secret() for _ in range(10)}) == 10


@pytest.mark.parametrize(
    ("types", "event_type", "expected"),
    [
        ((), "face.enrolled", True),
        (("face.enrolled",), "face.enrolled", True),
        (("face.enrolled",), "face.deleted", False),
        (("camera.*",), "camera.offline", True),
        (("camera.*",), "cameras", False),
        (("camera.*", "face.deleted"), "face.deleted", True),
    ],
)
def test_a_subscription_names_types_or_their_beginnings(types: Sequence[str], event_type: str, expected: bool) -> None:
    assert wants(types, event_type) is expected


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "127.0.0.1", "192.168.1.1", "::1", "fd00::1", "169.254.169.254", "64:ff9b::7f00:1", "100.64.0.1"],
)
def test_https_goes_to_public_addresses_and_listed_networks_alone(address: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        guard(PUBLIC_WEBHOOKS, address).addresses("receiver.example", 443)
    assert caught.value.code == "webhook_address_refused"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "10.20.1.2"])
def test_https_reaches_the_internet_and_the_house(address: str) -> None:
    assert guard(PUBLIC_WEBHOOKS, address).addresses("receiver.example", 443) == [address]


def test_plain_http_stays_in_the_house() -> None:
    with pytest.raises(InvalidInput):
        guard(WEBHOOKS, "93.184.216.34").addresses("receiver.example", 80)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://10.20.1.2/",
        "http://",
        "http://user:word@10.20.1.2/",
        "http://[::1",
        "http://10.20.1.2:99999/",
        "file:///x",
    ],
)
async def test_only_plain_web_addresses_are_taken(url: str) -> None:
    sender = WebhookSender(private=guard(WEBHOOKS), public=guard(PUBLIC_WEBHOOKS), source="/test", timeout_s=1.0)
    with pytest.raises(InvalidInput) as caught:
        await sender.check(url)
    assert caught.value.code == "invalid_webhook_url"


async def test_a_receiver_may_be_registered_before_its_name_exists() -> None:
    def nothing(_host: str, _port: int) -> Sequence[str]:
        return ()

    later = NetworkGuard(parse_networks(""), purpose=PUBLIC_WEBHOOKS, resolver=nothing)
    sender = WebhookSender(private=later, public=later, source="/test", timeout_s=1.0)
    await sender.check("https://not-yet.example/events")
    answer = await sender.post("https://not-yet.example/events", headers={}, body=b"{}")
    assert (answer.status, answer.detail) == (None, "webhook_host_unknown")


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("location", "/taken")
            self.send_header("content-length", "0")
            self.end_headers()
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            while True:
                try:
                    self.wfile.write(b"x" * 65_536)
                except OSError:
                    return
        elif self.path == "/silent":
            threading.Event().wait(3.0)
        else:
            self.send_response(204)
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
        """Be quiet."""


@contextmanager
def answering() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


async def post(path: str, *, rebound: str = "127.0.0.1") -> tuple[int | None, str]:
    def told(_host: str, _port: int) -> Sequence[str]:
        return (rebound,)

    house = NetworkGuard(parse_networks("127.0.0.1"), purpose=WEBHOOKS, resolver=told)
    sender = WebhookSender(private=house, public=house, source="/test", timeout_s=1.0)
    with answering() as port:
        answer = await sender.post(f"http://receiver.example:{port}{path}", headers={}, body=b"{}")
        await sender.close()
    return answer.status, answer.detail


async def test_a_message_reaches_the_address_that_was_checked() -> None:
    assert await post("/taken") == (204, "HTTP 204")


async def test_redirects_are_not_followed() -> None:
    assert await post("/redirect") == (302, "HTTP 302")


async def test_an_answer_without_end_is_read_no_further_than_its_bound() -> None:
    assert await post("/endless") == (200, "HTTP 200")


async def test_a_silent_receiver_costs_the_time_limit() -> None:
    status, detail = await post("/silent")
    assert status is None
    assert "Timeout" in detail


async def test_a_name_that_points_elsewhere_later_is_refused_at_the_connection() -> None:
    assert await post("/taken", rebound="169.254.169.254") == (None, "webhook_address_refused")
