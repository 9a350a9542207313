"""What a number of cores serves: the arithmetic by hand, and the command over the real engines."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from app.cli.main import main
from app.core.capacity import Capacity, Costs, Demand, Habits, capacity, cores_needed

COSTS = Costs(check_in=0.02, camera_frame=0.1, room_photo=0.15, document_page=1.0, image_search=0.03)
HABITS = Habits(
    utilisation=0.5,
    peak_minutes=10.0,
    tries=2.0,
    frames_per_s=2.0,
    photos_per_room=4.0,
    pages_per_document=2.0,
    hours_a_day=10.0,
)


def test_two_cores_serve_what_their_planned_seconds_pay_for() -> None:
    """One core second in a second of two half-planned cores."""
    assert capacity(COSTS, HABITS, cores=2) == Capacity(
        cores=2,
        staff_at_peak=15_000,  # 600 s / (0.02 s x 2 tries)
        cameras=5,  # 1 / (0.1 s x 2 frames)
        rooms_a_day=60_000,  # 36 000 s / (0.15 s x 4 photos)
        documents_a_day=18_000,  # 36 000 s / (1 s x 2 pages)
        searches_a_minute=2_000,  # 60 s / 0.03 s
    )


def test_a_part_of_one_is_none() -> None:
    served = capacity(replace(COSTS, camera_frame=0.3), HABITS, cores=2)
    assert served.cameras == 1
    assert capacity(replace(COSTS, camera_frame=2.0), HABITS, cores=2).cameras == 0


@pytest.mark.parametrize("cores", [1, 4, 8])
@pytest.mark.parametrize("kind", ["staff_at_peak", "cameras", "rooms_a_day", "documents_a_day", "searches_a_minute"])
def test_what_is_served_needs_as_many_cores_and_one_more_does_not_fit(kind: str, cores: int) -> None:
    served = getattr(capacity(COSTS, HABITS, cores=cores), kind)
    assert cores_needed(COSTS, HABITS, Demand(**{kind: served})) <= cores + 1e-9
    assert cores_needed(COSTS, HABITS, Demand(**{kind: served + 1})) > cores


def test_a_hotel_needs_the_sum_of_what_it_wants() -> None:
    demand = Demand(staff_at_peak=7_500, cameras=5, rooms_a_day=30_000, documents_a_day=0, searches_a_minute=1_000)
    assert cores_needed(COSTS, HABITS, demand) == pytest.approx(1.0 + 2.0 + 1.0 + 1.0)
    assert cores_needed(COSTS, HABITS, Demand()) == 0.0


@pytest.mark.parametrize(
    "arguments",
    [["--rounds", "0"], ["--utilisation", "1.5"], ["--tries", "0"], ["--cameras", "-1"], ["--hours-a-day", "x"]],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_measures_and_reckons(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["capacity", "--json", "--rounds", "1", "--cameras", "4", "--frames-per-s", "1"]
    assert main(arguments) == 0
    told = json.loads(capsys.readouterr().out)
    costs, habits = Costs(**told["costs_s"]), Habits(**told["habits"])
    assert habits == Habits(frames_per_s=1.0)
    assert all(cost > 0 for cost in asdict(costs).values())
    assert costs.document_page > costs.check_in
    assert [Capacity(**one) for one in told["capacity"]] == [capacity(costs, habits, cores=n) for n in (2, 4, 8)]
    assert told["cores_needed"] == round(cores_needed(costs, habits, Demand(cameras=4)), 2)
