"""People found by the detector that is shipped, and pictures without anybody in which it finds somebody."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from app.core.anomalies import AnomalyType
from app.core.anomaly_detector import HeadAnomalyDetector
from evaluation.figures import Share
from scripts.heads.photos import open_photo

_GROUP_PEOPLE = 6
_ONLY_PEOPLE = frozenset({AnomalyType.INTRUSION})


def persons(detector: HeadAnomalyDetector, data: Path) -> list[Share]:
    """Camera frames and rooms by what their labels say, what must not be taken for people, portraits, and the group
    photo that insightface ships."""

    def seen(paths: Sequence[Path]) -> tuple[int, int]:
        return sum(bool(_count(detector, path)) for path in paths), len(paths)

    def matching(pattern: str) -> list[Path]:
        return sorted(data.glob(pattern))

    empty_rooms = _labelled(data / "rooms_places", "person_visible", "no") + matching("rooms/clean/*.jpg")
    return [
        Share("persons: camera frames with people, told", *seen(_labelled(data / "cctv_normal", "anybody", "yes"))),
        Share(
            "persons: camera frames without, told",
            *seen(_labelled(data / "cctv_normal", "anybody", "no")),
            better="lower",
        ),
        Share("persons: rooms without anybody, told", *seen(empty_rooms), better="lower"),
        Share("persons: things on plain ground, told", *seen(matching("lost_found/*/*.jpg")), better="lower"),
        Share("persons: press photos, told", *seen(matching("faces_press/*/*.jpg"))),
        *_group(detector),
    ]


def _labelled(folder: Path, column: str, value: str) -> list[Path]:
    with (folder / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
        return [folder / row["file"] for row in csv.DictReader(file) if row[column] == value]


def _group(detector: HeadAnomalyDetector) -> Sequence[Share]:
    """Boxes on insightface's t1.jpg, which shows six people; more than six count as six."""
    spec = find_spec("insightface")
    if spec is None or spec.origin is None:
        return []
    found = _count(detector, Path(spec.origin).parent / "data" / "images" / "t1.jpg")
    return [Share("persons: of the six on insightface's t1.jpg", min(found, _GROUP_PEOPLE), _GROUP_PEOPLE)]


def _count(detector: HeadAnomalyDetector, path: Path) -> int:
    return len(detector.detect(open_photo(path), _ONLY_PEOPLE))
