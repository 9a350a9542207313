"""Follows boxes from frame to frame, so that dwell and identity are judged over time and not over one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.types import Box

_MAX_GAP_S = 2.0


def max_gap_s(interval_s: float) -> float:
    """How long a track may be unseen at a camera that gives a frame each ``interval_s``: at least one may miss it."""
    return max(_MAX_GAP_S, 2.5 * interval_s)


@dataclass(frozen=True, slots=True)
class Track:
    """One object on its way. Times are seconds of a monotonic clock; ``velocity``: of the box's middle, in px/s."""

    id: int
    box: Box
    first_seen_s: float
    last_seen_s: float
    frame_count: int
    velocity: tuple[float, float] = (0.0, 0.0)

    def expected(self, now_s: float) -> Box:
        """Where it is now if it went on as it did."""
        dx, dy = (speed * (now_s - self.last_seen_s) for speed in self.velocity)
        return Box(self.box.x1 + dx, self.box.y1 + dy, self.box.x2 + dx, self.box.y2 + dy)


class Tracker:
    """Joins boxes to tracks by overlap and nearness, to where they were and to where they were going, the closest pair
    first.

    Args:
        min_affinity: how alike a box and a track's last box must be, from 0 (apart) to 1 (same place and size).
        max_gap_s: a track not seen for longer is over; the next box there begins a new one.
    """

    def __init__(self, *, min_affinity: float = 0.2, max_gap_s: float = _MAX_GAP_S) -> None:
        self._min_affinity = min_affinity
        self._max_gap_s = max_gap_s
        self._tracks: list[Track] = []
        self._next_id = 1

    def update(self, boxes: Sequence[Box], now_s: float) -> list[Track]:
        """Take in one frame's boxes.

        Returns:
            The track of each box, in the boxes' order.
        """
        self._tracks = [track for track in self._tracks if now_s - track.last_seen_s <= self._max_gap_s]
        found = [
            self._continued(track, box, now_s) for track, box in zip(self._assign(boxes, now_s), boxes, strict=True)
        ]
        seen = {track.id for track in found}
        self._tracks = [track for track in self._tracks if track.id not in seen] + found
        return found

    def alive_ids(self) -> frozenset[int]:
        """Tracks that may still go on."""
        return frozenset(track.id for track in self._tracks)

    def _continued(self, track: Track | None, box: Box, now_s: float) -> Track:
        if track is not None:
            return Track(track.id, box, track.first_seen_s, now_s, track.frame_count + 1, _velocity(track, box, now_s))
        new = Track(self._next_id, box, now_s, now_s, 1)
        self._next_id += 1
        return new

    def _assign(self, boxes: Sequence[Box], now_s: float) -> list[Track | None]:
        assigned: list[Track | None] = [None] * len(boxes)
        pairs = sorted(
            (
                (max(_affinity(track.box, box), _affinity(track.expected(now_s), box)), row, track)
                for row, box in enumerate(boxes)
                for track in self._tracks
            ),
            key=lambda pair: -pair[0],
        )
        taken: set[int] = set()
        for affinity, row, track in pairs:
            if affinity >= self._min_affinity and assigned[row] is None and track.id not in taken:
                assigned[row] = track
                taken.add(track.id)
        return assigned


def _velocity(track: Track, box: Box, now_s: float) -> tuple[float, float]:
    passed_s = now_s - track.last_seen_s
    if passed_s <= 0:
        return track.velocity
    old = track.box
    return (box.x1 + box.x2 - old.x1 - old.x2) / 2 / passed_s, (box.y1 + box.y2 - old.y1 - old.y2) / 2 / passed_s


def _affinity(a: Box, b: Box) -> float:
    """The larger of overlap and nearness: at two frames a second, a walking person's boxes need not overlap."""
    size = max(a.width, a.height, b.width, b.height, 1e-6)
    distance = math.hypot((a.x1 + a.x2 - b.x1 - b.x2) / 2, (a.y1 + a.y2 - b.y1 - b.y2) / 2) / size
    likeness = math.sqrt(min(a.area, b.area) / max(a.area, b.area, 1e-6))
    return max(a.iou(b), 0.6 * max(0.0, 1 - distance) * likeness)
