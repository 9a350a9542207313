"""What the person in front of the terminal sees."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

MEGABYTE = 1_000_000


class Progress:
    """One line for each finished role, and on a terminal a moving line for what is being done.

    Use as a context manager.

    Args:
        console: the terminal.
        roles: how many there are.
        kept_console: where roles are told that were there already.
    """

    def __init__(self, console: Console, *, roles: int, kept_console: Console | None = None) -> None:
        self._console = console
        self._kept_console = kept_console or console
        self._status: Status | None = None
        self._roles = roles
        self._done = 0
        self._role = ""
        self._text = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def begin(self, role: str) -> None:
        """Work on this role starts."""
        self._role = role
        self._text = "verifying"
        if self._status is not None:
            self._status.update(self._line())

    def step(self, text: str) -> None:
        """What is being done for the role now."""
        self._text = text
        if self._status is None:
            self._console.print(self._line(), highlight=False, markup=False, soft_wrap=True)
        else:
            self._status.update(self._line())

    def transferred(self, done_bytes: int, total_bytes: int) -> None:
        """How much of a download is there; ``total_bytes`` 0 where the server does not tell."""
        if self._status is not None:
            total = f" of {total_bytes / MEGABYTE:.0f}" if total_bytes else ""
            self._status.update(f"{self._line()}: {done_bytes / MEGABYTE:.0f}{total} MB")

    def end(self, outcome: str) -> None:
        """The role is finished, with this outcome."""
        self._end(outcome, self._console)

    def keep(self, outcome: str) -> None:
        """There was nothing to do for the role."""
        self._end(outcome, self._kept_console)

    def _end(self, outcome: str, console: Console) -> None:
        self._done += 1
        place = f"{self._done:>{len(str(self._roles))}}/{self._roles}"
        console.print(f"{place} {self._role}: {outcome}", highlight=False, markup=False, soft_wrap=True)

    def _line(self) -> str:
        return f"    {self._role}: {self._text} …"
