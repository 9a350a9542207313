"""How well changes against a reference photo are told, on photos with changes that we made.

Run through ``scripts/evaluate.py room_changes``. What decides was set on the photos of ``rooms``; those of
``rooms_places`` judge it. Frames of one fixed camera, minutes apart, are the only real pairs.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from app.core.room_changes import Change, ChangeKind, compare
from app.core.scene_pictures import ScenePicture, take_scene
from app.types import Box, Image
from evaluation.figures import Share, as_json, as_table
from evaluation.rooms.changed_photos import SOURCES, ChangedPair, changed_pairs, read_rooms, read_things

_SEED = 11
_ROOMS = 50


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 where a target is missed."""
    parser = argparse.ArgumentParser(description="Evaluate changes against reference photos.")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with rooms, rooms_places, lost_found, cctv_normal"
    )
    parser.add_argument("--pack", default="compact", help="not used: no network is asked")
    parser.add_argument("--weights-dir", type=Path, help="not used")
    parser.add_argument("--rooms", type=int, default=_ROOMS, help="photos of each source")
    parser.add_argument("--sources", nargs="*", choices=SOURCES, default=SOURCES)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args(arguments)
    things = read_things(options.data)
    shares: list[Share] = []
    for source in options.sources:
        rooms = read_rooms(options.data, source)[: options.rooms]
        shares += _change_shares(source, changed_pairs(rooms, things, seed=_SEED))
        shares.append(_other_rooms(source, rooms))
    shares.append(_fixed_camera(options.data / "cctv_normal"))
    print(as_table(shares))
    if options.json:
        options.json.write_text(json.dumps(as_json(shares), ensure_ascii=False, indent=2), encoding="utf-8")
    return 0 if all(share.passed for share in shares) else 1


def _change_shares(source: str, pairs: Iterable[ChangedPair]) -> list[Share]:
    aligned = total = quiet = unchanged = 0
    found = dict.fromkeys((ChangeKind.ADDED, ChangeKind.MISSING, ChangeKind.MOVED), 0)
    right, asked = dict(found), dict(found)
    told = true = 0
    for pair in pairs:
        compared = compare(take_scene(pair.reference), take_scene(pair.photo))
        total += 1
        if compared is None:
            continue
        aligned += 1
        if pair.kind is None:
            unchanged += 1
            quiet += not compared.changes
            continue
        asked[pair.kind] += 1
        hits = [change for change in compared.changes if _is_at(change, pair)]
        found[pair.kind] += bool(hits)
        right[pair.kind] += any(change.kind is pair.kind for change in hits)
        told, true = told + len(compared.changes), true + len(hits)
    return [
        Share(f"{source}: photo laid over its reference", aligned, total),
        Share(f"{source}: no change told where there is none", quiet, unchanged, 0.95),
        *(Share(f"{source}: {kind} thing found", found[kind], asked[kind], 0.9) for kind in found),
        *(Share(f"{source}: of these told as {kind}", right[kind], found[kind]) for kind in found),
        Share(f"{source}: changes told that are one", true, told),
    ]


def _is_at(change: Change, pair: ChangedPair) -> bool:
    """Whether it lies where something changed: its middle in the place, or a third of both is shared."""
    return any(_meets(change.box, place) for place in (pair.box, pair.before) if place)


def _meets(box: Box, place: Box) -> bool:
    x, y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    return (place.x1 <= x <= place.x2 and place.y1 <= y <= place.y2) or box.iou(place) > 1 / 3


def _other_rooms(source: str, rooms: Sequence[Image]) -> Share:
    """Photos of two rooms that are taken for one."""
    scenes = [take_scene(room) for room in rooms[:40]]
    pairs = list(zip(scenes, scenes[1:] + scenes[:1], strict=True)) + list(zip(scenes, scenes[7:], strict=False))
    taken = sum(compare(first, second) is not None for first, second in pairs)
    return Share(f"{source}: another room taken for this one", taken, len(pairs), 0.0, "lower")


def _fixed_camera(folder: Path) -> Share:
    """Two frames without people of one scene: nothing is told to have changed."""
    scenes: dict[str, list[ScenePicture]] = {}
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["persons"] == "0" and (image := cv2.imread(str(folder / row["file"]))) is not None:
                scenes.setdefault(row["scene"], []).append(take_scene(image.astype(np.uint8)))
    pairs = [pair for frames in scenes.values() for pair in itertools.combinations(frames, 2)]
    quiet = sum((compared := compare(*pair)) is not None and not compared.changes for pair in pairs)
    return Share("cctv_normal: two empty frames of a scene, no change told", quiet, len(pairs))
