"""Face check-in over HTTP: enrol, recognise, verify, identify, list, erase."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.integration.records import Records
from tests.photos import astronaut, base64_jpeg, coffee, group, jpeg, masked_portrait, portrait, varied

API = "/api/v1/cv/face"
FACING = (0, 1, 2, 3, 5)
"""Who of the group looks at the camera; the fifth shows nearly a profile."""


def enroll(client: httpx.Client, employee_id: str, *images: str, **fields: Any) -> httpx.Response:
    body = {"employee_id": employee_id, "images": list(images), "metadata": {"name": f"Name of {employee_id}"}}
    return client.post(f"{API}/enroll", json=body | fields)


def recognize(client: httpx.Client, image: str, *, camera_id: str = "cam_test", **fields: Any) -> httpx.Response:
    body = {"image": image, "camera_id": camera_id, "check_liveness": False}
    return client.post(f"{API}/recognize", json=body | fields)


# The spec's two samples, with photos from packages in place of its fixtures.


def test_face_recognition_success(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    response = client.post(
        "/api/v1/cv/face/recognize",
        json={
            "image": base64_jpeg(varied(astronaut())),
            "camera_id": "test_cam",
            "timestamp": "2025-01-17T10:00:00Z",
            "check_liveness": False,
        },
    )

    assert response.status_code == 200
    data = response.json()
    assert data["success"] == True  # noqa: E712  # the spec's own line
    assert data["employee_id"] is not None
    assert data["confidence"] > 0.7


def test_face_recognition_no_face(client: httpx.Client) -> None:
    response = client.post(
        "/api/v1/cv/face/recognize",
        json={"image": base64_jpeg(coffee()), "camera_id": "test_cam", "timestamp": "2025-01-17T10:00:00Z"},
    )

    assert response.status_code == 200
    data = response.json()
    assert data["success"] == False  # noqa: E712  # the spec's own line
    assert data["error"] == "no_face_detected"


def test_enrolment_answers_as_the_spec_does(client: httpx.Client) -> None:
    answer = enroll(client, "EMP001", base64_jpeg(portrait(1)), base64_jpeg(varied(portrait(1))))
    assert answer.status_code == 200
    body = answer.json()
    assert body["success"] is True
    assert body["employee_id"] == "EMP001"
    assert body["embeddings_created"] == 2
    assert 0 < body["average_quality_score"] <= 1
    assert len(set(body["vector_ids"])) == 2
    assert body["warnings"] == []
    assert "one_photo" not in [one["reason"] for one in body["advice"]]


def test_enrolment_says_what_the_gallery_lacks(client: httpx.Client) -> None:
    alone = enroll(client, "EMP001", base64_jpeg(astronaut())).json()["advice"]
    assert [one["reason"] for one in alone] == ["one_photo", "no_turned"]
    more = enroll(client, "EMP001", base64_jpeg(varied(astronaut()))).json()["advice"]
    assert [one["reason"] for one in more] == ["no_turned"]  # by all that count, not by this request alone


def test_recognition_answers_as_the_spec_does(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    answer = recognize(client, base64_jpeg(varied(astronaut()))).json()
    assert answer.keys() == {
        "success",
        "employee_id",
        "employee_name",
        "confidence",
        "is_alive",
        "recognition_time_ms",
        "face_location",
        "timestamp",
        "event_id",
    }
    assert answer["is_alive"] is None  # nobody asked
    assert answer["employee_id"] == "EMP001"
    assert answer["employee_name"] == "Name of EMP001"
    assert answer["timestamp"].endswith("Z")
    box = answer["face_location"]
    # The astronaut's face is around (225, 115) in the untilted picture.
    assert box["x"] < 225 < box["x"] + box["width"]
    assert box["y"] < 130 < box["y"] + box["height"]


def test_each_of_five_people_is_told_from_the_others(client: httpx.Client) -> None:
    for person in FACING:
        assert enroll(client, f"EMP{person}", base64_jpeg(portrait(person))).status_code == 200
    for person in FACING:
        answer = recognize(client, base64_jpeg(varied(portrait(person)))).json()
        assert answer["employee_id"] == f"EMP{person}"


def test_a_stranger_is_not_found(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(0)))
    answer = recognize(client, base64_jpeg(astronaut())).json()
    assert answer["success"] is False
    assert answer["error"] == "face_not_found"
    assert answer["confidence"] < 0.7
    assert "employee_id" not in answer


def test_an_empty_gallery_finds_nobody(client: httpx.Client) -> None:
    answer = recognize(client, base64_jpeg(astronaut())).json()
    assert answer["error"] == "face_not_found"
    assert answer["confidence"] == 0


def test_liveness_is_reported_when_asked_for(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    answer = recognize(client, base64_jpeg(astronaut()), check_liveness=True).json()
    assert 0 <= answer["liveness_score"] <= 1
    assert "is_alive" in answer
    assert answer["success"] is (answer["is_alive"] is True)


def test_a_tiny_face_is_uncertain_and_never_live(client: httpx.Client) -> None:
    small = PillowImage.fromarray(astronaut()[:, :, ::-1]).resize((150, 150))
    canvas = PillowImage.new("RGB", (640, 480), (120, 120, 120))
    canvas.paste(small, (200, 150))
    answer = recognize(client, base64_jpeg(np.asarray(canvas)[:, :, ::-1].copy()), check_liveness=True).json()
    assert answer["success"] is False
    assert answer["error"] == "liveness_check_failed"
    assert answer["warnings"] == ["liveness_uncertain"]
    assert answer["is_alive"] is None


def test_bad_pictures_are_named_and_good_ones_enrolled(client: httpx.Client) -> None:
    dark = (astronaut().astype(np.float32) * 0.06).astype(np.uint8)
    broken = base64.b64encode(jpeg(astronaut())[:2000]).decode()
    answer = enroll(
        client,
        "EMP001",
        base64_jpeg(coffee()),
        base64_jpeg(astronaut()),
        base64_jpeg(group()),
        broken,
        base64_jpeg(dark),
    ).json()
    assert answer["embeddings_created"] == 1
    reasons = {warning["index"]: warning["reason"] for warning in answer["warnings"]}
    assert reasons[0] == "no_face"
    assert reasons[2] == "multiple_faces"
    assert reasons[3] == "damaged_image"
    assert reasons[4] in ("too_dark", "no_face", "low_confidence")
    assert reasons.keys() == {0, 2, 3, 4}


def test_a_masked_face_is_not_enrolled_and_told_to_uncover(client: httpx.Client) -> None:
    masked = base64_jpeg(masked_portrait())
    refused = enroll(client, "EMP001", masked)
    assert refused.status_code == 422
    [rejected] = refused.json()["rejected"]
    assert rejected["reason"] == "face_covered"
    assert "take off the mask" in rejected["message"]
    answer = recognize(client, masked).json()
    assert answer["success"] is False
    assert answer["covered"] == "mask"
    assert "try again" in answer["message"]
    assert enroll(client, "EMP001", base64_jpeg(portrait(2))).status_code == 200
    assert "covered" not in recognize(client, base64_jpeg(portrait(2))).json()


def test_nothing_is_stored_when_no_picture_is_good(client: httpx.Client, records: Records) -> None:
    answer = enroll(client, "EMP001", base64_jpeg(coffee()))
    assert answer.status_code == 422
    assert answer.json()["code"] == "no_usable_image"
    assert answer.json()["rejected"][0]["reason"] == "no_face"
    assert records.count("employee_faces") == 0
    assert records.count("employees") == 0
    assert records.vectors() == []


def test_whoever_is_on_most_photos_is_enrolled(client: httpx.Client) -> None:
    photos = (portrait(5), portrait(0), varied(portrait(0)))
    answer = enroll(client, "EMP001", *map(base64_jpeg, photos)).json()
    assert answer["embeddings_created"] == 2
    assert [(warning["index"], warning["reason"]) for warning in answer["warnings"]] == [(0, "different_person")]


def test_photos_of_two_people_are_refused(client: httpx.Client, records: Records) -> None:
    refused = enroll(client, "EMP001", base64_jpeg(portrait(0)), base64_jpeg(portrait(5)))
    assert (refused.status_code, refused.json()["code"]) == (422, "not_one_person")
    assert records.count("employee_faces") == 0


def test_an_id_that_differs_in_case_alone_is_refused_unless_allowed(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(2)))
    refused = enroll(client, "emp001", base64_jpeg(portrait(3)))
    assert (refused.status_code, refused.json()["code"]) == (409, "similar_id")
    assert refused.json()["employee_id"] == "EMP001"
    for _ in range(2):  # once it is there, it is nobody else's
        allowed = enroll(client, "emp001", base64_jpeg(portrait(3)), allow_similar_id=True, allow_duplicate=True)
        assert allowed.status_code == 200, allowed.text
    assert enroll(client, "emp001", base64_jpeg(portrait(3)), allow_duplicate=True).status_code == 200
    assert records.count("employees") == 2


@pytest.mark.parametrize(
    ("employee_id", "name", "code"), [("people", "A", "reserved_id"), ("EMP001", " \u3000", "validation_error")]
)
def test_words_of_the_api_are_no_ids_and_blanks_no_names(
    client: httpx.Client, employee_id: str, name: str, code: str
) -> None:
    refused = enroll(client, employee_id, base64_jpeg(portrait(2)), metadata={"name": name})
    assert (refused.status_code, refused.json()["code"]) == (422, code)


def test_text_is_stored_with_one_form_of_each_letter(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(2)), metadata={"name": " Nguye\u0302\u0303n "})
    assert records.rows("SELECT name FROM employees") == [{"name": "Nguyễn"}]


@pytest.mark.parametrize(("person", "turns"), [(0, 1), (0, 3), (5, 1), (5, 2), (5, 3)])
def test_a_picture_on_its_side_is_recognised_by_a_second_look(client: httpx.Client, person: int, turns: int) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(person)))
    turned = np.ascontiguousarray(np.rot90(portrait(person), turns))
    answer = recognize(client, base64_jpeg(turned)).json()
    assert answer["employee_id"] == "EMP001"
    assert "image_rotated" in answer["warnings"]
    place = answer["face_location"]
    height, width = turned.shape[:2]
    assert 0 <= place["x"] < place["x"] + place["width"] <= width
    assert 0 <= place["y"] < place["y"] + place["height"] <= height
    upright = recognize(client, base64_jpeg(portrait(person)), camera_id="other").json()
    assert "image_rotated" not in upright.get("warnings", [])


def test_is_alive_is_null_where_nobody_asked(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    for picture in (astronaut(), coffee()):
        answer = recognize(client, base64_jpeg(picture), check_liveness=False).json()
        assert answer["is_alive"] is None


def test_a_face_of_somebody_else_is_refused_and_twins_are_allowed(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(2)))
    refused = enroll(client, "EMP002", base64_jpeg(varied(portrait(2))))
    assert refused.status_code == 409
    assert refused.json()["code"] == "duplicate_identity"
    assert refused.json()["employee_id"] == "EMP001"
    assert records.count("employee_faces") == 1

    allowed = enroll(client, "EMP002", base64_jpeg(varied(portrait(2))), allow_duplicate=True)
    assert allowed.status_code == 200
    [entry] = records.rows("SELECT details FROM audit_log WHERE action = 'face.enroll' AND subject = 'EMP002'")
    assert entry["details"]["duplicate_of"] == "EMP001"


def test_another_face_is_not_added_to_a_person_unless_asked_for(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(2)))
    refused = enroll(client, "EMP001", base64_jpeg(portrait(4)))
    assert refused.status_code == 409
    assert refused.json()["code"] == "face_mismatch"
    assert refused.json()["confidence"] < 0.7
    assert records.count("face_templates") == 1
    assert enroll(client, "EMP001", base64_jpeg(varied(portrait(2)))).status_code == 200

    allowed = enroll(client, "EMP001", base64_jpeg(portrait(4)), allow_mismatch=True)
    assert allowed.status_code == 200
    entries = records.rows("SELECT details FROM audit_log WHERE action = 'face.enroll' ORDER BY id")
    assert ["mismatch" in entry["details"] for entry in entries] == [False, False, True]


def test_replacing_swaps_the_templates(client: httpx.Client, records: Records) -> None:
    first = enroll(client, "EMP001", base64_jpeg(portrait(3)), base64_jpeg(varied(portrait(3)))).json()
    second = enroll(client, "EMP001", base64_jpeg(portrait(3)), replace_existing=True).json()
    listed = client.get(f"{API}/embedding/EMP001").json()
    assert [e["vector_id"] for e in listed["embeddings"]] == second["vector_ids"]
    assert records.count("face_templates") == 1
    records.wait_until(lambda: set(records.vectors()) == set(second["vector_ids"]))
    assert not set(first["vector_ids"]) & set(records.vectors())
    assert enroll(client, "EMP001", base64_jpeg(portrait(4)), replace_existing=True).status_code == 200
    entries = records.rows("SELECT details FROM audit_log WHERE action = 'face.enroll' ORDER BY id")
    assert ["replaced" in entry["details"] for entry in entries] == [False, True, True]


def test_adding_stops_at_the_limit(client: httpx.Client) -> None:
    photos = [base64_jpeg(varied(portrait(5), angle_deg=a)) for a in range(-4, 6)]
    assert enroll(client, "EMP001", *photos).json()["embeddings_created"] == 10
    assert enroll(client, "EMP001", *photos).json()["embeddings_created"] == 10
    refused = enroll(client, "EMP001", photos[0])
    assert refused.status_code == 409
    assert refused.json()["code"] == "too_many_templates"


def test_templates_are_listed_without_vectors(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(1)))
    answer = client.get(f"{API}/embedding/EMP001").json()
    assert answer["total_count"] == 1
    assert answer["embeddings"][0].keys() == {"vector_id", "created_at", "quality_score", "image_angle"}
    assert answer["embeddings"][0]["image_angle"] in ("frontal", "left", "right")


def test_erasing_leaves_nothing_but_the_audit(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(1)), base64_jpeg(varied(portrait(1))))
    recognize(client, base64_jpeg(portrait(1)))
    answer = client.delete(f"{API}/EMP001")
    assert answer.json() == {"success": True, "employee_id": "EMP001", "embeddings_deleted": 2}
    for table in ("employee_faces", "face_templates", "attendance_marks", "employees"):
        assert records.count(table) == 0
    records.wait_until(lambda: records.vectors() == [])
    assert recognize(client, base64_jpeg(portrait(1))).json()["error"] == "face_not_found"
    assert records.rows("SELECT actor FROM audit_log WHERE action = 'face.delete'")[0]["actor"] == "local"


@pytest.mark.parametrize("path", ["/embedding/NOBODY", "/NOBODY"])
def test_who_is_not_enrolled_is_404(client: httpx.Client, path: str) -> None:
    method = "GET" if path.startswith("/embedding") else "DELETE"
    answer = client.request(method, f"{API}{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "face_not_enrolled"


def test_verification_compares_with_one_person(client: httpx.Client) -> None:
    enroll(client, "EMP001", base64_jpeg(portrait(0)))
    enroll(client, "EMP002", base64_jpeg(portrait(1)))
    probe = base64_jpeg(varied(portrait(0)))

    def verify(employee_id: str) -> dict[str, Any]:
        body = {"image": probe, "employee_id": employee_id, "check_liveness": False}
        answer: dict[str, Any] = client.post(f"{API}/verify", json=body).json()
        return answer

    assert verify("EMP001")["verified"] is True
    other = verify("EMP002")
    assert other["verified"] is False
    assert other["error"] == "face_not_found"
    assert verify("EMP404")["code"] == "face_not_enrolled"


def test_identification_names_every_face_of_a_frame(client: httpx.Client, records: Records) -> None:
    for person in (0, 2, 5):
        enroll(client, f"EMP{person}", base64_jpeg(portrait(person)))
    answer = client.post(f"{API}/identify", json={"image": base64_jpeg(group())}).json()
    assert answer["count"] == 6
    by_x = sorted(answer["faces"], key=lambda face: face["face_location"]["x"])
    assert [face["employee_id"] for face in by_x] == ["EMP0", None, "EMP2", None, None, "EMP5"]
    assert records.count("event_outbox", "event_type = 'attendance.events'") == 0


def test_identification_of_an_empty_frame_is_an_empty_list(client: httpx.Client) -> None:
    answer = client.post(f"{API}/identify", json={"image": base64_jpeg(coffee())}).json()
    assert answer["faces"] == []


# Attendance


def test_attendance_is_written_once_per_camera_and_window(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    first = recognize(client, base64_jpeg(astronaut()), camera_id="door").json()
    again = recognize(client, base64_jpeg(varied(astronaut())), camera_id="door").json()
    elsewhere = recognize(client, base64_jpeg(astronaut()), camera_id="yard").json()
    assert first["event_id"] != elsewhere["event_id"]
    assert "event_id" not in again
    assert again["warnings"] == ["attendance_debounced"]
    events = records.events("attendance.events")
    assert [event["camera_id"] for event in events] == ["door", "yard"]
    assert events[0]["event_id"] == first["event_id"]


def test_the_attendance_event_has_the_fields_of_the_spec_and_ours(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    recognize(client, base64_jpeg(astronaut()), timestamp="2025-01-17T08:30:00", camera_id="door")
    [event] = records.events("attendance.events")
    assert event["employee_id"] == "EMP001"
    assert event["action"] == "check_in"
    assert event["timestamp"] == "2025-01-17T01:30:00.000Z"  # no zone: the hotel's, seven hours ahead
    assert event["liveness_checked"] is False
    assert event["schema_version"] == 1
    assert event["received_at"].endswith("Z")


def at(hours_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat()


def test_check_ins_kept_offline_count_by_their_own_moment_in_any_order(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    kept = [at(33), at(9), at(24), at(33), at(9), at(24)]
    answers = [recognize(client, base64_jpeg(astronaut()), camera_id="gate", timestamp=moment) for moment in kept]
    written = [answer.json().get("event_id") for answer in answers]
    assert None not in written[:3]
    assert written[3:] == [None] * 3
    assert [answer.json()["warnings"] for answer in answers[3:]] == [["attendance_debounced"]] * 3
    assert [event["event_id"] for event in records.events("attendance.events")] == written[:3]
    audit = records.rows("SELECT details FROM audit_log WHERE action = 'face.recognize' ORDER BY id")
    assert [row["details"]["taken_at"][:19] for row in audit] == [moment[:19] for moment in kept]


@pytest.mark.parametrize("hours_ago", [24 * 7 + 1, -0.1])
def test_a_moment_that_cannot_be_right_is_replaced_by_the_clock(
    client: httpx.Client, records: Records, hours_ago: float
) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    assert "event_id" in recognize(client, base64_jpeg(astronaut()), camera_id="gate").json()
    skewed = recognize(client, base64_jpeg(astronaut()), camera_id="gate", timestamp=at(hours_ago)).json()
    assert skewed["warnings"] == ["clock_skew", "attendance_debounced"]
    elsewhere = recognize(client, base64_jpeg(astronaut()), camera_id="yard", timestamp=at(hours_ago)).json()
    assert elsewhere["warnings"] == ["clock_skew"]
    assert elsewhere["event_id"] == records.events("attendance.events")[-1]["event_id"]


def test_a_database_clock_that_was_set_back_swallows_no_attendance(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    recognize(client, base64_jpeg(astronaut()), camera_id="gate")
    records.rows("UPDATE attendance_marks SET marked_at = NOW() + INTERVAL '1 hour'")
    assert "event_id" in recognize(client, base64_jpeg(astronaut()), camera_id="gate").json()


def test_a_row_of_marks_stays_short(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    recognize(client, base64_jpeg(astronaut()), camera_id="gate", timestamp=at(1))
    records.rows("UPDATE attendance_marks SET earlier = array_fill(NOW() - INTERVAL '2 days', ARRAY[300])")
    for hours_ago in (2, 3):
        assert (
            "event_id" in recognize(client, base64_jpeg(astronaut()), camera_id="gate", timestamp=at(hours_ago)).json()
        )
    [row] = records.rows("SELECT earlier FROM attendance_marks")
    assert len(row["earlier"]) == 255
    assert [round((datetime.now(UTC) - moment) / timedelta(hours=1)) for moment in row["earlier"][-2:]] == [1, 2]


def test_two_requests_at_once_write_one_event(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    answers = records.at_once(8, lambda: recognize(client, base64_jpeg(astronaut()), camera_id="door").json())
    assert sum("event_id" in answer for answer in answers) == 1
    assert len(records.events("attendance.events")) == 1


def test_enrolment_and_erasure_are_told(client: httpx.Client, records: Records) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    client.delete(f"{API}/EMP001")
    assert records.events("face.enrolled")[0]["embeddings_created"] == 1
    assert records.events("face.deleted")[0]["embeddings_deleted"] == 1


def test_two_enrolments_of_one_id_at_once_both_count(client: httpx.Client, records: Records) -> None:
    answers = records.at_once(4, lambda: enroll(client, "EMP001", base64_jpeg(portrait(1))))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert records.count("employee_faces") == records.count("face_templates") == len(records.vectors()) == 4


def test_one_face_under_two_ids_at_once_is_enrolled_once(client: httpx.Client, records: Records) -> None:
    ids = iter(["EMP001", "EMP002", "EMP003", "EMP004"])
    answers = records.at_once(4, lambda: enroll(client, next(ids), base64_jpeg(portrait(2))))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert records.count("employee_faces") == 1
    records.wait_until(lambda: len(records.vectors()) == 1)  # those of the refused are removed


# Encodings and bad input


def test_multipart_works_on_the_same_path(client: httpx.Client) -> None:
    enrolled = client.post(
        f"{API}/enroll",
        data={"employee_id": "EMP001", "metadata": '{"name": "A"}'},
        files=[("images", jpeg(astronaut())), ("images", jpeg(varied(astronaut())))],
    )
    assert enrolled.json()["embeddings_created"] == 2
    answer = client.post(
        f"{API}/recognize",
        data={"camera_id": "door", "check_liveness": "false"},
        files={"image": ("a.jpg", jpeg(astronaut()), "image/jpeg")},
    )
    assert answer.json()["employee_id"] == "EMP001"


def _png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def _saved(kind: str, image: PillowImage.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _encoded(extension: str, image: np.ndarray) -> bytes:
    ok, data = cv2.imencode(extension, image)
    assert ok
    return data.tobytes()


def _rgb() -> PillowImage.Image:
    return PillowImage.fromarray(np.ascontiguousarray(astronaut()[:, :, ::-1]))


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("empty", lambda: b"", 422, "empty_image"),
        ("cut", lambda: jpeg(astronaut())[:3000], 422, "damaged_image"),
        ("svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "unsupported_image"),
        ("bomb", lambda: _png(20_000, 20_000), 413, "too_many_pixels"),
        ("text", lambda: b"not a picture", 422, "unsupported_image"),
    ],
)
def test_a_bad_picture_is_a_clear_refusal(client: httpx.Client, name: str, data: Any, status: int, code: str) -> None:
    answer = recognize(client, base64.b64encode(data()).decode())
    assert (answer.status_code, answer.json()["code"]) == (status, code), name


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("png", lambda: _saved("PNG", _rgb())),
        ("webp", lambda: _saved("WEBP", _rgb(), quality=95)),
        ("gif", lambda: _saved("GIF", _rgb(), save_all=True, append_images=[_rgb()])),
        ("16 bit", lambda: _encoded(".png", astronaut().astype(np.uint16) * 257)),
        ("cmyk", lambda: _saved("JPEG", _rgb().convert("CMYK"), quality=95)),
        ("rotated", lambda: _saved("JPEG", _rgb().transpose(PillowImage.Transpose.ROTATE_90), exif=_orientation(6))),
    ],
)
def test_every_encoding_of_a_face_is_recognised(client: httpx.Client, name: str, data: Any) -> None:
    enroll(client, "EMP001", base64_jpeg(astronaut()))
    answer = recognize(client, base64.b64encode(data()).decode()).json()
    assert answer.get("employee_id") == "EMP001", name


def _orientation(value: int) -> PillowImage.Exif:
    exif = PillowImage.Exif()
    exif[0x0112] = value
    return exif


def test_one_pixel_has_no_face(client: httpx.Client) -> None:
    answer = recognize(client, base64.b64encode(_saved("PNG", PillowImage.new("RGB", (1, 1)))).decode())
    assert answer.json()["error"] == "no_face_detected"


def test_a_30_mb_body_is_refused(client: httpx.Client) -> None:
    answer = recognize(client, "A" * 30_000_000)
    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


@pytest.mark.parametrize("employee_id", ["E'--", 'E" or ""=="', "Nguyễn", "", "E" * 21, "a/b", "..", "E\u0000"])
def test_strange_ids_are_refused(client: httpx.Client, employee_id: str) -> None:
    answer = enroll(client, employee_id, base64_jpeg(astronaut()))
    assert answer.status_code == 422
    assert answer.json()["code"] == "validation_error"


@pytest.mark.parametrize("path", ["/embedding/E'--", "/embedding/%22or%22", "/embedding/Nguy%E1%BB%85n"])
def test_strange_ids_in_paths_are_refused(client: httpx.Client, path: str) -> None:
    assert client.get(f"{API}{path}").status_code == 422


@pytest.mark.parametrize("count", [0, 11])
def test_the_number_of_pictures_is_bounded(client: httpx.Client, count: int) -> None:
    assert enroll(client, "EMP001", *["AAAA"] * count).status_code == 422


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        ("yesterday", "validation_error"),
        ("2025-13-01T00:00:00Z", "validation_error"),
        ("NaN", "validation_error"),
        ({}, "validation_error"),
        ("0001-01-01T00:00:00", "invalid_moment"),  # in the hotel's zone: in UTC that is before all time
        ("9999-12-31T23:59:59-07:00", "invalid_moment"),
    ],
)
def test_a_wrong_timestamp_is_refused(client: httpx.Client, timestamp: object, code: str) -> None:
    answer = recognize(client, base64_jpeg(astronaut()), timestamp=timestamp)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_not_a_number_is_refused(client: httpx.Client) -> None:
    body = '{"image": "%s", "camera_id": "door", "timestamp": NaN}' % base64_jpeg(astronaut())  # noqa: UP031
    answer = client.post(f"{API}/recognize", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_error")


@pytest.mark.parametrize("missing", ["image", "camera_id"])
def test_a_missing_field_is_named(client: httpx.Client, missing: str) -> None:
    body = {"image": base64_jpeg(astronaut()), "camera_id": "door"}
    answer = client.post(f"{API}/recognize", json={name: body[name] for name in body if name != missing})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.{missing}"]
