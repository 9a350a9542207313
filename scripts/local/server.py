"""What every local server offers the stack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from scripts.local.processes import Command

# Only what a server needs of our environment: it has no business with the secrets of whoever called us.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")


class Server(Protocol):
    """One program that the stack starts, watches and stops."""

    @property
    def name(self) -> str:
        """Of its files: lower case, one word."""

    @property
    def label(self) -> str:
        """What people call it."""

    def prepare(self) -> None:
        """Make what must exist before the first start. Done before every start, so it must bear repetition."""

    def command(self) -> Command:
        """How to start and stop it."""

    def is_ready(self) -> bool:
        """Whether it answers now."""

    def provision(self) -> None:
        """Make what must exist inside it: called once it is ready, and bears repetition."""

    def settings(self) -> Mapping[str, str]:
        """The service's settings that point at it."""


def server_environment(**own: str) -> dict[str, str]:
    """The environment of a server: a few inherited names, and its own."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | own
