"""Bodies, limits, the local guard and problem documents, on an app of three routes."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI
from prometheus_client import REGISTRY
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.api import problems
from app.api.middleware import BodyLimit, LocalGuard, RequestContext
from app.errors import (
    BackendUnavailable,
    Conflict,
    DeadlineExceeded,
    InvalidImage,
    NotFound,
    Overloaded,
    TooLarge,
    Unauthorized,
    VisionError,
)
from app.models.bodies import ImageData, body_of
from app.models.common import EmployeeId, Request
from app.utils.fair_queue import client_var
from app.utils.logging import logger

PICTURE = bytes(range(256))
ENCODED = base64.b64encode(PICTURE).decode()
MAX_BODY_BYTES = 10_000
MAX_TOTAL_BYTES = 25_000
BODY_TIMEOUT_S = 0.3


class Upload(Request):
    employee_id: EmployeeId
    image: ImageData
    more: list[ImageData] = []  # noqa: RUF012  # pydantic copies it
    score: float = 0.5
    wanted: bool = True


class Note(Request):
    text: str


def make_client(
    *,
    error: Exception | None = None,
    guarded: bool = False,
    address: str = "127.0.0.1",
    proxies: str = "",
    max_body_bytes: int = MAX_BODY_BYTES,
) -> TestClient:
    app = FastAPI()

    @app.post("/upload/{name}")
    async def upload(name: str, body: Annotated[Upload, Depends(body_of(Upload))]) -> dict[str, object]:
        return {
            "name": name,
            "employee_id": body.employee_id,
            "same": body.image == PICTURE,
            "more": [len(part) for part in body.more],
            "score": body.score,
            "wanted": body.wanted,
        }

    @app.patch("/plain")
    async def plain(body: Note) -> str:
        return body.text

    @app.get("/whoami")
    async def whoami() -> str:
        return client_var.get()

    @app.get("/fail")
    async def fail() -> None:
        if error is not None:
            raise error

    problems.install(app)
    app.add_middleware(
        BodyLimit,
        max_bytes=max_body_bytes,
        max_total_bytes=max(MAX_TOTAL_BYTES, max_body_bytes),
        timeout_s=BODY_TIMEOUT_S,
    )
    if guarded:
        app.add_middleware(LocalGuard, hosts=["desk.hotel.lan"])
    app.add_middleware(RequestContext)
    if proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[proxies])
    return TestClient(app, base_url="http://localhost:8001", raise_server_exceptions=False, client=(address, 50_000))


@pytest.fixture
def client() -> TestClient:
    return make_client()


@pytest.mark.parametrize(
    "image", [ENCODED, f"data:image/jpeg;base64,{ENCODED}", "\n".join(ENCODED[i : i + 76] for i in range(0, 400, 76))]
)
def test_json_takes_base64_in_its_usual_spellings(client: TestClient, image: str) -> None:
    answer = client.post("/upload/a", json={"employee_id": "EMP001", "image": image})
    assert answer.status_code == 200
    assert answer.json()["same"] is True


def test_a_form_with_files_reads_as_the_same_model(client: TestClient) -> None:
    answer = client.post(
        "/upload/a",
        data={"employee_id": "EMP001", "score": "0.25", "wanted": "false"},
        files=[("image", PICTURE), ("more", b"one"), ("more", b"three")],
    )
    assert answer.json() == {
        "name": "a",
        "employee_id": "EMP001",
        "same": True,
        "more": [3, 5],
        "score": 0.25,
        "wanted": False,
    }


def test_one_file_for_a_list_is_a_list_of_one(client: TestClient) -> None:
    answer = client.post("/upload/a", data={"employee_id": "EMP001"}, files=[("image", PICTURE), ("more", b"one")])
    assert answer.json()["more"] == [3]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"employee_id": "EMP001"}, "body.image"),
        ({"employee_id": "EMP001", "image": "!!!"}, "body.image"),
        ({"employee_id": "EMP001", "image": "data:image/jpeg"}, "body.image"),
        ({"employee_id": "EMP001", "image": 7}, "body.image"),
        ({"employee_id": "EMP001", "image": None}, "body.image"),
        ({"employee_id": 'EMP" or ""=="', "image": ENCODED}, "body.employee_id"),
        ({"employee_id": "EMP'; DROP", "image": ENCODED}, "body.employee_id"),
        ({"employee_id": "Nguyễn", "image": ENCODED}, "body.employee_id"),
        ({"employee_id": "EMP001\n", "image": ENCODED}, "body.employee_id"),
        ({"employee_id": "", "image": ENCODED}, "body.employee_id"),
        ({"employee_id": "E" * 21, "image": ENCODED}, "body.employee_id"),
    ],
)
def test_a_wrong_field_is_named_and_not_repeated(client: TestClient, body: dict[str, object], field: str) -> None:
    answer = client.post("/upload/a", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "validation_error"
    assert [error["field"] for error in problem["errors"]] == [field]
    assert "DROP" not in answer.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_not_a_number_is_refused(client: TestClient, number: str) -> None:
    content = f'{{"employee_id": "EMP001", "image": "{ENCODED}", "score": {number}}}'
    answer = client.post("/upload/a", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422


@pytest.mark.parametrize(("method", "path"), [("POST", "/upload/a"), ("PATCH", "/plain")])
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b"7\xed3q\xf8", "invalid_json"),
        (b"[1]", "validation_error"),
        (b'"text"', "validation_error"),
        (b"null", "validation_error"),
    ],
)
def test_what_is_no_json_object_is_refused(
    client: TestClient, method: str, path: str, content: bytes, code: str
) -> None:
    answer = client.request(method, path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == code


@pytest.mark.parametrize(("method", "path"), [("POST", "/upload/a"), ("PATCH", "/plain")])
def test_an_absent_body_is_refused(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path, headers={"content-type": "application/json"}).status_code == 422


def test_another_media_type_is_refused(client: TestClient) -> None:
    answer = client.post("/upload/a", content=b"<x/>", headers={"content-type": "text/xml"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "unsupported_media_type"


def test_a_form_may_carry_a_large_picture_as_base64_text(client: TestClient) -> None:
    answer = client.post("/upload/a", data={"employee_id": "EMP001", "image": ENCODED}, files={"other": b""})
    assert answer.json()["same"] is True


def test_a_form_of_too_many_files_says_so(client: TestClient) -> None:
    answer = client.post("/upload/a", files=[("more", b"x")] * 30)
    assert answer.json()["code"] == "invalid_form"
    assert "Too many files" in answer.json()["detail"]


def test_a_damaged_form_is_refused(client: TestClient) -> None:
    answer = client.post("/upload/a", content=b"--x\r\nnonsense", headers={"content-type": "multipart/form-data"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_form"


def test_a_form_field_of_endless_brackets_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    client = make_client(max_body_bytes=1_000_000)
    for name, value in (("more", deep), ("image", deep), ("score", deep), ("score", '{"a":' * 90_000)):
        fields = {"employee_id": "EMP001", "image": ENCODED, name: value}
        answer = client.post("/upload/a", data=fields, files={"x": b""})
        assert answer.status_code == 422, name
        assert answer.json()["code"] == "validation_error"


def test_json_of_endless_brackets_is_refused() -> None:
    content = f'{{"employee_id": "EMP001", "image": {"[" * 100_000}'
    answer = make_client(max_body_bytes=300_000).post(
        "/upload/a", content=content, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_json")


async def test_a_client_that_leaves_while_it_sends_is_no_error_of_ours() -> None:
    app = make_client().app
    sent: list[Message] = []
    pieces: list[Message] = []

    async def receive() -> Message:
        return pieces.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    def counted(status: str) -> float:
        labels = {"method": "POST", "route": "/upload/{name}", "status": status}
        return REGISTRY.get_sample_value("cv_http_requests_total", labels) or 0.0

    before = counted("499"), counted("500")
    for kind in ("application/json", "multipart/form-data; boundary=x"):
        pieces[:] = [
            {"type": "http.request", "body": b"--x", "more_body": True},
            {"type": "http.disconnect"},
        ]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/upload/a",
            "raw_path": b"/upload/a",
            "query_string": b"",
            "headers": [(b"host", b"localhost:8001"), (b"content-type", kind.encode())],
            "app": app,
        }
        await app(scope, receive, send)
    assert sent == []
    assert (counted("499"), counted("500")) == (before[0] + 2, before[1])


def test_a_declared_large_body_is_refused(client: TestClient) -> None:
    answer = client.post("/upload/a", content=b"x" * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


def test_a_large_body_of_undeclared_length_is_refused(client: TestClient) -> None:
    chunks = (b"x" * 1000 for _ in range(20))
    answer = client.post("/upload/a", content=chunks, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


class Sender:
    """A client that sends its body piece by piece, straight into the middleware."""

    def __init__(self, app: BodyLimit) -> None:
        self._app = app
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self.answer: asyncio.Task[list[Message]] = asyncio.ensure_future(self._run())

    async def _run(self) -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app({"type": "http", "method": "POST", "path": "/", "headers": []}, self._messages.get, send)
        return sent

    async def push(self, length: int, *, last: bool = False) -> None:
        await self._messages.put({"type": "http.request", "body": b"x" * length, "more_body": not last})
        await asyncio.sleep(0.01)

    async def status(self) -> int:
        return int((await self.answer)[0]["status"])


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads the body and answers 200, or the error that reading raises."""
    try:
        while (await receive())["more_body"]:
            continue
    except VisionError as error:
        await problems.vision_problem(error)(scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})


