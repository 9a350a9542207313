"""Looks for ONVIF cameras in the allowed networks, when somebody asks for it, and for what each offers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.errors import InvalidInput, Overloaded
from app.services.database import Database
from app.services.stores.audit import add_audit_entry
from app.services.streams.http_client import HttpClient
from app.services.streams.onvif import OnvifDevice, OnvifFacts, OnvifProfile
from app.services.streams.types import Credentials, Fault, StreamFailed
from app.services.streams.ws_discovery import PORT, Announcement, ask_around
from app.utils.network_guard import CAMERAS, Network, NetworkGuard

__all__ = ["MOST_DEVICES", "CameraDiscovery", "FoundCamera", "OnvifProfile"]

MOST_DEVICES = 64
_LISTEN_S = 3.0
_ASK_S = 12.0  # all devices together, after listening
_CALL_S = 3.0
_AT_ONCE = 8
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class FoundCamera:
    """A device that answered. ``facts``: None where ``fault`` says why it said no more."""

    announced: Announcement
    facts: OnvifFacts | None
    fault: Fault | None = None
    message: str | None = None


class CameraDiscovery:
    """One search at a time.

    Args:
        guard: where questions may go.
        networks: that the guard allows.
        ports: of cameras; a device that names another is listed, and not asked.
        port: of WS-Discovery.
    """

    def __init__(
        self,
        database: Database,
        guard: NetworkGuard,
        *,
        networks: Sequence[Network],
        ports: frozenset[int],
        port: int = PORT,
    ) -> None:
        self._database = database
        self._guard = guard
        self._networks = networks
        self._ports = ports
        self._port = port
        self._is_running = False

    async def discover(self, *, hosts: Sequence[str], credentials: Credentials | None, actor: str) -> list[FoundCamera]:
        """Ask everybody on the links of the allowed networks, or ``hosts`` alone; takes up to some 20 s.

        Raises:
            InvalidInput: no network is allowed, or a host lies in none.
            Overloaded: a search is under way.
        """
        if not self._networks:
            raise InvalidInput(
                f"No camera is looked for before {CAMERAS.setting} names the cameras' networks.",
                code="camera_address_refused",
            )
        if self._is_running:
            raise Overloaded("Cameras are being looked for; try again in a moment.", retry_after_s=_LISTEN_S + _ASK_S)
        self._is_running = True
        # Shielded: the threads go on whether or not the client still waits.
        work = asyncio.ensure_future(asyncio.to_thread(self._search, hosts, credentials))
        work.add_done_callback(lambda _: self._done())
        found = await asyncio.shield(work)
        async with self._database.transaction() as connection:
            details = {"hosts": list(hosts), "found": [one.announced.address for one in found]}
            await add_audit_entry(connection, "camera.discover", subject="cameras", actor=actor, details=details)
        return found

    def _done(self) -> None:
        self._is_running = False

    def _search(self, hosts: Sequence[str], credentials: Credentials | None) -> list[FoundCamera]:
        announced = ask_around(
            self._guard, self._networks, hosts=hosts, wait_s=_LISTEN_S, most=MOST_DEVICES, port=self._port
        )
        deadline_s = time.monotonic() + _ASK_S
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="onvif") as threads:
            return list(threads.map(lambda one: self._look_at(one, credentials, deadline_s), announced))

    def _look_at(self, one: Announcement, credentials: Credentials | None, deadline_s: float) -> FoundCamera:
        try:
            self._check_port(one.service_url)
            http = HttpClient(self._guard, ports=self._ports, timeout_s=_CALL_S)
            return FoundCamera(one, OnvifDevice(http, one.service_url, credentials, deadline_s=deadline_s).facts())
        except StreamFailed as error:
            return FoundCamera(one, None, error.fault, error.message)

    def _check_port(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            port = None
        if port not in self._ports:
            raise StreamFailed(Fault.REFUSED, "The device answers on a port that is not in CAMERA_PORTS.")
