"""``cv capacity``: how many staff, cameras, rooms and documents a number of cores serves."""

from __future__ import annotations

import os
from dataclasses import asdict, fields

import click

from app.cli.environment import NO_BACKENDS
from app.cli.output import Report
from app.core.capacity import Capacity, Demand, Habits, capacity, cores_needed
from app.utils.logging import setup_logging

_CORES = (2, 4, 8)
_POSITIVE = click.FloatRange(min=0, min_open=True)
_COLUMNS = {
    "staff_at_peak": "staff at peak",
    "cameras": "cameras",
    "rooms_a_day": "rooms a day",
    "documents_a_day": "documents a day",
    "searches_a_minute": "searches a minute",
}
_WANTED = {
    "staff_at_peak": "People who come within the peak's minutes.",
    "cameras": "Cameras that are watched.",
    "rooms_a_day": "Rooms that are photographed.",
    "documents_a_day": "Documents that are read.",
    "searches_a_minute": "Searches for pictures.",
}
_HABITS = {
    "utilisation": "Share of the cores that is planned for.",
    "peak_minutes": "Minutes within which a shift comes.",
    "tries": "Pictures that a check-in takes.",
    "frames_per_s": "Frames of each camera that are judged in a second.",
    "photos_per_room": "Photos of a room.",
    "pages_per_document": "Pages of a document.",
    "hours_a_day": "Hours in which rooms and documents come.",
}


def _options(command: click.Command) -> click.Command:
    for name, says in _WANTED.items():
        command.params.append(click.Option([f"--{name.replace('_', '-')}"], type=click.IntRange(min=0), help=says))
    for habit in fields(Habits):
        kind = click.FloatRange(0, 1, min_open=True) if habit.name == "utilisation" else _POSITIVE
        command.params.append(
            click.Option(
                [f"--{habit.name.replace('_', '-')}"],
                type=kind,
                default=habit.default,
                show_default=True,
                help=_HABITS[habit.name],
            )
        )
    return command


@click.command("capacity")
@click.option("--rounds", type=click.IntRange(1, 1000), default=20, show_default=True, help="Of each measurement.")
@click.pass_obj
def command(output: Report, /, rounds: int, **given: float | None) -> int:
    """Measure what each kind of work costs here, and say how much of it 2, 4 and 8 cores like these serve.

    Each column is what the cores serve of one kind if they had nothing else to do. With --staff-at-peak, --cameras,
    --rooms-a-day, --documents-a-day or --searches-a-minute it also says how many cores all of that needs at the same
    time. Nothing is stored, and no server is asked. Other work on the machine makes the costs higher than they are.
    """
    from app.composition.costs import measure_costs  # loads every engine
    from app.config import load_settings

    setup_logging(level="ERROR")
    settings = load_settings(**{name: value for name, value in NO_BACKENDS.items() if name not in os.environ})
    habits = Habits(**{name: value for name in _HABITS if (value := given[name]) is not None})
    output.note(f"measuring, {rounds} rounds of each")
    costs = measure_costs(settings, rounds=rounds)
    for name, seconds in asdict(costs).items():
        output.line(f"{name.replace('_', ' '):<14} {seconds * 1000:8.1f} ms of a core")
    served = [capacity(costs, habits, cores=cores) for cores in _CORES]
    output.line("")
    output.line("cores  " + "  ".join(_COLUMNS.values()))
    for one in served:
        output.line(f"{one.cores:<5}  " + "  ".join(_cell(one, name) for name in _COLUMNS))
    result: dict[str, object] = {
        "costs_s": asdict(costs),
        "habits": asdict(habits),
        "capacity": [asdict(one) for one in served],
    }
    wanted = {name: int(count) for name in _COLUMNS if (count := given[name]) is not None}
    if wanted:
        needed = cores_needed(costs, habits, Demand(**wanted))
        output.line("")
        output.line(f"all of what is wanted at the same time: {needed:.1f} cores")
        result["cores_needed"] = round(needed, 2)
    output.result(result)
    return 0


def _cell(one: Capacity, name: str) -> str:
    return f"{getattr(one, name):>{len(_COLUMNS[name])}}"


_options(command)
