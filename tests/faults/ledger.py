"""What the service promised during the campaign, held against what is really there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.integration.records import Records


@dataclass
class Ledger:
    """Every write that was answered with success. Filled by many threads: each of its calls is one step."""

    check_ins: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """By person and camera, the event that was answered; None where a repeated request was told that it is there."""
    enrolled: dict[str, Sequence[str]] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    room_versions: dict[str, int] = field(default_factory=dict)
    stale_rooms: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def writes(self) -> int:
        """How many there are."""
        with self.lock:
            rooms = sum(self.room_versions.values())
            return len(self.check_ins) + len(self.enrolled) + len(self.erased) + len(self.pictures) + rooms

    def lost(self, records: Records) -> list[str]:
        """What was promised and is not there, or was erased and is."""
        rows = records.rows("SELECT employee_id, vector_id FROM employee_faces WHERE is_active")
        vectors = {row["vector_id"] for row in rows}
        people = {row["employee_id"] for row in rows}
        pictures = {row["id"] for row in records.rows("SELECT id FROM image_metadata WHERE NOT is_deleted")}
        events = {str(row["id"]) for row in records.rows("SELECT event_id::text AS id FROM event_outbox")}
        marks = {(row["e"], row["c"]) for row in records.rows(
            "SELECT payload->>'employee_id' AS e, payload->>'camera_id' AS c FROM event_outbox "
            "WHERE event_type = 'attendance.events'"
        )}  # fmt: skip
        versions = {
            row["room_number"]: row["version"] for row in records.rows("SELECT room_number, version FROM room_states")
        }
        with self.lock:
            kept = {who: ids for who, ids in self.enrolled.items() if who not in self.erased}
            return [
                *(f"enrolment of {who}" for who, ids in kept.items() if not set(ids) <= vectors),
                *(f"erasure of {who}" for who in self.erased & people),
                *(f"picture {image_id}" for image_id in self.pictures - pictures),
                *(f"check-in {key}" for key in self.check_ins.keys() - marks),
                *(f"event {event}" for event in set(self.check_ins.values()) - {None} - events),
                *(f"room {room}" for room, n in self.room_versions.items() if versions.get(room, 0) < n),
            ]


class Arrivals:
    """What a consumer of the broker has received, by event id. Filled on the consumer's thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deliveries: Counter[str] = Counter()
        self._events: dict[str, dict[str, Any]] = {}

    def note(self, event: dict[str, Any]) -> None:
        with self._lock:
            self._deliveries[event["event_id"]] += 1
            self._events[event["event_id"]] = event

    @property
    def ids(self) -> set[str]:
        with self._lock:
            return set(self._events)

    @property
    def redelivered(self) -> int:
        """Deliveries beyond the first: the same id again, which consumers drop."""
        with self._lock:
            return sum(self._deliveries.values()) - len(self._deliveries)

    def doubled(self) -> list[tuple[str, str]]:
        """Check-ins with two events: each had a camera of its own, which makes one event due."""
        with self._lock:
            of = Counter(
                (event["employee_id"], event["camera_id"])
                for event in self._events.values()
                if event["type"] == "attendance.events"
            )
        return [key for key, count in of.items() if count > 1]