def limited() -> BodyLimit:
    return BodyLimit(read_all, max_bytes=MAX_BODY_BYTES, max_total_bytes=MAX_TOTAL_BYTES, timeout_s=BODY_TIMEOUT_S)


async def test_bodies_under_way_share_a_bound_and_give_their_part_back() -> None:
    app = limited()
    senders = []
    for name in "abc":
        client_var.set(name)
        senders.append(Sender(app))
    for sender in senders:
        await sender.push(9_000)
    assert await senders[2].status() == 429
    for sender in senders[:2]:
        await sender.push(500, last=True)
        assert await sender.status() == 200
    later = Sender(app)
    await later.push(9_000, last=True)
    assert await later.status() == 200


async def test_a_body_that_does_not_come_is_given_up() -> None:
    sender = Sender(limited())
    await sender.push(100)
    assert await sender.status() == 408


async def test_a_body_that_trickles_is_given_up_long_before_its_time() -> None:
    app = BodyLimit(
        read_all, max_bytes=10_000, max_total_bytes=25_000, timeout_s=60.0, grace_s=0.1, min_bytes_per_s=1_000.0
    )
    trickle, brisk = Sender(app), Sender(app)
    for _ in range(40):
        if not trickle.answer.done():
            await trickle.push(1)
        await brisk.push(100)
    await brisk.push(100, last=True)
    assert await trickle.status() == 408
    assert await brisk.status() == 200


