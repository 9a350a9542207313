"""Keeps services alive until somebody asks us to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from scripts.local.service import Service

_WATCH_INTERVAL_S = 0.2


def watch(services: Iterable[Service], *, until: threading.Event) -> None:
    """Restart what dies, until the event is set."""
    watched = list(services)
    while not until.wait(_WATCH_INTERVAL_S):
        for service in watched:
            service.restart_if_dead()


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set.

    Having a handler also means that children get the default handling, even where a shell made us ignore SIGINT,
    as it does with commands in the background.
    """
    requested = threading.Event()

    def receive(_number: int, _frame: FrameType | None) -> None:
        requested.set()

    previous = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
