"""The packed client against a running service: CV_URL, CV_API_KEY, and CV_PICTURES, a folder of pictures."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from cv_service_client import (
    InvalidSignature,
    Problem,
    aeach,
    aevents,
    afinished,
    connect,
    each,
    events,
    file,
    finished,
    ndjson,
    to_base64,
    verify_webhook,
)
from cv_service_client.generated.api.claims import create_claim
from cv_service_client.generated.api.face import enroll_face, get_person, list_people, verify_face
from cv_service_client.generated.api.health import get_metrics, list_models
from cv_service_client.generated.api.image import bulk_index_images
from cv_service_client.generated.api.jobs import list_job_items
from cv_service_client.generated.api.ocr import export_invoices
from cv_service_client.generated.api.webhooks import add_webhook, remove_webhook, try_webhook
from cv_service_client.generated.client import AuthenticatedClient
from cv_service_client.generated.models import (
    ClaimRequest,
    FaceEnrollmentForm,
    FaceVerificationForm,
    FaceVerificationRequest,
    PersonMetadata,
    WebhookCreateRequest,
)

URL, KEY = os.environ["CV_URL"], os.environ["CV_API_KEY"]
FACE, ROOM = (Path(os.environ["CV_PICTURES"]) / name for name in ("face.jpg", "room.jpg"))


@pytest.fixture
def client() -> Iterator[AuthenticatedClient]:
    with connect(URL, KEY) as opened:
        yield opened


def enroll(client: AuthenticatedClient, employee_id: str) -> None:
    body = FaceEnrollmentForm(
        employee_id=employee_id,
        images=[file(FACE)],
        metadata=PersonMetadata(name=f"Nguyễn {employee_id}"),
        allow_duplicate=True,
    )
    answer = enroll_face.sync(client=client, body=body)
    assert answer is not None
    assert answer.embeddings_created == 1


def test_a_file_goes_as_a_form_and_base64_as_json_and_both_are_the_same_picture(client: AuthenticatedClient) -> None:
    enroll(client, "PY001")
    form = verify_face.sync(client=client, body=FaceVerificationForm(image=file(FACE), employee_id="PY001"))
    json = verify_face.sync(client=client, body=FaceVerificationRequest(image=to_base64(FACE), employee_id="PY001"))
    assert form is not None
    assert json is not None
    assert form.verified
    assert form.confidence == json.confidence


def test_what_the_service_refuses_is_a_problem(client: AuthenticatedClient) -> None:
    with pytest.raises(Problem) as raised:
        get_person.sync("NOBODY", client=client)
    assert raised.value.status == 404
    assert raised.value.request_id
    with pytest.raises(Problem) as raised:
        verify_face.sync(client=client, body=FaceVerificationRequest(image="?", employee_id="PY001"))
    assert [error["field"] for error in raised.value.errors] == ["body.image"]
    with connect(URL, "wrong") as stranger, pytest.raises(Problem, match="401"):
        list_models.sync(client=stranger)


def test_a_list_is_read_page_after_page(client: AuthenticatedClient) -> None:
    for employee_id in ("PY002", "PY003"):
        enroll(client, employee_id)
    found = [person.employee_id for person in each(list_people.sync, client=client, limit=1)]
    assert [one for one in found if one.startswith("PY00")] == ["PY001", "PY002", "PY003"]

    async def ids() -> list[str]:
        async with connect(URL, KEY) as opened:
            return [person.employee_id async for person in aeach(list_people.asyncio, client=opened, limit=2)]

    assert asyncio.run(ids()) == found


def test_a_write_that_is_sent_again_under_its_key_happens_once(client: AuthenticatedClient) -> None:
    body, key = ClaimRequest(description="black umbrella", room_number="201"), uuid.uuid4().hex
    first, again = (create_claim.sync(client=client, body=body, idempotency_key=key) for _ in range(2))
    other = create_claim.sync(client=client, body=body)
    assert first is not None
    assert other is not None
    assert again == first
    assert other.claim_id != first.claim_id


def test_answers_that_are_no_json_are_text_or_a_file(client: AuthenticatedClient) -> None:
    assert "# HELP" in str(get_metrics.sync(client=client))
    exported = export_invoices.sync(client=client, start=date(2025, 1, 1), end=date(2025, 12, 31))
    assert exported is not None
    assert exported.payload.read()


def test_a_bulk_request_is_lines_and_its_job_is_waited_for(client: AuthenticatedClient) -> None:
    metadata = {"category": "lost_found", "item_type": "bag"}
    lines = [{"image": to_base64(ROOM), "metadata": metadata}, {"image": "", "metadata": metadata}]
    accepted = bulk_index_images.sync(client=client, body=ndjson(lines))
    assert accepted is not None
    job = finished(client, accepted.job_id)
    assert (job.state, job.done) == ("succeeded", 2)
    assert len(list(each(list_job_items.sync, accepted.job_id, client=client))) == 2

    async def again() -> str:
        async with connect(URL, KEY) as opened:
            return str((await afinished(opened, accepted.job_id)).state)

    assert asyncio.run(again()) == "succeeded"


def test_a_bulk_request_may_be_a_zip_by_asyncio_too() -> None:
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.write(ROOM, "room.jpg")
        archive.writestr("items.ndjson", '{"image": "room.jpg", "metadata": {"category": "room"}}\n')

    async def done() -> int:
        async with connect(URL, KEY) as opened:
            accepted = await bulk_index_images.asyncio(client=opened, body=file(packed.getvalue(), "rooms.zip"))
            assert accepted is not None
            return (await afinished(opened, accepted.job_id)).done

    assert asyncio.run(done()) == 1


class Cutting(httpx.HTTPTransport):
    """Breaks the first stream off before its first event, after something has happened meanwhile."""

    def __init__(self, meanwhile: AuthenticatedClient) -> None:
        super().__init__()
        self.streams = 0
        self._meanwhile = meanwhile

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if request.url.path.endswith("/events"):
            self.streams += 1
            if self.streams == 1:
                answer.close()
                enroll(self._meanwhile, "PY004")
                return httpx.Response(200, headers=answer.headers, stream=_Cut())
        return answer


class _Cut(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        raise httpx.ReadError("cut")
        yield b""


def test_events_go_on_after_a_cut_without_a_gap(client: AuthenticatedClient) -> None:
    cutting = Cutting(client)
    heard: list[str] = []
    with connect(URL, KEY, transport=cutting) as listener:
        for event in events(listener, ["face.enrolled"]):
            heard.append(event.data["employee_id"])
            if len(heard) == 1:
                enroll(client, "PY005")
            if len(heard) == 2:
                break
    assert heard == ["PY004", "PY005"]
    assert cutting.streams == 2

    async def last() -> str:
        async with connect(URL, KEY) as opened:
            async for one in aevents(opened, ["face.enrolled"], last_event_id="0"):
                if one.data["employee_id"] == "PY005":
                    return one.type
        return "none"

    assert asyncio.run(last()) == "face.enrolled"
    with connect(URL, "wrong") as stranger, pytest.raises(Problem, match="401"):
        next(events(stranger))


def test_a_webhook_that_the_service_signed_is_verified_and_nothing_else_is(client: AuthenticatedClient) -> None:
    messages: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        hook = add_webhook.sync(client=client, body=WebhookCreateRequest(url=url, types=["attendance.events"]))
        assert hook is not None
        try_webhook.sync(hook.id, client=client)
        remove_webhook.sync(hook.id, client=client)
        server.shutdown()
    [(headers, body)] = messages
    event = verify_webhook(hook.secret, headers, body)
    assert event.type == "webhook.test"
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    assert verify_webhook([other, hook.secret], headers, body) == event
    for secret, sent, content, later_s in (
        (other, headers, body, 0),
        (hook.secret, headers, body.replace(b"webhook.test", b"face.enrolled"), 0),
        (hook.secret, {**headers, "webhook-id": "another"}, body, 0),
        (hook.secret, headers, body, 301),
        (hook.secret, {}, body, 0),
    ):
        with pytest.raises(InvalidSignature):
            verify_webhook(secret, sent, content, now_s=time.time() + later_s)
