"""Follows the people in one camera's frames: who is an intruder, stays too long or crosses a line, and how many are
where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.anomalies import Anomaly
from app.types import Box
from app.workflows.cameras.tracks import Tracker, max_gap_s
from app.workflows.safety.faces import belongs_to
from app.workflows.safety.findings import crossing_finding, loitering_finding, person_finding
from app.workflows.safety.incidents import Finding
from app.workflows.safety.lines import Crossing, LineWatch
from app.workflows.safety.rules import IntrusionRule, PeopleRule
from app.workflows.safety.zones import Point, foot_point

# Somebody who was recognised may turn round without becoming an intruder, for this long.
_STAFF_MEMORY_S = 60.0


@dataclass(frozen=True, slots=True)
class PeopleFrame:
    """One frame: who is in it and when it is. ``size``: its width and height; ``staff``: faces of live staff."""

    people: Sequence[Anomaly]
    staff: Sequence[Box]
    size: tuple[int, int]
    moment: datetime
    now_s: float


@dataclass(frozen=True, slots=True)
class PeopleCount:
    """How many people a frame shows, in all and in each zone that is counted."""

    total: int
    by_zone: dict[str, int]


@dataclass(frozen=True, slots=True)
class PeopleSeen:
    """What a frame's people mean: findings that have to last, crossings, and those of them that raise an alarm."""

    lasting: list[Finding]
    crossings: list[Crossing]
    alarms: list[Finding]


@dataclass(frozen=True, slots=True)
class _Person:
    anomaly: Anomaly
    box: Box
    track_id: int
    feet: Point


class PeopleWatch:
    """The people of one camera. Times are seconds of a monotonic clock.

    Args:
        intrusion: who is an intruder; None: nobody is.
        counted: where people are counted, and may not stay; None: nowhere.
        interval_s: between two frames of the camera.
    """

    def __init__(self, intrusion: IntrusionRule | None, counted: PeopleRule | None, *, interval_s: float) -> None:
        self._intrusion = intrusion
        self._counted = counted
        self._tracker = Tracker(max_gap_s=max_gap_s(interval_s))
        self._lines = LineWatch(counted.lines if counted else ())
        self._forbidden_since_s: dict[int, float] = {}
        self._staff_until_s: dict[int, float] = {}
        self._in_zone_since_s: dict[tuple[int, str], float] = {}
        self.count: PeopleCount | None = None

    @property
    def is_suspicious(self) -> bool:
        """Whether somebody stands where nobody may be, or may not stay."""
        return bool(self._forbidden_since_s or self._in_zone_since_s)

    def forget(self) -> None:
        """Nobody looked for people in this frame."""
        self._forbidden_since_s.clear()
        self._in_zone_since_s.clear()
        self.count = None

    def see(self, frame: PeopleFrame) -> PeopleSeen:
        """Take in one frame."""
        people = self._follow(frame)
        crossings = self._lines.see({one.track_id: one.feet for one in people}, self._tracker.alive_ids())
        by_track = {one.track_id: one.anomaly for one in people}
        return PeopleSeen(
            lasting=[*self._intruders(people, frame), *self._loiterers(people, frame.now_s)],
            crossings=crossings,
            alarms=[
                crossing_finding(by_track[one.track_id], one.line, one.direction)
                for one in crossings
                if one.direction in one.line.alerts
            ],
        )

    def _follow(self, frame: PeopleFrame) -> list[_Person]:
        """The frame's people by track, the surest last."""
        boxed = [(person, person.box) for person in frame.people if person.box is not None]
        tracks = self._tracker.update([box for _, box in boxed], frame.now_s)
        alive = self._tracker.alive_ids()
        for memory in (self._forbidden_since_s, self._staff_until_s):
            for track_id in memory.keys() - alive:
                del memory[track_id]
        width, height = frame.size
        people = [
            _Person(person, box, track.id, foot_point(box, width=width, height=height))
            for (person, box), track in zip(boxed, tracks, strict=True)
        ]
        if self._counted is not None:
            zones = [one.zone for one in self._counted.zones]
            in_zones = Counter(zone.name for zone in zones for one in people if zone.contains(one.feet))
            self.count = PeopleCount(len(people), {zone.name: in_zones[zone.name] for zone in zones})
        return sorted(people, key=lambda one: one.anomaly.confidence)

    def _intruders(self, people: Sequence[_Person], frame: PeopleFrame) -> list[Finding]:
        """Everybody who is where nobody may be, and has stayed long enough."""
        if self._intrusion is None:
            return []
        found = []
        for one in people:
            is_staff = self._is_staff(one, frame)
            finding = person_finding(one.anomaly, self._intrusion, frame.moment, size=frame.size, is_staff=is_staff)
            if not finding.alert:
                self._forbidden_since_s.pop(one.track_id, None)
                continue
            since_s = self._forbidden_since_s.setdefault(one.track_id, frame.now_s)
            if frame.now_s - since_s >= self._intrusion.min_dwell_s:
                found.append(finding)
        return found

    def _is_staff(self, person: _Person, frame: PeopleFrame) -> bool:
        """Whether a staff face is in the box, or was a while ago: faces turn away."""
        if any(belongs_to(face, person.box) for face in frame.staff):
            self._staff_until_s[person.track_id] = frame.now_s + _STAFF_MEMORY_S
        return frame.now_s <= self._staff_until_s.get(person.track_id, float("-inf"))

    def _loiterers(self, people: Sequence[_Person], now_s: float) -> list[Finding]:
        """Everybody who has stayed too long in a zone. Whoever is missed for some frames has not left it."""
        if self._counted is None:
            return []
        watched = [(one.zone, one.loiter_s) for one in self._counted.zones if one.loiter_s is not None]
        alive = self._tracker.alive_ids()
        self._in_zone_since_s = {key: since for key, since in self._in_zone_since_s.items() if key[0] in alive}
        found = []
        for one in people:
            for zone, loiter_s in watched:
                key = one.track_id, zone.name
                if not zone.contains(one.feet):
                    self._in_zone_since_s.pop(key, None)
                    continue
                stayed_s = now_s - self._in_zone_since_s.setdefault(key, now_s)
                if stayed_s >= loiter_s:
                    found.append(loitering_finding(one.anomaly, zone, stayed_s=stayed_s))
        return found
