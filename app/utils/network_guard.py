"""Which addresses the service may open a connection to on somebody's word.

A camera's URL comes from a user, so without this a caller could make the service read any host it reaches. Every
address that a name resolves to must lie in an allowed network, and the connection is made to one of the addresses
that were checked, so a name that resolves differently a moment later gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
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


def parse_networks(text: str) -> tuple[Network, ...]:
    """Comma-separated networks such as ``10.20.0.0/16, fd00:1::/64``.

    Raises:
        ConfigurationError: a part is no network.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"CAMERA_ALLOWED_CIDRS holds something that is no network ({error}); write such as 10.20.0.0/16."
        ) from error


def resolve(host: str, port: int) -> Sequence[str]:
    """The system's answer, all of it. Blocks, so it belongs on a thread."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


class NetworkGuard:
    """Checks hosts against the allowed networks.

    Args:
        allowed: networks in which connections may be made; none means no connection at all.
        resolver: how names become addresses.
    """

    def __init__(self, allowed: Sequence[Network], *, resolver: Resolver = resolve) -> None:
        self._allowed = tuple(allowed)
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
            raise Unavailable("The camera's host name does not resolve.", code="camera_host_unknown") from error
        if not found:
            raise Unavailable("The camera's host name does not resolve.", code="camera_host_unknown")
        for text in found:
            self._check(_canonical(text))
        return found

    def _check(self, address: Address) -> None:
        if any(address in network for network in _METADATA):
            raise InvalidInput(
                "The camera's address is link-local or a cloud's metadata service, which is never read.",
                code="camera_address_refused",
            )
        if address.is_multicast or address.is_unspecified or not any(address in net for net in self._allowed):
            raise InvalidInput(
                "The camera's address lies outside the networks in CAMERA_ALLOWED_CIDRS.", code="camera_address_refused"
            )


def _canonical(text: str) -> Address:
    """The address without a scope; IPv4 that is wrapped in IPv6 is unwrapped, so that it can't slip past a rule."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address
