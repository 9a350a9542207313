"""What is watched for at a camera, as requests and responses have it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Annotated, Literal, Protocol
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from app.core.anomalies import AnomalyType
from app.models.common import Request, Text
from app.setting_values import known_zone
from app.types import Severity
from app.workflows.safety.areas import Area, Areas
from app.workflows.safety.lines import CrossingLine, Direction, make_line
from app.workflows.safety.rules import CameraRules, IntrusionRule, PeopleRule, PeopleZone, make_window
from app.workflows.safety.schedules import WEEKDAYS, Schedule, Window
from app.workflows.safety.zones import Zone, make_zone

Fraction = Annotated[float, Field(description="From 0 to 1, of the picture's width or height")]
Name = Annotated[Text, Field(min_length=1, max_length=50)]
DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
HazardName = Literal[AnomalyType.FIRE, AnomalyType.SMOKE, AnomalyType.FLOOD]


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


def _unique(named: Sequence[_HasName], what: str) -> None:
    if len({one.name for one in named}) < len(named):
        raise ValueError(f"each {what} needs a name of its own")


class ZoneModel(Request):
    """A polygon on the picture. A person is in it when their feet are."""

    name: Name
    points: Annotated[list[tuple[Fraction, Fraction]], Field(min_length=3, max_length=50)]
    severity: Severity | None = Field(None, description="Of alarms there, instead of each type's own")

    def zone(self) -> Zone:
        """A checked zone; errors as for ``make_zone``."""
        return make_zone(self.name, self.points, severity=self.severity)

    @classmethod
    def of(cls, zone: Zone) -> ZoneModel:
        return cls(name=zone.name, points=list(zone.points), severity=zone.severity)


class MaskModel(Request):
    """A part of the picture in which some types of anomaly are ignored; without types, all."""

    name: Name
    points: Annotated[list[tuple[Fraction, Fraction]], Field(min_length=3, max_length=50)]
    types: Annotated[list[AnomalyType], Field(max_length=10)] = Field(default_factory=list)

    def area(self) -> Area:
        """A checked area; errors as for ``make_zone``."""
        return Area(make_zone(self.name, self.points), tuple(dict.fromkeys(self.types)))

    @classmethod
    def of(cls, area: Area) -> MaskModel:
        return cls(name=area.zone.name, points=list(area.zone.points), types=list(area.types))


class HazardZoneModel(ZoneModel):
    """A part of the picture in which alone some hazards are looked for; without types, all of them."""

    types: Annotated[list[HazardName], Field(max_length=10)] = Field(default_factory=list)

    def area(self) -> Area:
        """A checked area; errors as for ``make_zone``."""
        return Area(self.zone(), tuple(dict.fromkeys(self.types)))

    @classmethod
    def of_area(cls, area: Area) -> HazardZoneModel:
        return cls.model_validate({**ZoneModel.of(area.zone).model_dump(), "types": list(area.types)})


class PeopleZoneModel(ZoneModel):
    """A zone in which people are counted, by their feet."""

    loiter_s: Annotated[float, Field(gt=0, le=86_400)] | None = Field(
        None, description="Whoever stays longer raises an alarm of the type `loitering`; null: nobody does"
    )

    @classmethod
    def of_counted(cls, one: PeopleZone) -> PeopleZoneModel:
        return cls.model_validate({**ZoneModel.of(one.zone).model_dump(), "loiter_s": one.loiter_s})


class LineModel(Request):
    """A line from one point to another. `in` is across it from the left of that arrow to its right, as seen on the
    picture: along a line drawn from left to right, downwards."""

    name: Name
    points: tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]

    def line(self) -> CrossingLine:
        """A checked line; errors as for ``make_line``."""
        return make_line(self.name, self.points)

    @classmethod
    def of(cls, line: CrossingLine) -> LineModel:
        return cls(name=line.name, points=(line.begins, line.ends))


class AlarmLineModel(LineModel):
    """A line across which people are counted, and may be reported."""

    alerts: Annotated[list[Direction], Field(max_length=2)] = Field(
        default_factory=list, description="Directions that raise an alarm of the type `line_crossed`"
    )
    severity: Severity = Severity.MEDIUM

    def line(self) -> CrossingLine:
        return make_line(self.name, self.points, alerts=frozenset(self.alerts), severity=self.severity)

    @classmethod
    def of_alarm(cls, line: CrossingLine) -> AlarmLineModel:
        return cls.model_validate(
            {**LineModel.of(line).model_dump(), "alerts": sorted(line.alerts), "severity": line.severity}
        )


class PeopleModel(Request):
    """People who may be there, but are counted. Without zones: only in the whole picture."""

    zones: Annotated[list[PeopleZoneModel], Field(max_length=16)] = Field(default_factory=list)
    lines: Annotated[list[AlarmLineModel], Field(max_length=8)] = Field(default_factory=list)

    def rule(self) -> PeopleRule:
        """What the worker is told; errors as for ``make_zone`` and ``make_line``."""
        return PeopleRule(
            zones=tuple(PeopleZone(one.zone(), one.loiter_s) for one in self.zones),
            lines=tuple(one.line() for one in self.lines),
        )

    @classmethod
    def of(cls, rule: PeopleRule) -> PeopleModel:
        return cls(
            zones=[PeopleZoneModel.of_counted(one) for one in rule.zones],
            lines=[AlarmLineModel.of_alarm(line) for line in rule.lines],
        )

    @model_validator(mode="after")
    def _names_are_unique(self) -> PeopleModel:
        _unique(self.zones, "zone")
        _unique(self.lines, "line")
        return self


# JSON Schema's format "time" would ask for seconds and a zone.
ClockTime = Annotated[
    time, WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "examples": ["22:00"]})
]


class WindowModel(Request):
    """A part of the week. One that ends at or before its beginning runs into the next day."""

    days: list[DayName] = Field(default_factory=list, max_length=7, description="Days it begins on; empty: every day")
    begins: ClockTime
    ends: ClockTime

    @classmethod
    def of(cls, window: Window) -> WindowModel:
        days = [WEEKDAYS[day] for day in sorted(window.days)]
        return cls.model_validate({"days": days, "begins": window.begins, "ends": window.ends})

    @model_validator(mode="after")
    def _local(self) -> WindowModel:
        if self.begins.tzinfo or self.ends.tzinfo:
            raise ValueError("times are the wall clock's, without a zone; set timezone instead")
        return self


class IntrusionModel(Request):
    """When a person counts as an intruder. Without zones: anywhere in the picture; without schedule: always."""

    zones: Annotated[list[ZoneModel], Field(max_length=16)] = Field(default_factory=list)
    schedule: Annotated[list[WindowModel], Field(max_length=50)] = Field(default_factory=list)
    timezone: Annotated[str, AfterValidator(known_zone)] | None = Field(None, description="The hotel's, if omitted")
    min_dwell_s: Annotated[float, Field(ge=0, le=3600, description="How long somebody has to stay")] = 2.0
    suppress_staff: bool = Field(False, description="Staff who are recognised live may be there")

    def rule(self, hotel: ZoneInfo) -> IntrusionRule:
        """What the worker is told.

        Args:
            hotel: its time zone, where this names none.

        Raises:
            InvalidInput: a zone is no polygon within the picture.
        """
        windows = tuple(make_window(window.days, window.begins, window.ends) for window in self.schedule)
        return IntrusionRule(
            zones=tuple(zone.zone() for zone in self.zones),
            schedule=Schedule(windows, ZoneInfo(self.timezone) if self.timezone else hotel),
            min_dwell_s=self.min_dwell_s,
            suppress_staff=self.suppress_staff,
        )

    @classmethod
    def of(cls, rule: IntrusionRule) -> IntrusionModel:
        return cls(
            zones=[ZoneModel.of(zone) for zone in rule.zones],
            schedule=[WindowModel.of(window) for window in rule.schedule.windows],
            timezone=rule.schedule.zone.key,
            min_dwell_s=rule.min_dwell_s,
            suppress_staff=rule.suppress_staff,
        )

    @model_validator(mode="after")
    def _names_are_unique(self) -> IntrusionModel:
        _unique(self.zones, "zone")
        return self


class ConfirmationModel(Request):
    """An incident begins when `frames` of the latest `of` judged frames show it."""

    frames: Annotated[int, Field(ge=1, le=50)]
    of: Annotated[int, Field(ge=1, le=50)]

    @model_validator(mode="after")
    def _possible(self) -> ConfirmationModel:
        if self.frames > self.of:
            raise ValueError("frames must not be larger than of")
        return self


class RulesModel(Request):
    """What is watched for."""

    anomalies: Annotated[list[AnomalyType], Field(max_length=10)] = Field(
        default_factory=lambda: [AnomalyType.FIRE, AnomalyType.FLOOD],
        description="Intrusion also needs its rule below",
    )
    intrusion: IntrusionModel | None = None
    confirmation: ConfirmationModel | None = Field(None, description="Instead of each type's own")
    masks: Annotated[list[MaskModel], Field(max_length=16)] = Field(default_factory=list)
    zones: Annotated[list[HazardZoneModel], Field(max_length=16)] = Field(default_factory=list)
    people: PeopleModel | None = None
    attendance_line: LineModel | None = Field(
        None, description="Who crosses it `in` comes, `out` goes, by the middle of the face; without one, all come"
    )

    def rules(self, hotel: ZoneInfo) -> CameraRules:
        """What the worker is told; ``hotel`` and errors as for ``IntrusionModel.rule``."""
        confirmation = self.confirmation
        return CameraRules(
            anomalies=tuple(kind.value for kind in dict.fromkeys(self.anomalies)),
            intrusion=self.intrusion.rule(hotel) if self.intrusion else None,
            confirmation=(confirmation.frames, confirmation.of) if confirmation else None,
            areas=Areas(tuple(one.area() for one in self.masks), tuple(one.area() for one in self.zones)),
            people=self.people.rule() if self.people else None,
            attendance_line=self.attendance_line.line() if self.attendance_line else None,
        )

    @classmethod
    def of(cls, rules: CameraRules) -> RulesModel:
        frames = rules.confirmation
        return cls(
            anomalies=[AnomalyType(name) for name in rules.anomalies],
            intrusion=IntrusionModel.of(rules.intrusion) if rules.intrusion else None,
            confirmation=ConfirmationModel(frames=frames[0], of=frames[1]) if frames else None,
            masks=[MaskModel.of(area) for area in rules.areas.masks],
            zones=[HazardZoneModel.of_area(area) for area in rules.areas.zones],
            people=PeopleModel.of(rules.people) if rules.people else None,
            attendance_line=LineModel.of(rules.attendance_line) if rules.attendance_line else None,
        )

    @model_validator(mode="after")
    def _intrusion_has_a_rule(self) -> RulesModel:
        if AnomalyType.INTRUSION in self.anomalies and self.intrusion is None:
            raise ValueError("intrusion needs a rule: zones, a schedule, or an empty object for anybody, any time")
        _unique(self.masks, "mask")
        _unique(self.zones, "zone")
        return self
