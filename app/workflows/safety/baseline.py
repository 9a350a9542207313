"""Each camera's baseline: what always looks like a hazard there, learnt from its own hours or told by people.

Only views that look like a hazard by themselves are remembered, which at most cameras are few. One counts as usual once
it was seen often enough and long enough ago, at the hours of the day in which it was seen. No fire looks the same for
hours. Water may: its incident was raised when it came, and is over when the camera has got used to it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from app.core.anomalies import BURNING, AnomalyType, Examination, Suspect
from app.core.usual_scene import SAME_LOOK, UsualPlace, UsualScene, pack_row, unpack_row
from app.errors import BackendUnavailable
from app.services.database import Database
from app.services.stores import false_alarm_store, usual_place_store
from app.services.stores.audit import add_audit_entry
from app.services.stores.false_alarm_store import FalseAlarm
from app.services.stores.usual_place_store import UsualPlaceRecord
from app.types import FloatArray
from app.utils import clock, metrics

__all__ = ["MOST_FALSE_ALARMS", "Baseline", "CameraBaselines", "FalseAlarm", "UsualPlaceRecord"]

MOST_FALSE_ALARMS = 100
_MOST_LEARNT = 64
_MIN_SAMPLES = 10
_LEARN_EVERY = timedelta(minutes=1)
# What another replica or a person changed holds here after this time.
_READ_EVERY = timedelta(seconds=15)
_MOST_CAMERAS = 256
_DAY_HOURS = 24
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of a camera. ``counting``: ids of the learnt places that hold something back now."""

    learnt: list[UsualPlaceRecord]
    counting: frozenset[int]
    false_alarms: list[FalseAlarm]


@dataclass(frozen=True, slots=True)
class _Known:
    record: UsualPlaceRecord
    row: FloatArray

    @property
    def types(self) -> frozenset[AnomalyType] | None:
        kind = self.record.anomaly_type
        return None if kind is None else kinds_like(AnomalyType(kind))


class CameraBaselines:
    """Baselines over PostgreSQL, so that every replica has the same.

    Args:
        views_id: of the detector whose views are compared.
        zone: whose hours count.
        learn_for: how long ago a place must have been seen first; zero learns nothing.
    """

    def __init__(self, database: Database, *, views_id: str, zone: ZoneInfo, learn_for: timedelta) -> None:
        self._database = database
        self._views_id = views_id
        self._zone = zone
        self._learn_for = learn_for
        self._read: OrderedDict[str, tuple[datetime, list[_Known]]] = OrderedDict()
        self._learnt_at: OrderedDict[str, datetime] = OrderedDict()

    async def usual_of(self, camera_id: str, moment: datetime) -> UsualScene | None:
        """What is usual at a camera at that moment; None where nothing is. While the database is away, as it was."""
        places = [
            UsualPlace(known.record.view, known.row, known.types)
            for known in await self._known(camera_id)
            if self._counts(known.record, moment)
        ]
        return UsualScene(places) if places else None

    async def learn(self, camera_id: str, seen: Examination, moment: datetime) -> None:
        """Remember what looked like a hazard at a registered camera, once a minute; that can wait for the database."""
        for kind in seen.held_back:
            metrics.held_back_total.labels(kind.value).inc()
        suspects, last = seen.suspects, self._learnt_at.get(camera_id)
        if not suspects or not self._learn_for or (last is not None and moment - last < _LEARN_EVERY):
            return
        _keep(self._learnt_at, camera_id, moment)
        try:
            await self._remember(camera_id, suspects, moment)
        except BackendUnavailable:
            return

    async def of(self, camera_id: str) -> Baseline:
        """What is known of a camera, for people."""
        async with self._database.connection() as connection:
            records = await usual_place_store.places_of(connection, camera_id, views_id=self._views_id)
            false_alarms = await false_alarm_store.false_alarms_of(connection, camera_id, limit=MOST_FALSE_ALARMS)
        learnt = [record for record in records if record.incident_id is None]
        now = clock.now()
        counting = frozenset(record.id for record in learnt if self._counts(record, now))
        return Baseline(learnt, counting, false_alarms)

    async def forget(self, camera_id: str, *, actor: str) -> int:
        """Forget what a camera learnt, as when it hangs elsewhere now; false alarms stay. How much that was."""
        async with self._database.transaction() as connection:
            forgotten = await usual_place_store.drop_learnt(connection, camera_id)
            await add_audit_entry(connection, "camera.forget_baseline", subject=camera_id, actor=actor)
        self.read_again(camera_id)
        return forgotten

    def read_again(self, camera_id: str) -> None:
        """Something was changed: look at the record before the next frame."""
        self._read.pop(camera_id, None)

    def _counts(self, record: UsualPlaceRecord, moment: datetime) -> bool:
        if record.incident_id is not None:
            return True
        hour = moment.astimezone(self._zone).hour
        near = (1 << hour) | (1 << (hour - 1) % _DAY_HOURS) | (1 << (hour + 1) % _DAY_HOURS)
        is_old = moment - record.first_seen_at >= self._learn_for
        return is_old and record.samples >= _MIN_SAMPLES and bool(record.hours & near)

    async def _known(self, camera_id: str) -> list[_Known]:
        now = clock.now()
        read_at, known = self._read.get(camera_id, (None, []))
        if read_at is not None and now - read_at < _READ_EVERY:
            return known
        try:
            async with self._database.connection() as connection:
                records = await usual_place_store.places_of(connection, camera_id, views_id=self._views_id)
        except BackendUnavailable:
            return known
        known = [_Known(record, unpack_row(record.look)) for record in records]
        _keep(self._read, camera_id, (now, known))
        return known

    async def _remember(self, camera_id: str, suspects: Sequence[Suspect], moment: datetime) -> None:
        hour = moment.astimezone(self._zone).hour
        async with self._database.transaction() as connection:
            if not await usual_place_store.lock_places(connection, camera_id):
                return
            records = await usual_place_store.places_of(connection, camera_id, views_id=self._views_id)
            learnt = [_Known(record, unpack_row(record.look)) for record in records if record.incident_id is None]
            again = {suspect.view: _same_place(suspect, learnt) for suspect in suspects}
            seen = [place for place in again.values() if place is not None]
            await usual_place_store.note_seen(connection, seen, hour=hour, seen_at=moment)
            new = [(one.view, pack_row(one.row)) for one in suspects if again[one.view] is None]
            await usual_place_store.insert_places(
                connection, camera_id, new, views_id=self._views_id, hours=1 << hour, seen_at=moment
            )
            await usual_place_store.drop_surplus(connection, camera_id, views_id=self._views_id, keep=_MOST_LEARNT)
        self.read_again(camera_id)


def kinds_like(kind: AnomalyType) -> frozenset[AnomalyType]:
    """The hazards that one head answers for."""
    return BURNING if kind in BURNING else frozenset({kind})


def _same_place(suspect: Suspect, known: Sequence[_Known]) -> int | None:
    alike = [(float(one.row @ suspect.row), one.record.id) for one in known if one.record.view == suspect.view]
    best = max(alike, default=None)
    return best[1] if best is not None and best[0] >= SAME_LOOK else None


def _keep(memory: OrderedDict[str, _Value], camera_id: str, value: _Value) -> None:
    """Bounded, because ids of cameras also come by request."""
    memory[camera_id] = value
    memory.move_to_end(camera_id)
    if len(memory) > _MOST_CAMERAS:
        memory.popitem(last=False)
