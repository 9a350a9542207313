"""Watches one camera's frames for anomalies: from what each frame shows to what has to be written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from datetime import datetime

from app.core.anomalies import BURNING, Anomaly, AnomalyType
from app.types import Box
from app.workflows.cameras.people import PeopleCount, PeopleFrame, PeopleWatch
from app.workflows.cameras.unrest import Unrest
from app.workflows.safety.findings import hazard_finding
from app.workflows.safety.incidents import Finding
from app.workflows.safety.judgement import Judge, Spread, Turn
from app.workflows.safety.lines import Crossing
from app.workflows.safety.rules import LOITERING, CameraRules

# At most one row and one frame an incident in this time.
_ROW_INTERVAL_S = 10.0

_Key = tuple[str, str | None]
"""Type and zone: what makes one incident."""


def _is_alive(anomaly: Anomaly, unrest: Unrest | None, size: tuple[int, int]) -> bool:
    """Water does not move, and people have rules of their own."""
    return unrest is None or anomaly.type not in BURNING or unrest.is_alive(anomaly.box, size)


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
        self._spreads: defaultdict[AnomalyType, Spread] = defaultdict(Spread)
        self._written_at_s: dict[_Key, float] = {}
        watches_intruders = AnomalyType.INTRUSION.value in rules.anomalies
        self._intrusion = rules.intrusion if watches_intruders else None
        self._people = PeopleWatch(self._intrusion, rules.people, interval_s=interval_s)
        self.crossings: list[Crossing] = []

    def types(self, moment: datetime) -> frozenset[AnomalyType]:
        """What to look for at ``moment``. People only while a rule forbids or counts them: that network is costly."""
        wanted = {AnomalyType(name) for name in self._rules.anomalies} - {AnomalyType.INTRUSION}
        if self._rules.people or (self._intrusion and self._intrusion.schedule.in_force(moment)):
            wanted.add(AnomalyType.INTRUSION)
        if AnomalyType.FIRE in wanted:
            wanted.add(AnomalyType.SMOKE)
        return frozenset(wanted)

    @property
    def wants_staff(self) -> bool:
        """Whether it matters who the people are."""
        return self._intrusion is not None and self._intrusion.suppress_staff

    @property
    def people(self) -> PeopleCount | None:
        """How many the latest frame shows; None where nobody counts."""
        return self._people.count

    @property
    def is_suspicious(self) -> bool:
        """Whether the next frame matters even if nothing moves: so does somebody who stands where nobody may be."""
        return self._people.is_suspicious or any(judge.is_suspicious for judge in self._judges.values())

    def see(
        self,
        anomalies: Sequence[Anomaly],
        looked_for: Set[AnomalyType],
        *,
        staff: Sequence[Box],
        size: tuple[int, int],
        moment: datetime,
        now_s: float,
        unrest: Unrest | None = None,
    ) -> list[Finding]:
        """Take in one frame.

        Args:
            anomalies: what the frame shows.
            looked_for: what it was looked at for; the absence of anything else says nothing.
            staff: faces of live staff.
            size: width and height of the frame.
            unrest: has seen the frame; where it is given, what burns or smokes counts only if it changes.

        Returns:
            What to write down now: incidents that begin, and, now and then, those that go on.
        """
        shown = self._hazards([one for one in anomalies if _is_alive(one, unrest, size)], size, now_s)
        due = []
        if AnomalyType.INTRUSION in looked_for:
            people = [one for one in anomalies if one.type is AnomalyType.INTRUSION and one.reaches_alert]
            seen = self._people.see(PeopleFrame(people, staff, size, moment, now_s))
            shown |= {(one.anomaly_type, one.zone): one for one in seen.lasting}
            self.crossings, due = seen.crossings, seen.alarms
        else:
            self._people.forget()
            self.crossings = []
        judged = {*looked_for, *((LOITERING,) if AnomalyType.INTRUSION in looked_for else ())}
        for key in {(kind, None) for kind in looked_for} | set(self._judges) | set(shown):
            if key[0] not in judged:
                self._judges[key].pass_time(now_s)
            elif self._is_due(key, positive=key in shown, now_s=now_s):
                due.append(shown[key])
                self._written_at_s[key] = now_s
        return due

    def _is_due(self, key: _Key, *, positive: bool, now_s: float) -> bool:
        judge = self._judges.setdefault(key, Judge(self._rules.confirmation_of(key[0], interval_s=self._interval_s)))
        turn = judge.see(positive, now_s)
        waited_s = now_s - self._written_at_s.get(key, float("-inf"))
        return turn is Turn.BEGINS or (turn is Turn.GOES_ON and waited_s >= _ROW_INTERVAL_S)

    def _hazards(self, anomalies: Sequence[Anomaly], size: tuple[int, int], now_s: float) -> dict[_Key, Finding]:
        """The surest of each hazard that is sure enough. Judged by type alone: flames wander from zone to zone."""
        hazards = [one for one in anomalies if one.type is not AnomalyType.INTRUSION and one.reaches_alert]
        surest = {one.type: one for one in sorted(hazards, key=lambda one: one.confidence)}
        return {
            (kind, None): hazard_finding(
                one,
                size=size,
                zone=self._rules.areas.zone_of(one, size),
                grows=self._spreads[kind].see(one.extent, now_s),
            )
            for kind, one in surest.items()
        }
