"""Which addresses the service may open a connection to on somebody's word.

The URL of a camera or a webhook comes from a user, so without this a caller could make the service reach any host.
Every address that a name resolves to must lie in an allowed network, and the connection is made to one of the
addresses that were checked, so a name that resolves differently a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from app.errors import ConfigurationError, InvalidInput, Unavailable

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""All addresses of a host name, as text. Raises OSError where it has none."""

# Where clouds answer with credentials. Refused even inside an allowed network.
_METADATA = tuple(
    ipaddress.ip_network(text)
    for text in ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128", "fe80::/10")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Purpose:
    """What connections are made for: names it in messages and codes.

    ``setting`` lists the networks; ``allows_public`` adds all addresses of the internet.
    """

    subject: str
    setting: str
    allows_public: bool = False


CAMERAS = Purpose("camera", "CAMERA_ALLOWED_CIDRS")
WEBHOOKS = Purpose("webhook", "WEBHOOK_ALLOWED_CIDRS")
PUBLIC_WEBHOOKS = Purpose("webhook", "WEBHOOK_ALLOWED_CIDRS", allows_public=True)


def parse_networks(text: str, *, setting: str = CAMERAS.setting) -> tuple[Network, ...]:
    """Comma-separated networks such as ``10.20.0.0/16, fd00:1::/64``.

    Raises:
        ConfigurationError: a part is no network.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{setting} holds something that is no network ({error}); write such as 10.20.0.0/16."
        ) from error


def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer, all of it. Blocks, so it belongs on a thread."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


class NetworkGuard:
    """Checks hosts against the allowed networks.

    Args:
        allowed: networks in which connections may be made; none means no connection at all.
        purpose: what the connections are for.
        resolver: how names become addresses.
    """

    def __init__(self, allowed: Sequence[Network], *, purpose: Purpose = CAMERAS, resolver: Resolver = resolve) -> None:
        self._allowed = tuple(allowed)
        self._purpose = purpose
        self._resolver = resolver

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses to connect to, every one of them allowed. Blocks while it resolves a name.

        Raises:
            InvalidInput: one of the host's addresses is not allowed.
            Unavailable: the name does not resolve now.
        """
        try:
            found = list(dict.fromkeys(self._resolver(host, port)))
        except (OSError, UnicodeError) as error:
            raise self._unknown() from error
        if not found:
            raise self._unknown()
        for text in found:
            self._check(text)
        return found

    def _check(self, text: str) -> None:
        address = _canonical(text)
        # A scope, as in fe80::1%eth0, belongs to link-local addresses; with any other it only serves to hide one.
        if "%" in text or any(address in network for network in _METADATA):
            raise self._refused("is link-local or a cloud's metadata service, which is never reached")
        if address.is_multicast or address.is_unspecified or not self._is_allowed(address):
            public = "not public and " if self._purpose.allows_public else ""
            raise self._refused(f"is {public}outside the networks in {self._purpose.setting}")

    def _is_allowed(self, address: Address) -> bool:
        return any(address in net for net in self._allowed) or (self._purpose.allows_public and address.is_global)

    def _refused(self, reason: str) -> InvalidInput:
        subject = self._purpose.subject
        return InvalidInput(f"The {subject}'s address {reason}.", code=f"{subject}_address_refused")

    def _unknown(self) -> Unavailable:
        subject = self._purpose.subject
        return Unavailable(f"The {subject}'s host name does not resolve.", code=f"{subject}_host_unknown")


def _canonical(text: str) -> Address:
    """The address without a scope; IPv4 that is wrapped in IPv6 is unwrapped, so that it can't slip past a rule."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
