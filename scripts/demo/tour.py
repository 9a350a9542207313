"""The walk through every capability. Each step says what it did and what the service answered."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import httpx

from scripts.demo import pictures

API = "/api/v1/cv"
_WAIT_S = 60.0
_ATTEMPTS, _PAUSE_S = 5, 2.0
_TRY_AGAIN = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT}
_BY = "demo"
_PEOPLE = (("Eileen Collins", "guest relations"), ("Trần Thị Mai", "reception"), ("Nguyễn Văn An", "housekeeping"))

Json: TypeAlias = dict[str, Any]  # as free as JSON


class DemoFailed(Exception):
    """An answer that a demonstration should not get; the message is the problem."""


@dataclass(slots=True)
class Tour:
    """One walk over a service.

    Args:
        client: at the service's address, with a key if it asks for one.
        say: takes what was done, line by line.
        folder: for the video of the camera.
    """

    client: httpx.Client
    say: Callable[[str], None]
    folder: Path
    ids: dict[str, str] = field(default_factory=dict)
    """By the name of a path's parameter: what this walk made and that may be looked at."""

    def walk(self) -> dict[str, str]:
        """Everything, in an order in which each step finds what it needs; ``ids``.

        Raises:
            DemoFailed: the service refused something.
        """
        for step in (
            self.look_around,
            self.enrol_staff,
            self.check_in,
            self.index_finds,
            self.search,
            self.claim,
            self.inspect_rooms,
            self.read_papers,
            self.register_stays,
            self.watch,
            self.inform_others,
        ):
            self.say(f"\n== {step.__name__.replace('_', ' ')}")
            step()
        return self.ids

    def look_around(self) -> None:
        health = self._get("/health")
        self.say(f"service {health['status']}: {', '.join(health['checks'])}")
        models = self._get("/models")
        self.say(f"{len(models['models'])} models of the pack {models['pack']}")

    def enrol_staff(self) -> None:
        faces = [pictures.astronaut(), *pictures.heads()]
        for number, ((name, department), face) in enumerate(zip(_PEOPLE, faces, strict=False), start=1):
            body = self._post(
                "/face/enroll",
                employee_id=f"DEMO{number:03}",
                images=[pictures.text_of(face)],
                metadata={"name": name, "department": department},
                enrolled_by=_BY,
                replace_existing=True,
                allow_duplicate=True,  # the first request of the README enrols one of them
            )
            self.say(f"enrolled {name}: quality {body['average_quality_score']}")
        more = [{"employee_id": f"DEMO{n:03}", "images": [pictures.text_of(faces[n - 1])]} for n in (4, 5)]
        self.ids |= {"employee_id": "DEMO001", "job_id": self._bulk("/face/enroll/bulk", more)}
        self.say(f"enrolled 2 more by a job; {len(self._get('/face/people')['items'])} people are known")

    def check_in(self) -> None:
        face = pictures.text_of(pictures.astronaut())
        seen = self._post("/face/recognize", image=face, camera_id="demo_lobby", check_liveness=True)
        self.say(f"checked in {seen['employee_name']}: confidence {seen['confidence']}, alive {seen['is_alive']}")
        same = self._post("/face/verify", image=face, employee_id="DEMO002")
        self.say(f"is she DEMO002? verified {same['verified']}")
        crowd = self._post("/face/identify", image=pictures.text_of(pictures.group()))
        names = [one["employee_name"] for one in crowd["faces"] if one["employee_name"]]
        self.say(f"{crowd['count']} faces on the photo of a group, known: {', '.join(names) or 'nobody'}")
        session = self._post("/face/liveness/sessions")
        self.ids["session_id"] = session["session_id"]
        self.say(f"a liveness session would ask for {', '.join(one['kind'] for one in session['challenges'])}")

    def index_finds(self) -> None:
        finds = (
            (pictures.cup(), "cup", "coffee cup with a saucer", "Bar"),
            (pictures.cat(), "toy", "ginger cat", "Lobby"),
            (pictures.tinted(pictures.cup(), hue=90), "cup", "blue cup", "Terrace"),
        )
        for picture, item, description, location in finds:
            body = self._post(
                "/image/index",
                image=pictures.text_of(picture),
                metadata={
                    "category": "lost_found",
                    "item_type": item,
                    "description": description,
                    "location": location,
                    "uploaded_by": _BY,
                },
                allow_duplicate=True,
            )
            self.ids.setdefault("image_id", body["image_id"])
            self.say(f"find {body['image_id']}: {description}")
        rooms = [
            {"image": pictures.text_of(pictures.drawn("room.jpg")), "metadata": {"category": "room", "room_number": n}}
            for n in ("201", "202")
        ]
        self._bulk("/image/index/bulk", [{**room, "allow_duplicate": True} for room in rooms])
        self.say("indexed 2 pictures of rooms by a job")

    def search(self) -> None:
        for words in ("a cup of coffee", "con mèo", "blue cup"):
            found = self._post("/image/search", query_text=words, category="lost_found", threshold=0.0, top_k=1)
            self.say(f"{words!r}: {_first(found['results'])}")
        found = self._post("/image/search", query_image=pictures.text_of(pictures.cat()), threshold=0.5, top_k=1)
        self.say(f"by picture: {_first(found['results'])}")

    def claim(self) -> None:
        claims = [
            self._post("/lost-found/claims", description=description, place=place, contact=contact, created_by=_BY)
            for description, place, contact in (
                ("a cup on a saucer, with coffee in it", "Bar", "Anna Eriksson, +46 70 174 06 05"),
                ("black leather wallet", "Lobby", "guest of room 202"),
            )
        ]
        for claim in claims:
            self.say(f"claim {claim['description']!r}: {claim['state']}, {len(claim['suggestions'])} suggestions")
        self.ids["claim_id"] = claims[0]["claim_id"]
        handed = self._post(
            f"/lost-found/claims/{claims[0]['claim_id']}/hand-over",
            image_id=self.ids["image_id"],
            received_by="Anna Eriksson",
            paper_seen="passport",
            handed_over_by=_BY,
        )
        self.say(f"the cup was handed over: the claim is {handed['state']}")

    def inspect_rooms(self) -> None:
        room = pictures.text_of(pictures.drawn("room.jpg"))
        for number in ("201", "202"):
            body = self._post("/room/analyze", image=room, room_number=number, analyzed_by=_BY)
            tags = ", ".join(tag["label"] for tag in body["tags"])
            self.say(f"room {number}: {body['overall_status']} ({tags or 'nothing found'})")
        self.ids["room_number"] = "201"
        self._post("/room/201/feedback", status="clean", ready_for_guest=True, given_by=_BY, note="Seen to it")
        self.say("room 201 was corrected by a person: clean")
        self._post("/room/202/feedback", status="maintenance", given_by=_BY, note="The tap drips")
        defect = self._get("/room/defects", room_number="202")["items"][0]
        self.ids |= {"defect_id": str(defect["defect_id"]), "room_type": "double"}
        self.say(f"room 202 has a defect: {defect['note']}")
        for path in ("/room/201/reference", "/room/types/double/reference"):
            self._read(self.client.put(API + path, json={"images": [room], "set_by": _BY}))
        self.say("the photo says from now on how room 201 and double rooms should look")

    def read_papers(self) -> None:
        invoice = self._post("/ocr/invoice", image=pictures.text_of(pictures.drawn("invoice.webp")), processed_by=_BY)
        self.say(f"invoice of {invoice['vendor']}: {invoice['total_amount']} {invoice['currency']}")
        self.ids["result_id"] = str(invoice["result_id"])
        self._post(f"/ocr/results/{invoice['result_id']}/confirm", confirmed_by=_BY)

    def register_stays(self) -> None:
        today = datetime.now(UTC).date()
        paper = self._post("/ocr/id", image=pictures.text_of(pictures.drawn("id_card.webp")), processed_by=_BY)
        self.say(f"paper ({paper['document_type']}): read {', '.join(paper['fields'])}")
        stay = self._post(
            "/stays",
            result_ids=[paper["public_id"]],
            room_number="201",
            arrival=today.isoformat(),
            departure=(today + timedelta(days=2)).isoformat(),
            address="12 Trần Phú, Đà Nẵng",
            changed_by=_BY,
        )
        self.ids |= {"stay_id": stay["stay_id"], "kind": stay["kind"], "date": today.isoformat()}
        self.say(f"stay in room 201 ({stay['kind']}): complete {stay['complete']}, missing {stay['missing']}")

    def watch(self) -> None:
        frame = pictures.text_of(pictures.drawn("room.jpg"))
        seen = self._post("/anomaly/detect", image=frame, camera_id="demo_frames")
        self.say(f"a frame that somebody sent: {seen['count']} anomalies")
        self._delete("/cameras/demo_camera")
        video = self.folder / "room.mp4"
        pictures.write_video(video)
        camera = {"id": "demo_camera", "name": "Room 201", "tasks": ["anomaly"], "frames_per_second": 2}
        answer = self.client.post(f"{API}/cameras", json={**camera, "kind": "file", "url": video.resolve().as_uri()})
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            self.say("CAMERA_ALLOW_FILES is not true, so this camera is in the network for documentation: no pictures")
            self._post("/cameras", **camera, kind="rtsp", url="rtsp://192.0.2.20/stream")
        else:
            self._read(answer)
            self._wait(lambda: self.client.get(f"{API}/cameras/demo_camera/snapshot").is_success)
            self.say("a camera plays a video, and has a snapshot")
        self.ids["camera_id"] = "demo_camera"
        incident = self._post("/cameras/demo_camera/test-alarm")
        self.ids["incident_id"] = str(incident["id"])
        self._post(f"/anomaly/incidents/{incident['id']}/acknowledge", by=_BY)
        self._post(f"/anomaly/incidents/{incident['id']}/notes", text="This is a test.", by=_BY)
        self.say(f"test alarm {incident['id']}: acknowledged, and a note added")

    def inform_others(self) -> None:
        hook = self._post("/webhooks", url="https://pms.hotel.example/cv-events", enabled=False, description=_BY)
        self.ids["webhook_id"] = hook["id"]
        self._delete("/users/demo")
        self._post("/users", name="demo", password=secrets.token_urlsafe(), roles=["housekeeping"])
        self.ids["name"] = "demo"
        self.say("a person of housekeeping who signs in to the console; nobody was told the password")
        self.say("a webhook (switched off: nobody is there) with a secret of its own")
        types: list[str] = []
        with self.client.stream("GET", f"{API}/events", headers={"Last-Event-ID": "0"}) as events:
            for line in events.iter_lines():
                types += [line.removeprefix("event: ")] if line.startswith("event: ") else []
                if len(types) >= len(_PEOPLE):
                    break
        self.say(f"the first events: {', '.join(types)}")
        body = self._get("/privacy/export", employee_id="DEMO001")
        self.say(f"what is stored about DEMO001: {', '.join(body)}")

    def _bulk(self, path: str, items: Iterable[Json]) -> str:
        lines = "\n".join(map(json.dumps, items))
        answer = self.client.post(API + path, content=lines, headers={"Content-Type": "application/x-ndjson"})
        job: str = self._read(answer)["job_id"]
        self._wait(lambda: self._get(f"/jobs/{job}")["state"] not in ("queued", "running"))
        return job

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + _WAIT_S
        while not done():
            if time.monotonic() > deadline_s:
                raise DemoFailed(f"Something did not happen within {_WAIT_S:.0f} s; see the service's log.")
            time.sleep(0.3)

    def _get(self, path: str, **query: str) -> Json:
        return self._read(self.client.get(API + path, params=query))

    def _post(self, path: str, **body: object) -> Json:
        """A busy machine says that it should be tried again; the key keeps that from taking effect twice."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        for _ in range(_ATTEMPTS):
            answer = self.client.post(API + path, json=body or None, headers=headers)
            if answer.status_code not in _TRY_AGAIN:
                break
            time.sleep(_PAUSE_S)
        return self._read(answer)

    def _delete(self, path: str) -> None:
        answer = self.client.delete(API + path)
        if answer.status_code != httpx.codes.NOT_FOUND:
            self._read(answer)

    @staticmethod
    def _read(answer: httpx.Response) -> Json:
        if not answer.is_success:
            request = answer.request
            raise DemoFailed(f"{request.method} {request.url.path} answered {answer.status_code}: {answer.text[:500]}")
        body: Json = answer.json()
        return body


def _first(results: list[Json]) -> str:
    if not results:
        return "nothing"
    found = results[0]
    return f"{found['metadata']['description'] or found['image_id']} ({found['similarity']})"
