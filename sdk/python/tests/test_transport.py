"""What is sent again and what is not, without a service: each client has a transport that follows a script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from cv_service_client import Limits, Problem, connect, file, ndjson
from cv_service_client.generated.api.claims import create_claim
from cv_service_client.generated.api.face import delete_person, get_person, verify_face
from cv_service_client.generated.api.image import bulk_index_images
from cv_service_client.generated.models import ClaimRequest, FaceVerificationForm

NOW = {"Retry-After": "0"}
CLAIM = ClaimRequest(description="black umbrella")
Outcome = httpx.Response | httpx.TransportError


def answer(status: int, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, headers=headers, json={"code": f"code_{status}"})


class Service(httpx.MockTransport):
    """Answers in this order; each outcome once."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.requests: list[httpx.Request] = []
        self._outcomes = iter(outcomes)
        super().__init__(self._answer)
        self.client = connect("http://cv.example", "key", transport=self, async_transport=self)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        outcome = next(self._outcomes)
        if isinstance(outcome, httpx.TransportError):
            raise outcome
        return outcome


class Breaking(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"{"
        raise httpx.ReadError("cut")


def cut() -> httpx.ReadError:
    return httpx.ReadError("cut")


@pytest.mark.parametrize("first", [cut(), answer(503, NOW), answer(429, NOW), answer(502, NOW)])
def test_a_passing_failure_is_tried_again(first: Outcome) -> None:
    service = Service(first, answer(404))
    with pytest.raises(Problem, match="code_404"):
        get_person.sync("EMP001", client=service.client)
    assert len(service.requests) == 2
    assert {request.headers["X-API-Key"] for request in service.requests} == {"key"}


def test_the_same_for_asyncio() -> None:
    service = Service(cut(), answer(503, NOW), answer(404))
    with pytest.raises(Problem, match="code_404"):
        asyncio.run(get_person.asyncio("EMP001", client=service.client))
    assert len(service.requests) == 3


def test_a_write_is_sent_again_with_the_key_that_it_had() -> None:
    service = Service(cut(), answer(409, NOW), answer(422))
    with pytest.raises(Problem):
        create_claim.sync(client=service.client, body=CLAIM)
    keys = {request.headers["Idempotency-Key"] for request in service.requests}
    assert len(service.requests) == 3
    assert len(keys) == 1
    given = Service(answer(422))
    with pytest.raises(Problem):
        create_claim.sync(client=given.client, body=CLAIM, idempotency_key="mine")
    assert given.requests[0].headers["Idempotency-Key"] == "mine"


def test_a_file_is_whole_in_each_try() -> None:
    bulk = Service(cut(), answer(422))
    with pytest.raises(Problem):
        bulk_index_images.sync(client=bulk.client, body=ndjson([{"image": "x"}]))
    assert [request.content for request in bulk.requests] == [b'{"image": "x"}\n'] * 2
    form = Service(cut(), answer(422))
    with pytest.raises(Problem):
        verify_face.sync(client=form.client, body=FaceVerificationForm(image=file(b"JPEG"), employee_id="EMP001"))
    assert form.requests[0].content == form.requests[1].content
    assert b"JPEG" in form.requests[0].content


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500])
def test_what_would_not_pass_is_not_tried_again(status: int) -> None:
    service = Service(answer(status))
    with pytest.raises(Problem) as raised:
        create_claim.sync(client=service.client, body=CLAIM)
    assert (raised.value.status, raised.value.code) == (status, f"code_{status}")


def test_a_deletion_that_may_have_happened_is_not_sent_again() -> None:
    service = Service(cut())
    with pytest.raises(httpx.ReadError):
        delete_person.sync("EMP001", client=service.client)


@pytest.mark.parametrize("first", [answer(503, NOW), httpx.ConnectError("refused")])
def test_a_deletion_that_was_refused_or_never_sent_is_sent_again(first: Outcome) -> None:
    service = Service(first, answer(404))
    with pytest.raises(Problem, match="code_404"):
        delete_person.sync("EMP001", client=service.client)


def test_tries_are_counted() -> None:
    service = Service(*[answer(503, NOW) for _ in range(3)])
    with pytest.raises(Problem) as raised:
        get_person.sync("EMP001", client=service.client)
    assert raised.value.retry_after_s == 0
    assert len(service.requests) == 1 + Limits().retries


def test_retry_after_is_waited_for_up_to_the_limit() -> None:
    began = time.monotonic()
    with pytest.raises(Problem, match="code_404"):
        get_person.sync("EMP001", client=Service(answer(503, {"Retry-After": "1"}), answer(404)).client)
    assert time.monotonic() - began >= 1
    with pytest.raises(Problem) as raised:
        get_person.sync("EMP001", client=Service(answer(503, {"Retry-After": "3600"})).client)
    assert raised.value.retry_after_s == 3600


def test_an_answer_that_breaks_off_is_tried_again() -> None:
    service = Service(httpx.Response(200, stream=Breaking()), answer(404))
    with pytest.raises(Problem, match="code_404"):
        get_person.sync("EMP001", client=service.client)


def test_a_proxys_answer_is_a_problem_too() -> None:
    with pytest.raises(Problem) as raised:
        get_person.sync("EMP001", client=Service(httpx.Response(413, text="<html>")).client)
    assert raised.value.code == "http_error"
