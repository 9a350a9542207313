"""People found by the detector that is shipped, and pictures without anybody in which it finds somebody."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from app.core.anomalies import AnomalyType
from app.core.anomaly_detector import HeadAnomalyDetector
from evaluation.figures import Share
from scripts.hazards.rows import open_photo

_GROUP_PEOPLE = 6
_ONLY_PEOPLE = frozenset({AnomalyType.INTRUSION})


def persons(detector: HeadAnomalyDetector, data: Path) -> list[Share]:
    """The group photo that insightface ships, portraits, and what must not be taken for people."""

    def seen(pattern: str) -> tuple[int, int]:
        paths = sorted(data.glob(pattern))
        return sum(bool(_count(detector, path)) for path in paths), len(paths)

    return [
        *_group(detector),
        Share("persons: press photos in which somebody is found", *seen("faces_press/*/*.jpg")),
        Share("persons: tidy rooms in which somebody is found", *seen("rooms/clean/*.jpg"), better="lower"),
        Share(
            "persons: things on plain ground in which somebody is found", *seen("lost_found/*/*.jpg"), better="lower"
        ),
    ]


def _group(detector: HeadAnomalyDetector) -> Sequence[Share]:
    """Boxes on insightface's t1.jpg, which shows six people; more than six count as six."""
    spec = find_spec("insightface")
    if spec is None or spec.origin is None:
        return []
    found = _count(detector, Path(spec.origin).parent / "data" / "images" / "t1.jpg")
    return [Share("persons: of the six on insightface's t1.jpg", min(found, _GROUP_PEOPLE), _GROUP_PEOPLE)]


def _count(detector: HeadAnomalyDetector, path: Path) -> int:
    return len(detector.detect(open_photo(path), _ONLY_PEOPLE))
