"""How the installed models judge what people corrected in this installation: its own, private evaluation set.

Run through ``scripts/evaluate.py own``, with the settings of the service. Nothing is copied: photos and frames are read
from the object store, judged again by today's models, and held against what people said. Photos that heads of the hotel
were trained on flatter these; of shipped heads they are photos that nobody trained on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from app.composition.backends import Backends, open_backends
from app.config import Settings, load_settings
from app.core.anomalies import AnomalyType
from app.core.anomaly_detector import HeadAnomalyDetector
from app.core.looks import DETAILED
from app.core.room_analyzer import ChecklistItem, RoomModel
from app.core.room_rules import RoomRules, RoomStatus, RoomVerdict, judge_room
from app.errors import NotFound
from app.ml_models.factories.anomaly import build_anomaly_detector
from app.ml_models.factories.room import build_room_model
from app.ml_models.manifest import load_pack
from app.ml_models.model_loader import ModelLoader
from app.services.stores.false_alarm_store import judged_frames
from app.services.stores.room_store import corrected_photos
from app.types import Image
from evaluation.figures import Share, as_json, as_table

_FRAMES_OF_EACH = 3
_RULES = RoomRules(required=frozenset(), items_by_type={}, minutes={})


@dataclass(frozen=True, slots=True)
class JudgedRoom:
    """What people said of an analysis, and today's verdict on its photos."""

    status: str
    checklist: Mapping[str, bool]
    verdict: RoomVerdict


@dataclass(frozen=True, slots=True)
class JudgedIncident:
    """A frame of an incident: whether it was a false alarm, and whether today's detector tells it."""

    anomaly_type: str
    false_alarm: bool
    told: bool


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a room that people called dirty is told ready."""
    parser = argparse.ArgumentParser(description="Evaluate on what people corrected in this installation.")
    parser.add_argument("--data", type=Path, help="not used: the data are the installation's")
    parser.add_argument("--pack", default="compact")
    parser.add_argument("--weights-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args(arguments)
    settings = load_settings()
    loader = ModelLoader(load_pack(options.pack), options.weights_dir)
    rooms, incidents = asyncio.run(
        _judge_all(
            settings,
            build_room_model(loader, own_heads_dir=settings.own_heads_dir),
            build_anomaly_detector(loader, own_heads_dir=settings.own_heads_dir),
        )
    )
    shares = room_shares(rooms) + incident_shares(incidents)
    print(as_table(shares))
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in shares if share.n) else 1


async def _judge_all(
    settings: Settings, rooms: RoomModel, detector: HeadAnomalyDetector
) -> tuple[list[JudgedRoom], list[JudgedIncident]]:
    async with AsyncExitStack() as stack:
        backends = await open_backends(stack, settings)
        return await _judge_rooms(backends, rooms), await _judge_incidents(backends, detector)


async def _judge_rooms(backends: Backends, model: RoomModel) -> list[JudgedRoom]:
    async with backends.database.connection() as connection:
        photos = await corrected_photos(connection)
    judged: list[JudgedRoom] = []
    for _, group in groupby(photos, key=lambda photo: photo.analysis_id):
        of_analysis = list(group)
        images = [image for photo in of_analysis if (image := await _image(backends, photo.key)) is not None]
        if images:
            verdict = judge_room(model.inspect(images, depth=DETAILED), _RULES)
            judged.append(JudgedRoom(of_analysis[0].status, of_analysis[0].checklist, verdict))
    return judged


async def _judge_incidents(backends: Backends, detector: HeadAnomalyDetector) -> list[JudgedIncident]:
    async with backends.database.connection() as connection:
        frames = await judged_frames(connection, of_each=_FRAMES_OF_EACH)
    judged: list[JudgedIncident] = []
    for frame in frames:
        image = await _image(backends, frame.key)
        known = {kind.value: kind for kind in AnomalyType}
        if image is not None and frame.anomaly_type in known:
            told = detector.detect(image, frozenset({known[frame.anomaly_type]}))
            judged.append(JudgedIncident(frame.anomaly_type, frame.false_alarm, bool(told)))
    return judged


async def _image(backends: Backends, key: str) -> Image | None:
    """A stored picture; None once it is past its retention."""
    try:
        data = await backends.storage.get(key)
    except NotFound:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else image.astype(np.uint8)


def room_shares(judged: Sequence[JudgedRoom]) -> list[Share]:
    """What is told of rooms that people called clean, and of the others; and the items they spoke of."""
    clean = [room for room in judged if room.status == RoomStatus.CLEAN]
    dirty = [room for room in judged if room.status == RoomStatus.DIRTY]
    other = [room for room in judged if room.status != RoomStatus.CLEAN]
    return [
        Share("rooms called clean, told clean", _told(clean, RoomStatus.CLEAN), len(clean)),
        Share("rooms called dirty, told dirty", _told(dirty, RoomStatus.DIRTY), len(dirty)),
        Share("of all, nothing decided", sum(room.verdict.status is None for room in judged), len(judged)),
        Share(
            "rooms not called clean, told ready",
            sum(room.verdict.ready_for_guest for room in other),
            len(other),
            0.0,
            "lower",
        ),
        *(share for item in ChecklistItem for share in _item_shares(judged, item)),
    ]


def _told(rooms: Sequence[JudgedRoom], status: RoomStatus) -> int:
    return sum(room.verdict.status is status for room in rooms)


def _item_shares(judged: Sequence[JudgedRoom], item: ChecklistItem) -> list[Share]:
    spoken_of = [room for room in judged if item.value in room.checklist]
    answered = [
        (room.checklist[item.value], checked.value) for room in spoken_of if (checked := room.verdict.checklist[item])
    ]
    if not spoken_of:
        return []
    right = sum(said == told for said, told in answered)
    return [
        Share(f"{item.value}: answered", len(answered), len(spoken_of)),
        Share(f"{item.value}: of these as people said", right, len(answered)),
    ]


def incident_shares(judged: Sequence[JudgedIncident]) -> list[Share]:
    """By type: frames of false alarms that would alarm again, and of incidents that were some."""
    shares: list[Share] = []
    for kind in sorted({frame.anomaly_type for frame in judged}):
        false = [frame for frame in judged if frame.anomaly_type == kind and frame.false_alarm]
        real = [frame for frame in judged if frame.anomaly_type == kind and not frame.false_alarm]
        shares.append(Share(f"{kind}, frames of false alarms: told again", sum(one.told for one in false), len(false)))
        shares.append(Share(f"{kind}, frames of other incidents: told", sum(one.told for one in real), len(real)))
    return shares
