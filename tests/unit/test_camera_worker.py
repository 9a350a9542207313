"""Which of a camera's frames is judged, and whom it goes before in the queue for the models."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client import REGISTRY

from app.core.anomalies import Anomaly, AnomalyType, Examination
from app.core.inference import InferencePool, Priority
from app.services.stores.camera_store import AlarmState, CameraColumns, CameraRecord
from app.services.streams.types import Fault, StreamFailed, StreamKind, StreamSource
from app.types import Image
from app.workflows.cameras.clips import ClipPlan
from app.workflows.cameras.worker import CameraTools, CameraWorker
from app.workflows.safety.rules import CameraRules
from app.workflows.safety.stored_rules import rules_to_json
from tests.inference_pools import blocked
from tests.waiting import PATIENCE_S, until

CAMERA = "cam_worker"
NOON = datetime(2025, 1, 17, 12, tzinfo=UTC)
BURNS = 200


class Pictures:
    """A stream that shows grey pictures of the levels that are put into it; and whoever opens it."""

    def __init__(self) -> None:
        self._levels: queue.Queue[int | None] = queue.Queue()
        self._level = 0
        self.read = 0

    def open(self, _source: StreamSource, *, interval_s: float) -> Pictures:
        assert interval_s > 0
        return self

    def show(self, level: int) -> None:
        self._levels.put(level)

    def grab(self) -> None:
        level = self._levels.get()
        if level is None:
            raise StreamFailed(Fault.ENDED, "closed")
        self._level = level

    def decode(self) -> Image:
        picture = np.zeros((36, 64, 3), np.uint8)
        picture[:, ::2] = self._level  # stripes, or it would be one flat colour
        return picture

    def close(self) -> None:
        self._levels.put(None)


class Detector:
    """Notes what it is shown, and takes what is bright for a fire."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def examine(self, image: Image, types: Set[AnomalyType], _usual: object = None) -> Examination:
        assert AnomalyType.FIRE in types
        level = int(image.max())
        self.seen.append(level)
        return Examination([Anomaly(AnomalyType.FIRE, 0.9, None, reaches_alert=True)] if level >= BURNS else [])


class Baselines:
    async def usual_of(self, _camera_id: str, _moment: datetime) -> None:
        return None

    async def learn(self, _camera_id: str, _seen: Examination, _moment: datetime) -> None:
        return None


@asynccontextmanager
async def watching(pool: InferencePool) -> AsyncIterator[tuple[CameraWorker, Pictures, Detector]]:
    """A worker whose camera watches for fire, ten times a second."""
    pictures, detector = Pictures(), Detector()
    tools = SimpleNamespace(
        pool=pool,
        new_detector=lambda: detector,
        baselines=Baselines(),
        drift=SimpleNamespace(note=lambda *_: None),
        clips=SimpleNamespace(plan=ClipPlan(before_s=0, after_s=0)),
        opener=pictures,
        max_lag_s=PATIENCE_S,
        min_liveness=0.5,
    )
    rules = rules_to_json(CameraRules(("fire",), confirmation=(9, 9)))  # no incident: nothing is written down
    columns = CameraColumns(None, "mjpeg", "http://unused", None, ("anomaly",), 1000.0, rules, enabled=True)
    record = CameraRecord(CAMERA, columns, AlarmState(), 1, 1, NOON, NOON)
    source = StreamSource(StreamKind.MJPEG, "http://unused")
    worker = CameraWorker(cast(CameraTools, cast(Any, tools)), record, lambda: source)
    running = asyncio.ensure_future(worker.run())
    try:
        yield worker, pictures, detector
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def dropped() -> float:
    return REGISTRY.get_sample_value("cv_camera_frames_total", {"camera": CAMERA, "outcome": "dropped"}) or 0.0


@pytest.mark.parametrize(("behind_s", "judged"), [(0.0, [110]), (PATIENCE_S, [10, 110])])
async def test_of_frames_that_wait_long_the_newest_is_judged_and_the_others_are_counted(
    behind_s: float, judged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.workflows.cameras.worker.BEHIND_S", behind_s)
    pool, before = InferencePool(threads=1, queue_size=8, deadline_s=PATIENCE_S), dropped()
    async with watching(pool) as (worker, pictures, detector):
        async with blocked(pool):
            pictures.show(10)
            await until(lambda: pool.waiting == 1)
            for level in (60, 110):
                pictures.show(level)
            await until(lambda: dropped() == before + 1)  # 60, for 110
        await until(lambda: worker.state().judged == len(judged))
        assert detector.seen == judged
        assert dropped() == before + 3 - len(judged)
        assert worker.last_frame is not None
        assert worker.last_frame.image.max() == 110
    pool.close()


async def test_a_frame_goes_behind_check_ins_until_something_is_suspected() -> None:
    pool = InferencePool(threads=1, queue_size=8, deadline_s=PATIENCE_S, patience_s=60.0)
    async with watching(pool) as (worker, pictures, detector):

        async def is_frame_first(level: int) -> bool:
            """Of a frame and of somebody who checked in before it."""
            judged, seen = worker.state().judged, list[int]()
            async with blocked(pool):
                person = asyncio.ensure_future(
                    pool.submit_at(Priority.CHECK_IN, "test", lambda: seen.extend(detector.seen))
                )
                await until(lambda: pool.waiting == 1)
                pictures.show(level)
                await until(lambda: pool.waiting == 2)
            await person
            await until(lambda: worker.state().judged == judged + 1)
            return level in seen

        assert not await is_frame_first(10)
        assert not await is_frame_first(BURNS)  # nobody has looked at it yet
        assert await is_frame_first(90)
    pool.close()
