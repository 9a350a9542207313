"""Mixed load on both replicas: an open loop of requests, each of which notes what it was promised."""

from __future__ import annotations

import itertools
import queue
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx
import numpy as np

from tests.faults.ledger import Ledger
from tests.integration.test_api_face import enroll, recognize
from tests.photos import astronaut, base64_jpeg, cat, coffee, portrait, varied

RATE_PER_S = 12.0
_WORKERS = 24
_BACKLOG = 48  # more that wait would only measure the load generator
_TRIES = 40
_PAUSE_S = 0.5
_ROOMS = ("301", "302", "303", "304")
FACING = (0, 1, 2, 3, 5)

Answer = httpx.Response | None


class Load:
    """Clients of the replicas.

    Args:
        clients: one of each replica. ``targets`` are those that get requests now.
    """

    doors = sys.maxsize  # each check-in has its own, and so is an attendance
    erased_every = 2

    def __init__(self, clients: Sequence[httpx.Client], ledger: Ledger) -> None:
        self.targets = list(clients)
        self.answers: Counter[str] = Counter()
        self.unexpected: list[str] = []
        self.recent: dict[str, float] = {}
        self._ledger = ledger
        self._numbers = itertools.count()
        self._random = random.Random(7)  # the mix of requests, the same each time
        self._photo = base64_jpeg(astronaut())
        self._faces = [base64_jpeg(portrait(person)) for person in FACING]
        self._stop = threading.Event()
        # SimpleQueue's wait can last for ever in Python 3.11: where another takes the item as the time runs out.
        self._due: queue.Queue[Callable[[], object]] = queue.Queue()
        self._rooms = {room: threading.Lock() for room in _ROOMS}
        self._mix: list[tuple[Callable[[], object], float]] = [
            (self._check_in, 30),
            (self._look_at_room, 26),
            (self._correct_room, 12),
            (self._look_at_person, 10),
            (self._enrol_and_erase, 6),
            (self._index, 6),
            (self._list_pictures, 10),
        ]

        self._operations = {
            "recognize": self._check_in,
            "room": self._look_at_room,
            "correct": self._correct_room,
            "person": self._look_at_person,
            "enroll": self._enrol_and_erase,
            "erase": self._enrol_and_erase,
            "index": self._index,
            "pictures": self._list_pictures,
        }

    def prepare(self) -> None:
        """Enrol the person who checks in all the time, and give the rooms a state."""
        for _ in _ROOMS:
            self._correct_room()
        assert enroll(self.targets[0], "STAFF", self._photo).status_code == 200

    @contextmanager
    def running(self) -> Iterator[None]:
        """A time in which requests are sent."""
        self._stop.clear()
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_WORKERS)]
        threads.append(threading.Thread(target=self._pace, daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)
            frames = sys._current_frames()
            stuck = ["".join(traceback.format_stack(frames[t.ident], 6)) for t in threads if t.ident in frames]
            assert not stuck, f"{len(stuck)} have not ended for a minute, the first at\n{stuck[0]}"

    def _pace(self) -> None:
        operations, weights = zip(*self._mix, strict=True)
        while not self._stop.wait(self._random.expovariate(RATE_PER_S)):
            if self._due.qsize() < _BACKLOG:
                self._due.put(self._random.choices(operations, weights)[0])
            else:
                self.answers["not sent"] += 1

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                operation = self._due.get(timeout=0.2)
            except queue.Empty:
                continue
            operation()

    def _ask(self, operation: str, request: Callable[[httpx.Client], httpx.Response]) -> Answer:
        """One request to one of the targets; None where it was not answered with success."""
        client = self._random.choice(self.targets)
        try:
            answer = request(client)
        except httpx.HTTPError as error:
            # A replica that was frozen or killed answers nothing; from one that runs that would be a fault.
            self._note("no answer", client, f"{operation}: {type(error).__name__}")
            return None
        status = answer.status_code
        self._note(str(status), client, f"{operation}: {answer.text[:300]}")
        if status != 200:
            return None
        self.recent[operation] = time.monotonic()
        return answer

    def _note(self, outcome: str, client: httpx.Client, text: str) -> None:
        with self._ledger.lock:
            self.answers[outcome] += 1
            if outcome not in ("200", "503", "504", "429") and client in self.targets:
                self.unexpected.append(f"{outcome} {text}")

    def _until_answered(self, operation: str, request: Callable[[httpx.Client], httpx.Response]) -> Answer:
        for _ in range(_TRIES):
            if (answer := self._ask(operation, request)) is not None:
                return answer
            if self._stop.wait(_PAUSE_S):
                return None
        return None

    def _check_in(self) -> None:
        camera_id = f"door_{next(self._numbers) % self.doors}"
        answer = self._until_answered("recognize", lambda client: recognize(client, self._photo, camera_id=camera_id))
        if answer is None:
            return
        told = answer.json()
        if told.get("employee_id") != "STAFF":
            with self._ledger.lock:
                self.unexpected.append(f"recognize: {told}")
            return
        with self._ledger.lock:
            self._ledger.check_ins["STAFF", camera_id] = told.get("event_id")

    def _enrol_and_erase(self) -> None:
        number = next(self._numbers)
        employee_id, face = f"T{number}", self._faces[number % len(FACING)]
        answer = self._ask("enroll", lambda client: enroll(client, employee_id, face, allow_duplicate=True))
        if answer is None:
            return
        with self._ledger.lock:
            self._ledger.enrolled[employee_id] = answer.json()["vector_ids"]
        if number % self.erased_every == 0 and self._ask(
            "erase", lambda client: client.delete(f"/api/v1/cv/face/{employee_id}")
        ):
            with self._ledger.lock:
                self._ledger.erased.add(employee_id)

    def _index(self) -> str | None:
        """A new picture's id."""
        number = next(self._numbers)
        picture = varied(self._random.choice((coffee, cat))())
        # The same picture sent again is known and stores nothing.
        picture[:32, :32] = np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)
        body = {
            "image": base64_jpeg(picture),
            "metadata": {"category": "lost_found", "description": f"found {number}"},
        }
        answer = self._ask("index", lambda client: client.post("/api/v1/cv/image/index", json=body))
        if answer is None:
            return None
        image_id: str = answer.json()["image_id"]
        with self._ledger.lock:
            self._ledger.pictures.add(image_id)
        return image_id

    def _correct_room(self) -> None:
        room = self._random.choice(_ROOMS)
        body = {"status": self._random.choice(("clean", "dirty", "maintenance"))}
        with self._rooms[room]:  # one after the other, so that the newest answer is the state
            answer = self._ask("correct", lambda client: client.post(f"/api/v1/cv/room/{room}/feedback", json=body))
            if answer is not None:
                with self._ledger.lock:
                    self._ledger.room_versions[room] = self._ledger.room_versions.get(room, 0) + 1
                self._hold_against(room, body["status"])

    def _hold_against(self, room: str, status: str) -> None:
        """Each replica has to show the state that was just acknowledged."""
        for client in list(self.targets):
            try:
                answer = client.get(f"/api/v1/cv/room/status/{room}")
            except httpx.HTTPError:
                continue
            if answer.status_code == 200 and answer.json()["status"] != status:
                with self._ledger.lock:
                    self._ledger.stale_rooms.append(f"{room}: {answer.json()['status']} for {status}")

    def _look_at_room(self) -> None:
        room = self._random.choice(sorted(self._ledger.room_versions) or ["none"])
        if room != "none":
            self._ask("room", lambda client: client.get(f"/api/v1/cv/room/status/{room}"))

    def _look_at_person(self) -> None:
        self._ask("person", lambda client: client.get("/api/v1/cv/face/embedding/STAFF"))

    def _list_pictures(self) -> None:
        self._ask("pictures", lambda client: client.get("/api/v1/cv/image", params={"limit": 5}))

    def everything_works_since(self, moment: float) -> bool:
        """Whether each kind of request has been answered with success since then."""
        return not self._missing_since(moment)

    def do_what_has_not_worked_since(self, moment: float) -> None:
        """Send a request of each such kind, beside those of the mix: how soon it works is then no matter of chance."""
        for operation in self._missing_since(moment):
            self._operations[operation]()

    def _missing_since(self, moment: float) -> list[str]:
        return [operation for operation in self._operations if self.recent.get(operation, 0.0) <= moment]


class PassingLoad(Load):
    """The same requests in the same mix, but nothing stays: what grows under it is no data.

    Attendance is written once per door and window, whoever is enrolled is erased, and whatever is indexed is deleted.
    """

    doors = 8
    erased_every = 1

    def _index(self) -> str | None:
        image_id = super()._index()
        if image_id and self._ask("delete", lambda client: client.delete(f"/api/v1/cv/image/{image_id}")) is not None:
            with self._ledger.lock:
                self._ledger.pictures.discard(image_id)
        return image_id
