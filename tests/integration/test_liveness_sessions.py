"""Active liveness over HTTP: sessions that pass vouch for one picture, once; nothing is kept after them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from app.core.active_liveness.challenges import Challenge
from app.types import FloatArray, Image
from evaluation.faces.movements import acted
from evaluation.faces.rendered import Depth, flat_depth, head_depth, render
from tests.integration.conftest import Start
from tests.integration.records import Records
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, jpeg, portrait, varied

pytestmark = pytest.mark.any_server

API = "/api/v1/cv/face/liveness/sessions"


# Eyes, nose tip and corners of the astronaut's mouth.
LANDMARKS: FloatArray = np.array([[204, 101], [247, 103], [225, 127], [203, 140], [244, 142]], np.float32)


class Actor:
    """Stands before the camera, or holds something before it."""

    def __init__(self, client: httpx.Client, *, depth: Depth = head_depth) -> None:
        self.client = client
        self.session = client.post(API).json()
        self.path = f"{API}/{self.session['session_id']}"
        challenges = [Challenge(one["kind"]) for one in self.session["challenges"]]
        whole = depth is not head_depth
        self.film: list[tuple[int, Image]] = [
            (at_ms, render(astronaut(), LANDMARKS, depth, stance, whole=whole))
            for at_ms, stance in acted(challenges, np.random.default_rng(3), reach=1.4 if whole else 1.0)
        ]

    def batches(self) -> Iterator[list[tuple[int, Image]]]:
        for start in range(0, len(self.film), 9):
            yield self.film[start : start + 9]

    def send(self, frames: list[tuple[int, Image]], **changes: Any) -> httpx.Response:
        fields = {"nonce": self.session["nonce"], "timestamps_ms": json.dumps([at_ms for at_ms, _ in frames])}
        files = [("frames", (f"{at_ms}.jpg", jpeg(image), "image/jpeg")) for at_ms, image in frames]
        return self.client.post(f"{self.path}/frames", data=fields | changes, files=files)

    def play(self) -> dict[str, Any]:
        """Send everything, not faster than it happened; the last answer."""
        time.sleep(max(self.film[-1][0] / 1000 - 1.5, 0))
        answer: dict[str, Any] = {}
        for batch in self.batches():
            reply = self.send(batch)
            assert reply.status_code == 200, reply.text
            answer = reply.json()
            if answer["status"] != "open":
                break
        return answer


def test_a_session_that_passes_vouches_for_one_picture_once(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    actor = Actor(client)
    told = actor.play()
    assert told["status"] == "passed", told
    assert told["challenges_done"] == len(actor.session["challenges"])
    assert told["score"] > 0.5
    assert client.get(actor.path).json() == told

    answer = recognize(
        client, base64_jpeg(varied(astronaut())), check_liveness=True, liveness_session_id=told["session_id"]
    ).json()
    assert answer["success"] is True
    assert answer["is_alive"] is True
    assert answer["liveness_score"] == told["score"]
    [event] = records.events("attendance.events")
    assert (event["liveness_checked"], event["liveness"]) == (True, "active")

    again = recognize(client, base64_jpeg(astronaut()), check_liveness=True, liveness_session_id=told["session_id"])
    assert (again.status_code, again.json()["code"]) == (409, "liveness_session_unusable")
    assert client.get(actor.path).json()["status"] == "spent"
    [row] = records.rows("SELECT sealed_state FROM liveness_sessions")
    assert row["sealed_state"] is None
    [audit] = records.rows("SELECT details FROM audit_log WHERE action = 'face.liveness'")
    assert audit["details"]["status"] == "passed"


def test_a_session_vouches_for_nobody_else(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP002", base64_jpeg(portrait(1)))
    actor = Actor(client)
    assert actor.play()["status"] == "passed"
    answer = recognize(
        client, base64_jpeg(portrait(1)), check_liveness=True, liveness_session_id=actor.session["session_id"]
    ).json()
    assert answer["success"] is False
    assert answer["error"] == "liveness_check_failed"
    assert "somebody else" in answer["message"]
    assert records.events("attendance.events") == []


def test_an_enrolment_can_be_vouched_for(client: httpx.Client, records: Records) -> None:
    actor = Actor(client)
    assert actor.play()["status"] == "passed"
    session_id = actor.session["session_id"]
    assert enroll(client, "EMP001", base64_jpeg(astronaut()), liveness_session_id=session_id).status_code == 200
    [event] = records.events("face.enrolled")
    assert event["liveness"] == "active"
    refused = enroll(client, "EMP003", base64_jpeg(portrait(2)), liveness_session_id=session_id)
    assert refused.json()["code"] == "liveness_session_unusable"


def test_a_photo_that_is_turned_as_asked_does_not_pass(client: httpx.Client, records: Records) -> None:
    told = Actor(client, depth=flat_depth).play()
    assert told["status"] in ("open", "failed")
    assert told["challenges_done"] < len(told["challenges"])
    # What is known of a session that is still open is encrypted, and gone when it ends.
    [row] = records.rows("SELECT sealed_state FROM liveness_sessions")
    assert (row["sealed_state"] is None) == (told["status"] == "failed")
    assert b"landmarks" not in (row["sealed_state"] or b"")


def test_the_same_frames_do_not_pass_again(client: httpx.Client) -> None:
    actor = Actor(client)
    [first, *_] = list(actor.batches())
    time.sleep(0.5)
    assert actor.send(first).status_code == 200
    again = [(at_ms + 600_000, image) for at_ms, image in first]
    assert actor.send(first).json()["code"] == "frames_out_of_order"
    assert actor.send(again).json()["code"] == "implausible_moments"
    shortly = [(first[-1][0] + 150 + at_ms, image) for at_ms, image in first]
    time.sleep(2)
    assert actor.send(shortly).json()["reasons"] == ["frame_reused"]
    assert actor.send(first).json()["code"] == "liveness_session_over"


def test_who_does_not_know_the_nonce_changes_nothing(client: httpx.Client) -> None:
    actor = Actor(client)
    reply = actor.send(next(actor.batches()), nonce="guessed")
    assert (reply.status_code, reply.json()["code"]) == (404, "liveness_session_not_found")
    assert client.get(actor.path).json()["frames_used"] == 0


@pytest.mark.parametrize(
    ("files", "moments", "status"),
    [
        ([b"no picture", b"at all"], [0, 150], 422),
        ([jpeg(astronaut())], [0], 422),
        ([jpeg(astronaut())] * 2, [0], 422),
        ([jpeg(astronaut())] * 2, [0, -5], 422),
        ([b"\0\0\0\x20ftypheic" + bytes(64)] * 2, [0, 150], 422),
        ([jpeg(np.zeros((2200, 2200, 3), np.uint8))] * 2, [0, 150], 413),
    ],
)
def test_frames_that_cannot_be_used_are_refused(
    client: httpx.Client, files: list[bytes], moments: list[int], status: int
) -> None:
    session = client.post(API).json()
    reply = client.post(
        f"{API}/{session['session_id']}/frames",
        data={"nonce": session["nonce"], "timestamps_ms": json.dumps(moments)},
        files=[("frames", ("f.jpg", data, "image/jpeg")) for data in files],
    )
    assert reply.status_code == status, reply.text


def test_a_session_of_nobody_is_not_found(client: httpx.Client) -> None:
    assert client.get(f"{API}/{'0' * 8}-0000-0000-0000-{'0' * 12}").status_code == 404
    assert client.get(f"{API}/x").status_code == 422


def test_modes_ask_for_a_session(start_service: Start) -> None:
    small = np.full((300, 300, 3), 127, np.uint8)
    face = astronaut()[50:210, 150:310]
    small[100:180, 100:180] = np.asarray(face[::2, ::2])
    with start_service(LIVENESS_MODE="active") as service:
        enroll(service.client, "EMP001", base64_jpeg(astronaut()))
        answer = recognize(service.client, base64_jpeg(astronaut()), check_liveness=True).json()
        assert (answer["success"], answer["error"]) == (False, "liveness_required")
        assert "confidence" not in answer
        assert recognize(service.client, base64_jpeg(astronaut())).json()["success"] is True
    with start_service(LIVENESS_MODE="auto", FACE_DETECTION_THRESHOLD=0.5) as service:
        enroll(service.client, "EMP001", base64_jpeg(astronaut()))
        assert recognize(service.client, base64_jpeg(astronaut()), check_liveness=True).json()["success"] is True
        assert recognize(service.client, base64_jpeg(small), check_liveness=True).json()["error"] == "liveness_required"


def test_sessions_alone_show_liveness_where_pictures_are_not_judged(start_service: Start) -> None:
    with start_service(LIVENESS_MODE="active", LIVENESS_FROM_PICTURES="false") as service:
        enroll(service.client, "EMP001", base64_jpeg(astronaut()))
        told = Actor(service.client).play()
        assert (told["status"], told["score"]) == ("passed", None)
        picture = base64_jpeg(varied(astronaut()))
        answer = recognize(service.client, picture, check_liveness=True, liveness_session_id=told["session_id"]).json()
        assert (answer["success"], answer["is_alive"], answer["liveness_score"]) == (True, True, None)
        found = service.client.post("/api/v1/cv/face/identify", json={"image": picture, "check_liveness": True}).json()
        [face] = found["faces"]
        assert (face["employee_id"], face["is_alive"], face["warnings"]) == (None, None, ["liveness_uncertain"])


def test_sessions_of_one_key_are_bounded_and_end(start_service: Start) -> None:
    with start_service(LIVENESS_SESSIONS_PER_MINUTE=2, LIVENESS_SESSION_S=10) as service:
        first = service.client.post(API).json()
        assert service.client.post(API).status_code == 201
        assert service.client.post(API).status_code == 429
        service.records.rows("UPDATE liveness_sessions SET expires_at = NOW() RETURNING id")
        assert service.client.get(f"{API}/{first['session_id']}").json()["status"] == "expired"
