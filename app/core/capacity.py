"""How much of a hotel a number of cores serves, from what one piece of each kind of work costs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Costs:
    """CPU seconds of one piece of work, over all processes."""

    check_in: float
    camera_frame: float
    room_photo: float
    document_page: float
    image_search: float


@dataclass(frozen=True, slots=True)
class Habits:
    """How a hotel works.

    Attributes:
        utilisation: share of the cores' time that is planned for; the rest keeps waits short.
        peak_minutes: within which everybody of a shift comes.
        tries: pictures that a check-in takes, on average.
        frames_per_s: that each camera has judged; the worst case is every frame it sends.
        photos_per_room, pages_per_document: of each, on average.
        hours_a_day: in which rooms are photographed and documents come.
    """

    utilisation: float = 0.7
    peak_minutes: float = 15.0
    tries: float = 1.5
    frames_per_s: float = 2.0
    photos_per_room: float = 4.0
    pages_per_document: float = 1.5
    hours_a_day: float = 8.0


@dataclass(frozen=True, slots=True)
class Demand:
    """What a hotel wants; the same figures as of ``Capacity``."""

    staff_at_peak: int = 0
    cameras: int = 0
    rooms_a_day: int = 0
    documents_a_day: int = 0
    searches_a_minute: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a number of cores serves of each kind of work, if it had nothing else to do."""

    cores: int
    staff_at_peak: int
    cameras: int
    rooms_a_day: int
    documents_a_day: int
    searches_a_minute: int


def capacity(costs: Costs, habits: Habits, *, cores: int) -> Capacity:
    """Of each kind as many as fit, alone."""
    of_one = _shares_of_one(costs, habits)
    counts = {kind: math.floor(cores * habits.utilisation / share + 1e-9) for kind, share in of_one.items()}
    return Capacity(cores, **counts)


def cores_needed(costs: Costs, habits: Habits, demand: Demand) -> float:
    """Cores for everything at the same time: the door's peak while cameras watch, and rooms and documents come."""
    of_one = _shares_of_one(costs, habits)
    wanted = asdict(demand)
    return math.fsum(wanted[kind] * share for kind, share in of_one.items()) / habits.utilisation


def _shares_of_one(costs: Costs, habits: Habits) -> dict[str, float]:
    """Cores that one of each kind keeps busy, by the name of its figure."""
    day_s = habits.hours_a_day * 3600
    return {
        "staff_at_peak": costs.check_in * habits.tries / (habits.peak_minutes * 60),
        "cameras": costs.camera_frame * habits.frames_per_s,
        "rooms_a_day": costs.room_photo * habits.photos_per_room / day_s,
        "documents_a_day": costs.document_page * habits.pages_per_document / day_s,
        "searches_a_minute": costs.image_search / 60,
    }