async def test_one_client_may_hold_half_of_the_memory_for_bodies() -> None:
    app = limited()
    client_var.set("greedy")
    greedy = [Sender(app) for _ in range(2)]
    await greedy[0].push(9_000)
    await greedy[1].push(9_000)
    assert await greedy[1].status() == 429
    client_var.set("polite")
    polite = Sender(app)
    await polite.push(9_000, last=True)
    assert await polite.status() == 200


async def unwanted(message: Message) -> None:
    pytest.fail(f"nothing should be sent, but {message} was")


async def test_waiting_for_the_client_to_leave_is_no_slow_body() -> None:
    left: list[Message] = []

    async def stream(_: Scope, receive: Receive, __: Send) -> None:
        await receive()
        left.append(await receive())

    app = BodyLimit(stream, max_bytes=10, max_total_bytes=10, timeout_s=0.05)
    messages: asyncio.Queue[Message] = asyncio.Queue()
    await messages.put({"type": "http.request", "body": b"", "more_body": False})
    running = asyncio.ensure_future(app({"type": "http", "headers": []}, messages.get, unwanted))
    await asyncio.sleep(0.2)
    await messages.put({"type": "http.disconnect"})
    await running
    assert left == [{"type": "http.disconnect"}]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidImage("x"), 422),
        (TooLarge("x"), 413),
        (Unauthorized("x"), 401),
        (NotFound("x"), 404),
        (Conflict("x", code="duplicate_identity", details={"employee_id": "EMP1"}), 409),
        (Overloaded("x"), 429),
        (DeadlineExceeded("x"), 504),
        (BackendUnavailable("redis"), 503),
    ],
)
def test_each_error_becomes_its_problem_document(error: VisionError, status: int) -> None:
    answer = make_client(error=error).get("/fail", headers={"x-request-id": "req-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == error.code
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"] == "req-1"
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    if error.details:
        assert problem["employee_id"] == "EMP1"


def test_a_bug_is_a_500_that_tells_nothing() -> None:
    answer = make_client(error=RuntimeError("password=hunter2")).get("/fail")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "hunter2" not in answer.text


def test_unknown_paths_and_methods_are_problem_documents(client: TestClient) -> None:
    unknown, wrong = client.get("/nowhere"), client.get("/upload/a")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.json()["detail"]
    assert {answer.headers["content-type"] for answer in (unknown, wrong)} == {"application/problem+json"}


def test_a_strange_request_id_is_replaced(client: TestClient) -> None:
    answer = client.get("/fail", headers={"x-request-id": "a b\tc" * 50})
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("headers", "served"),
    [
        ({}, True),
        ({"host": "localhost:8001"}, True),
        ({"host": "127.0.0.1:8001"}, True),
        ({"host": "desk.hotel.lan"}, True),
        ({"host": "evil.example"}, False),
        ({"host": ""}, False),
        ({"host": "localhost:8001", "origin": "http://localhost:8001"}, True),
        ({"host": "localhost:8001", "origin": "http://localhost:3000"}, False),
        ({"host": "localhost:8001", "origin": "null"}, False),
        ({"host": "[::1"}, False),
        ({"host": "[::1]:8001"}, True),
        ({"host": "localhost:8001", "origin": "http://[::1"}, False),
        ({"host": "localhost:8001", "origin": "http://[::1]x"}, False),
        ({"host": "localhost:8001", "origin": "https://evil.example"}, False),
        ({"host": "localhost:8001", "sec-fetch-site": "cross-site"}, False),
        ({"host": "localhost:8001", "sec-fetch-site": "same-site"}, False),
        ({"host": "localhost:8001", "sec-fetch-site": "same-origin"}, True),
        ({"host": "localhost:8001", "sec-fetch-site": "none"}, True),
    ],
)
def test_without_keys_only_local_and_same_origin_requests_are_served(headers: dict[str, str], served: bool) -> None:
    answer = make_client(guarded=True).get("/fail", headers=headers)
    assert answer.status_code == (200 if served else 403)


@pytest.mark.parametrize(
    ("address", "served"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("10.0.0.7", False),
        ("::ffff:10.0.0.7", False),
        ("172.17.0.1", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),  # noqa: S104  # an address to refuse
        ("localhost", False),
        ("", False),
    ],
)
def test_without_keys_only_clients_on_this_machine_are_served(address: str, served: bool) -> None:
    """Whatever they write in Host."""
    answer = make_client(guarded=True, address=address).get("/fail", headers={"host": "localhost:8001"})
    assert answer.status_code == (200 if served else 403)


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Real-IP"])
def test_without_keys_what_a_proxy_passes_on_is_refused(name: str) -> None:
    for proxies in ("", "127.0.0.1"):
        answer = make_client(guarded=True, proxies=proxies).get("/fail", headers={name: "127.0.0.1"})
        assert answer.status_code == 403
        assert answer.json()["code"] == "origin_refused"


@pytest.mark.parametrize(
    ("address", "given", "client"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.7, 10.0.0.9", "198.51.100.7"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
    ],
)
def test_an_address_in_headers_is_believed_of_trusted_proxies_only(address: str, given: str, client: str) -> None:
    headers = {"X-Forwarded-For": given} if given else {}
    assert (
        make_client(address=address, proxies="10.0.0.0/8").get("/whoami", headers=headers).json() == f"address {client}"
    )
    assert make_client(address=address).get("/whoami", headers=headers).json() == f"address {address}"


def test_the_line_of_a_request_names_the_code_of_its_problem() -> None:
    lines: list[dict[str, object]] = []

    def note(message: Any) -> None:
        lines.append(message.record["extra"])

    sink = logger.add(note, format="{message}", filter="app.api.middleware")
    try:
        client = make_client(error=NotFound("Nobody.", code="face_not_enrolled"))
        client.get("/fail")
        client.patch("/plain", json={"text": "fine"})
    finally:
        logger.remove(sink)
    assert [line.get("code") for line in lines] == ["face_not_enrolled", None]
