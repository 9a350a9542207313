"""Watches one camera's frames for anomalies: from what each frame shows to what has to be written down."""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime

from app.core.anomalies import Anomaly, AnomalyType
from app.types import Box
from app.workflows.cameras.tracks import Track, Tracker, max_gap_s
from app.workflows.safety.faces import belongs_to
from app.workflows.safety.findings import hazard_finding, person_finding
from app.workflows.safety.incidents import Finding
from app.workflows.safety.judgement import Judge, Turn
from app.workflows.safety.rules import CameraRules, IntrusionRule

# At most one row and one frame an incident in this time.
_ROW_INTERVAL_S = 10.0
# Somebody who was recognised may turn round without becoming an intruder, for this long.
_STAFF_MEMORY_S = 60.0

_Key = tuple[AnomalyType, str | None]
"""Type and zone: what makes one incident."""


class AnomalyWatch:
    """The judges of one camera. Times are seconds of a monotonic clock.

    Args:
        rules: what is watched for.
        interval_s: between two frames of the camera.
    """

    def __init__(self, rules: CameraRules, *, interval_s: float) -> None:
        self._rules = rules
        self._interval_s = interval_s
        self._judges: dict[_Key, Judge] = {}
        self._written_at_s: dict[_Key, float] = {}
        self._people = Tracker(max_gap_s=max_gap_s(interval_s))
        self._forbidden_since_s: dict[int, float] = {}
        self._staff_until_s: dict[int, float] = {}

    def types(self, moment: datetime) -> frozenset[AnomalyType]:
        """What to look for at ``moment``. People only while a rule forbids them: that network is the costly one."""
        rule = self._rules.intrusion
        wanted = {AnomalyType(name) for name in self._rules.anomalies}
        if rule is None or not rule.schedule.in_force(moment):
            wanted.discard(AnomalyType.INTRUSION)
        if AnomalyType.FIRE in wanted:
            wanted.add(AnomalyType.SMOKE)
        return frozenset(wanted)

    @property
    def wants_staff(self) -> bool:
        """Whether it matters who the people are."""
        return self._rules.intrusion is not None and self._rules.intrusion.suppress_staff

    @property
    def is_suspicious(self) -> bool:
        """Whether the next frame matters even if nothing moves: so does somebody who stands where nobody may be."""
        return bool(self._forbidden_since_s) or any(judge.is_suspicious for judge in self._judges.values())

    def see(
        self,
        anomalies: Sequence[Anomaly],
        looked_for: Set[AnomalyType],
        *,
        staff: Sequence[Box],
        size: tuple[int, int],
        moment: datetime,
        now_s: float,
    ) -> list[Finding]:
        """Take in one frame.

        Args:
            anomalies: what the frame shows.
            looked_for: what it was looked at for; the absence of anything else says nothing.
            staff: faces of live staff.
            size: width and height of the frame.

        Returns:
            What to write down now: incidents that begin, and, now and then, those that go on.
        """
        shown = self._hazards(anomalies, size)
        if self._rules.intrusion is not None and AnomalyType.INTRUSION in looked_for:
            people = [one for one in anomalies if one.type is AnomalyType.INTRUSION and one.reaches_alert]
            shown |= self._intruders(people, self._rules.intrusion, staff, size, moment, now_s)
        else:
            self._forbidden_since_s.clear()
        due = []
        for key in {(kind, None) for kind in looked_for} | set(self._judges) | set(shown):
            if key[0] not in looked_for:
                self._judges[key].pass_time(now_s)
            elif self._is_due(key, positive=key in shown, now_s=now_s):
                due.append(shown[key])
                self._written_at_s[key] = now_s
        return due

    def _is_due(self, key: _Key, *, positive: bool, now_s: float) -> bool:
        judge = self._judges.setdefault(
            key, Judge(self._rules.confirmation_of(key[0].value, interval_s=self._interval_s))
        )
        turn = judge.see(positive, now_s)
        waited_s = now_s - self._written_at_s.get(key, float("-inf"))
        return turn is Turn.BEGINS or (turn is Turn.GOES_ON and waited_s >= _ROW_INTERVAL_S)

    @staticmethod
    def _hazards(anomalies: Sequence[Anomaly], size: tuple[int, int]) -> dict[_Key, Finding]:
        """The surest of each hazard that is sure enough."""
        found: dict[_Key, Finding] = {}
        for one in sorted(anomalies, key=lambda one: one.confidence):
            if one.type is not AnomalyType.INTRUSION and one.reaches_alert:
                found[one.type, None] = hazard_finding(one, size=size)
        return found

    def _intruders(
        self,
        people: Sequence[Anomaly],
        rule: IntrusionRule,
        staff: Sequence[Box],
        size: tuple[int, int],
        moment: datetime,
        now_s: float,
    ) -> dict[_Key, Finding]:
        """The surest intruder of each zone who has stayed long enough."""
        boxed = [(person, person.box) for person in people if person.box is not None]
        tracks = self._people.update([box for _, box in boxed], now_s)
        self._forget_lost_people()
        found: dict[_Key, Finding] = {}
        for (person, box), track in sorted(zip(boxed, tracks, strict=True), key=lambda pair: pair[0][0].confidence):
            is_staff = self._is_staff(track, box, staff, now_s)
            finding = person_finding(person, rule, moment, size=size, is_staff=is_staff)
            if self._has_stayed(track, finding, rule, now_s):
                found[AnomalyType.INTRUSION, finding.zone] = finding
        return found

    def _is_staff(self, track: Track, box: Box, staff: Sequence[Box], now_s: float) -> bool:
        """Whether a staff face is in the box, or was a while ago: faces turn away."""
        if any(belongs_to(face, box) for face in staff):
            self._staff_until_s[track.id] = now_s + _STAFF_MEMORY_S
        return now_s <= self._staff_until_s.get(track.id, float("-inf"))

    def _has_stayed(self, track: Track, finding: Finding, rule: IntrusionRule, now_s: float) -> bool:
        if not finding.alert:
            self._forbidden_since_s.pop(track.id, None)
            return False
        return now_s - self._forbidden_since_s.setdefault(track.id, now_s) >= rule.min_dwell_s

    def _forget_lost_people(self) -> None:
        alive = self._people.alive_ids()
        for memory in (self._forbidden_since_s, self._staff_until_s):
            for track_id in [track_id for track_id in memory if track_id not in alive]:
                del memory[track_id]
