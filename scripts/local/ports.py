"""Loopback ports of the local servers: chosen once, kept while nobody else takes them."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from scripts.local.errors import LocalStackError
from scripts.local.layout import write_private

LOOPBACK = "127.0.0.1"

# Below the range from which Linux takes ports for outgoing connections (32768 on), so that none of those can sit
# on a port of ours while a server restarts.
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_ATTEMPTS = 200


def is_free(port: int, *, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on ``port`` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_free_port(taken: Iterable[int] = ()) -> int:
    """A free loopback port that is not in ``taken``.

    Raises:
        LocalStackError: none was found.
    """
    avoided = set(taken)
    for _ in range(_ATTEMPTS):
        port = random.randint(_FIRST_PORT, _LAST_PORT)
        if port not in avoided and is_free(port):
            return port
    raise LocalStackError(f"No free port between {_FIRST_PORT} and {_LAST_PORT} on {LOOPBACK}.")


def assign_ports(path: Path, names: Iterable[str]) -> dict[str, int]:
    """A port for each name: the kept one where it is free, else a new one. Writes ``path`` when anything changed.

    Call this when servers of an earlier run have been stopped: one that still listens looks like a stranger.
    """
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        kept = {}
    ports: dict[str, int] = {}
    for name in names:
        port = kept.get(name)
        if not isinstance(port, int) or port in ports.values() or not is_free(port):
            port = choose_free_port([*ports.values(), *(p for p in kept.values() if isinstance(p, int))])
        ports[name] = port
    if ports != kept:
        write_private(path, json.dumps(ports, indent=2) + "\n")
    return ports
