"""What a command says: its result on standard output, for people or as JSON, and the rest on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Report:
    """Where a command's words go."""

    as_json: bool = False

    def line(self, text: str) -> None:
        """A line of the result, for people."""
        if not self.as_json:
            print(text, flush=True)

    def result(self, found: Mapping[str, object]) -> None:
        """The result, for programs."""
        if self.as_json:
            options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
            print(orjson.dumps(found, default=_plain, option=options).decode(), flush=True)

    def note(self, text: str) -> None:
        """What happens meanwhile, or went wrong."""
        print(text, file=sys.stderr, flush=True)

    def fail(self, code: str, message: str) -> None:
        """Why nothing could be done."""
        self.note(f"cv: {message}")
        self.result({"error": {"code": code, "message": message}})

    @contextmanager
    def progress(self, what: str, *, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar on the terminal; call what it gives with how many more are done."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True, soft_wrap=True)) as progress:
            bar = progress.add_task("", total=total)
            yield lambda count: progress.advance(bar, count)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)
