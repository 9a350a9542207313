"""Which cameras this replica reads: takes free ones up to its share, keeps them by lease, gives up what it lost."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.errors import BackendUnavailable, Unavailable
from app.services.camera_board import CameraBoard
from app.services.database import Database
from app.services.leases import Leases
from app.services.stores import camera_store
from app.utils import clock, metrics
from app.utils.image_processing import encode_jpeg
from app.utils.logging import logger
from app.workflows.background import repeat
from app.workflows.cameras.condition import Condition
from app.workflows.cameras.health import CameraHealth, HealthReporter
from app.workflows.cameras.people import PeopleCount
from app.workflows.cameras.reader import ReaderStatus
from app.workflows.cameras.registry import CameraRegistry
from app.workflows.cameras.worker import CameraTools, CameraWorker, WorkerState
from app.workflows.safety.incidents import LeaseLost

_STEP_S = 1.0
_PICTURE_INTERVAL_S = 2.0
_PICTURE_QUALITY = 70


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """How a camera is doing, wherever it is read. ``status`` is ``unassigned`` where no replica reads it."""

    status: str
    fault: str | None = None
    message: str | None = None
    since: datetime | None = None
    frames_per_second: float | None = None
    lag_ms: float | None = None
    last_frame_at: datetime | None = None
    frames_judged: int | None = None
    frames_skipped: int | None = None
    people: int | None = None
    people_by_zone: Mapping[str, int] | None = None


UNASSIGNED = CameraStatus("unassigned")


@dataclass(slots=True)
class _Held:
    worker: CameraWorker
    task: asyncio.Task[None]
    reported: CameraHealth | None = None


class CameraSupervisor:
    """Runs the workers of this replica.

    Args:
        capacity: cameras at most; 0 reads none.
    """

    def __init__(
        self,
        *,
        tools: CameraTools,
        registry: CameraRegistry,
        database: Database,
        leases: Leases,
        board: CameraBoard,
        capacity: int,
    ) -> None:
        self._tools = tools
        self._registry = registry
        self._database = database
        self._health = HealthReporter(database)
        self._leases = leases
        self._board = board
        self._capacity = capacity
        self._held: dict[str, _Held] = {}
        self._replicas = 1
        self._pictured_at_s = float("-inf")

    async def run(self) -> None:
        """Until cancelled; then the leases are given back, so that another replica goes on at once."""
        if self._capacity == 0:
            return
        try:
            await repeat("cameras", self.step, pause_s=_STEP_S, pause_after_failure_s=_STEP_S)
        finally:
            await asyncio.shield(self._close())

    async def step(self) -> None:
        """One round: renew, drop, take, report."""
        self._bury_the_dead()
        await self._renew()
        async with self._database.connection() as connection:
            wanted = await camera_store.enabled_versions(connection)
        for camera_id, held in list(self._held.items()):
            if wanted.get(camera_id) != held.worker.version:
                await self._drop(camera_id)
        await self._take_share(list(wanted))
        await self._report_health()
        await self._post()

    async def _renew(self) -> None:
        """Keep the leases. While Redis is away nobody else can take them, so work goes on."""
        try:
            self._replicas = await self._leases.beat()
            lost = await self._leases.renew(list(self._held))
        except BackendUnavailable:
            return
        for camera_id in lost:
            logger.warning("camera_lease_lost", camera=camera_id)
            await self._stop(camera_id)

    async def _take_share(self, wanted: Sequence[str]) -> None:
        share = min(self._capacity, math.ceil(len(wanted) / self._replicas))
        for camera_id in list(self._held)[share:]:
            await self._drop(camera_id)
        room = share - len(self._held)
        if room <= 0:
            return
        free = await self._leases.free([camera_id for camera_id in wanted if camera_id not in self._held])
        for camera_id in free[:room]:
            if await self._leases.take(camera_id):
                await self._begin(camera_id)

    async def _begin(self, camera_id: str) -> None:
        async with self._database.transaction() as connection:
            record = await camera_store.begin_epoch(connection, camera_id)
        if record is None:
            await self._leases.release(camera_id)
            return
        worker = CameraWorker(self._tools, record, lambda: self._registry.source_of(record))
        self._held[camera_id] = _Held(worker, asyncio.create_task(worker.run()))
        logger.info("camera_taken", camera=camera_id)

    async def _drop(self, camera_id: str) -> None:
        """Stop reading and give the lease back."""
        await self._stop(camera_id)
        try:
            await self._leases.release(camera_id)
        except BackendUnavailable:
            return  # it runs out by itself

    async def _stop(self, camera_id: str) -> None:
        held = self._held.pop(camera_id)
        held.task.cancel()
        await asyncio.gather(held.task, return_exceptions=True)
        self._forget(camera_id)

    def _forget(self, camera_id: str) -> None:
        _forget_metrics(camera_id)
        self._tools.drift.forget(camera_id)

    def _bury_the_dead(self) -> None:
        """Workers end by themselves only when their camera is another's, or by a bug; both begin again elsewhere."""
        for camera_id, held in list(self._held.items()):
            if held.task.done():
                error = held.task.exception()
                if not isinstance(error, LeaseLost):
                    logger.opt(exception=error).error("camera_worker_crashed", camera=camera_id)
                del self._held[camera_id]
                self._forget(camera_id)

    async def _close(self) -> None:
        for camera_id in list(self._held):
            await self._drop(camera_id)
        try:
            await self._leases.leave()
        except BackendUnavailable:
            return  # the others notice by themselves

    async def _report_health(self) -> None:
        for camera_id, held in self._held.items():
            health = held.worker.health()
            if health is not None and health != held.reported:
                await self._health.report(camera_id, health, epoch=held.worker.epoch)
                held.reported = health

    async def _post(self) -> None:
        states = {camera_id: held.worker.state() for camera_id, held in self._held.items()}
        metrics.cameras_held.set(len(states))
        for camera_id, state in states.items():
            metrics.camera_up.labels(camera_id).set(state.reader.status is ReaderStatus.STREAMING)
            metrics.camera_fps.labels(camera_id).set(state.frames_per_second)
            for condition in Condition:
                metrics.camera_condition.labels(camera_id, condition.value).set(condition is state.condition)
            _show_people(camera_id, state.people)
        pictures: dict[str, bytes] = {}
        # The others need pictures only if there are others.
        if self._replicas > 1 and time.monotonic() - self._pictured_at_s >= _PICTURE_INTERVAL_S:
            self._pictured_at_s = time.monotonic()
            for camera_id in states:
                if picture := await self._own_picture(camera_id):
                    pictures[camera_id] = picture
        await self._board.post({camera_id: _note(state) for camera_id, state in states.items()}, pictures)

    async def _own_picture(self, camera_id: str) -> bytes | None:
        held = self._held.get(camera_id)
        if held is None or held.worker.last_frame is None:
            return None
        return await asyncio.to_thread(encode_jpeg, held.worker.last_frame.image, quality=_PICTURE_QUALITY)

    async def statuses(self, camera_ids: Sequence[str]) -> dict[str, CameraStatus]:
        """How cameras are doing, those of other replicas too."""
        own = {camera_id: _status(_note(held.worker.state())) for camera_id, held in self._held.items()}
        notes = await self._board.states([camera_id for camera_id in camera_ids if camera_id not in own])
        others = {camera_id: _status(note) for camera_id, note in notes.items()}
        return {camera_id: own.get(camera_id) or others.get(camera_id, UNASSIGNED) for camera_id in camera_ids}

    async def snapshot(self, camera_id: str) -> bytes:
        """The last frame as JPEG.

        Raises:
            Unavailable: there is none: the camera gives no pictures, or nobody reads it.
        """
        picture = await self._own_picture(camera_id) or await self._board.picture(camera_id)
        if picture is None:
            raise Unavailable("There is no picture of this camera now; its state says why.", code="camera_no_picture")
        return picture


