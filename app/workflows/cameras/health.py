"""What the consumers of events hear of a camera itself: it went away, came back, or somebody tampered with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.services.database import Database
from app.services.stores import camera_store
from app.services.stores.outbox import publish_event
from app.utils import clock
from app.workflows.cameras.condition import Condition
from app.workflows.cameras.reader import ReaderState, ReaderStatus

OFFLINE_AFTER = timedelta(seconds=20)
"""A camera that is back sooner, as after a switch restarted it, is no news."""


class HealthKind(StrEnum):
    """The event is ``camera.`` and this."""

    ONLINE = "online"
    OFFLINE = "offline"
    TAMPERED = "tampered"


_OF_CONDITION = {
    Condition.OK: HealthKind.ONLINE,
    Condition.FROZEN: HealthKind.OFFLINE,
    Condition.CORRUPT: HealthKind.OFFLINE,
    Condition.COVERED: HealthKind.TAMPERED,
    Condition.MOVED: HealthKind.TAMPERED,
}


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """``reason``: the stream's fault or the picture's condition; None of a camera that is well."""

    kind: HealthKind
    reason: str | None


def health_of(state: ReaderState, condition: Condition, now: datetime) -> CameraHealth | None:
    """What can be said for sure; None while a stream is being opened, has just failed, or where it is dark.

    Lights that go off are no tampering, and whoever covers a lens with black tape looks the same.
    """
    if state.status is ReaderStatus.STREAMING:
        kind = _OF_CONDITION.get(condition)
        return CameraHealth(kind, None if kind is HealthKind.ONLINE else condition.value) if kind else None
    lasted = now - state.since if state.since else timedelta()
    if state.status is ReaderStatus.FAILING and state.fault is not None and lasted >= OFFLINE_AFTER:
        return CameraHealth(HealthKind.OFFLINE, state.fault.value)
    return None


class HealthReporter:
    """Writes each change of a camera's health once, whichever replica sees it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, camera_id: str, health: CameraHealth, *, epoch: int) -> None:
        """Note the health, and publish the event where it is another than before. A new camera that works is no news.

        Args:
            epoch: of the lease; where another replica holds the camera by now, nothing is written.
        """
        async with self._database.transaction() as connection:
            change = await camera_store.note_health(connection, camera_id, health.kind.value, epoch=epoch)
            if change is None or (change.before is None and health.kind is HealthKind.ONLINE):
                return
            moment = clock.now()
            await publish_event(
                connection,
                f"camera.{health.kind.value}",
                {
                    "camera_id": camera_id,
                    "camera_name": change.name,
                    "reason": health.reason,
                    "timestamp": clock.iso(moment),
                },
                key=camera_id,
                occurred_at=moment,
            )
