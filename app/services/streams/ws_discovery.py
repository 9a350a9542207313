"""Asks a network who is a camera: WS-Discovery, as ONVIF prescribes it, over IPv4.

The common libraries listen for ever on every interface and keep whatever answers. Here a question goes out where the
caller says, once, and only so many answers are read for so long.
"""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import psutil

from app.errors import InvalidInput, Unavailable, VisionError
from app.utils.network_guard import Network, NetworkGuard
from app.utils.xml_tree import Element, children, find, parse, text

PORT = 3702
_GROUP = "239.255.255.250"
_MOST_DATAGRAMS = 512
_DATAGRAM_BYTES = 65_507
_REPEATED_AFTER_S = 0.5  # a datagram may be lost
_MOST_TEXT = 100
_MOST_INTERFACES = 16
_MOST_ADDRESSES = 8  # that one device says it has
_SCOPE = "onvif://www.onvif.org/"

_QUESTION = """<?xml version="1.0" encoding="utf-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
 xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:n="http://www.onvif.org/ver10/network/wsdl">
<e:Header><w:MessageID>{id}</w:MessageID>
<w:To e:mustUnderstand="true">urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>
<w:Action e:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action></e:Header>
<e:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a device says of itself. ``service_url`` is at ``address``, from which the answer came."""

    address: str
    service_url: str
    name: str | None
    hardware: str | None


def ask_around(
    guard: NetworkGuard,
    networks: Sequence[Network],
    *,
    hosts: Sequence[str],
    wait_s: float,
    most: int,
    port: int = PORT,
) -> list[Announcement]:
    """Everybody who answers in time, in the order of the answers.

    Blocks for ``wait_s``, or until all ``hosts`` have answered.

    Args:
        guard: an answer from elsewhere than it allows is dropped.
        networks: on whose links everybody is asked.
        hosts: are asked alone in place of everybody; each is checked.
        most: devices at most.

    Raises:
        InvalidInput: one of the hosts is not allowed.
    """
    message_id = f"urn:uuid:{uuid.uuid4()}"
    question = _QUESTION.format(id=message_id).encode()
    with ExitStack() as stack:
        if hosts:
            anywhere = stack.enter_context(_socket(""))
            asked = [(anywhere, (address, port)) for address in _addresses_of(guard, hosts, port)]
        else:
            asked = [(stack.enter_context(_socket(own)), (_GROUP, port)) for own in _own_addresses(networks)]
        found: dict[str, Announcement] = {}
        for data, sender in _answers(asked, question, wait_s=wait_s):
            one = _announcement(data, sender, message_id) if _is_allowed(guard, sender, port) else None
            if one is not None:
                found.setdefault(one.address, one)
            if len(found) >= most or (hosts and found.keys() >= {address for _, (address, _) in asked}):
                break
        return list(found.values())


def _addresses_of(guard: NetworkGuard, hosts: Sequence[str], port: int) -> list[str]:
    found: list[str] = []
    for host in hosts:
        with contextlib.suppress(Unavailable):  # a name without an address has nobody to ask
            found += [address for address in guard.addresses(host, port) if ":" not in address]
    return found


def _own_addresses(networks: Sequence[Network]) -> list[str]:
    """Our addresses on the links that the networks lie on."""
    own = []
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family is socket.AF_INET and one.netmask:
                link = ipaddress.ip_network(f"{one.address}/{one.netmask}", strict=False)
                if any(network.version == link.version and network.overlaps(link) for network in networks):
                    own.append(one.address)
    return own[:_MOST_INTERFACES]


def _socket(own: str) -> socket.socket:
    """A socket at one of our addresses, by whose link it asks everybody; any, where it is empty."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.bind((own, 0))
    if own:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    return made


def _answers(
    asked: Sequence[tuple[socket.socket, tuple[str, int]]], question: bytes, *, wait_s: float
) -> Iterator[tuple[bytes, str]]:
    """Datagrams with their sender's address, until the time is over or there were too many."""
    if not asked:
        return
    began_at_s, sent = time.monotonic(), 0
    with selectors.DefaultSelector() as waiting:
        for each in {each for each, _ in asked}:
            waiting.register(each, selectors.EVENT_READ)
        received = 0
        while (passed_s := time.monotonic() - began_at_s) < wait_s and received < _MOST_DATAGRAMS:
            if sent == 0 or (sent == 1 and passed_s >= _REPEATED_AFTER_S):
                sent += 1
                for each, place in asked:
                    with contextlib.suppress(OSError):  # no way there now
                        each.sendto(question, place)
            until_s = _REPEATED_AFTER_S if sent == 1 else wait_s
            for key, _ in waiting.select(timeout=max(0.0, min(until_s, wait_s) - passed_s)):
                received += 1
                with contextlib.suppress(OSError):  # a host that has no such port says so here
                    data, sender = key.fileobj.recvfrom(_DATAGRAM_BYTES)  # type: ignore[union-attr]  # our socket
                    yield data, sender[0]


def _is_allowed(guard: NetworkGuard, sender: str, port: int) -> bool:
    try:
        guard.addresses(sender, port)
    except InvalidInput:
        return False
    return True


def _announcement(data: bytes, sender: str, message_id: str) -> Announcement | None:
    """None of what is no answer to our question, or points elsewhere than to its sender."""
    try:
        root = parse(data)
    except VisionError:
        return None
    if text(root, "Header", "RelatesTo") != message_id:
        return None
    match = find(root, "Body", "ProbeMatches", "ProbeMatch")
    places = (text(match, "XAddrs") or "").split()[:_MOST_ADDRESSES]
    service_url = next((place for place in places if _host(place) == sender), None)
    if service_url is None:
        return None
    scopes = _scopes(match)
    return Announcement(sender, service_url, scopes.get("name"), scopes.get("hardware"))


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _scopes(match: Element | None) -> dict[str, str]:
    """What ONVIF's scopes say, such as ``name``; the first of each."""
    found: dict[str, str] = {}
    for element in children(match, "Scopes"):
        for scope in (text(element) or "").split():
            kind, _, value = scope.removeprefix(_SCOPE).partition("/")
            if scope.startswith(_SCOPE) and value:
                found.setdefault(kind, unquote(value)[:_MOST_TEXT])
    return found