def _note(state: WorkerState) -> dict[str, object]:
    """The state as JSON."""
    reader = state.reader
    return {
        "status": _status_name(state),
        "fault": reader.fault.value if reader.fault else None,
        "message": reader.message,
        "since": clock.iso(reader.since) if reader.since else None,
        "frames_per_second": round(state.frames_per_second, 2),
        "lag_ms": None if state.lag_s is None else round(state.lag_s * 1000, 1),
        "last_frame_at": clock.iso(state.last_frame_at) if state.last_frame_at else None,
        "frames_judged": state.judged,
        "frames_skipped": state.skipped,
        "people": state.people.total if state.people else None,
        "people_by_zone": state.people.by_zone if state.people else None,
    }


def _status_name(state: WorkerState) -> str:
    is_ill = state.reader.status is ReaderStatus.STREAMING and state.condition is not Condition.OK
    return state.condition.value if is_ill else state.reader.status.value


def _status(note: Mapping[str, Any]) -> CameraStatus:
    moments = {name: note[name] and datetime.fromisoformat(note[name]) for name in ("since", "last_frame_at")}
    return CameraStatus(**{**note, **moments})


def _show_people(camera_id: str, count: PeopleCount | None) -> None:
    """Nobody's count is no gauge: zero would say that somebody looked."""
    _forget_people(camera_id)
    if count is not None:
        metrics.camera_people.labels(camera_id).set(count.total)
        for zone, people in count.by_zone.items():
            metrics.camera_zone_people.labels(camera_id, zone).set(people)


def _forget_people(camera_id: str) -> None:
    with contextlib.suppress(KeyError):
        metrics.camera_people.remove(camera_id)
    metrics.camera_zone_people.remove_by_labels({"camera": camera_id})


def _forget_metrics(camera_id: str) -> None:
    _forget_people(camera_id)
    for gauge in (metrics.camera_up, metrics.camera_fps):
        with contextlib.suppress(KeyError):  # a camera that never gave a picture
            gauge.remove(camera_id)
    for condition in Condition:
        with contextlib.suppress(KeyError):
            metrics.camera_condition.remove(camera_id, condition.value)
