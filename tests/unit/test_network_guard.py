"""Camera addresses: only allowed networks, every answer checked, metadata never."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from app.errors import ConfigurationError, InvalidInput, Unavailable
from app.utils.network_guard import NetworkGuard, parse_networks, resolve


def guard(allowed: str, *answers: str) -> NetworkGuard:
    """A guard whose resolver gives these answers; without any, the system's resolver, which reads addresses."""

    def told(_host: str, _port: int) -> Sequence[str]:
        return answers

    return NetworkGuard(parse_networks(allowed), resolver=told if answers else resolve)


@pytest.mark.parametrize(
    ("allowed", "host"),
    [("10.20.0.0/16", "10.20.3.4"), ("10.20.0.0/16, 192.168.1.7", "192.168.1.7"), ("fd00:1::/64", "fd00:1::5")],
)
def test_an_allowed_address_passes(allowed: str, host: str) -> None:
    assert guard(allowed).addresses(host, 554) == [host]


@pytest.mark.parametrize(
    "host",
    [
        "10.21.0.1",
        "127.0.0.1",
        "::1",
        "8.8.8.8",
        "0.0.0.0",  # noqa: S104  # an address to refuse
        "2130706433",  # 127.0.0.1 as a number
        "0x7f.1",
        "127.1",
    ],
)
def test_everything_else_is_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="CAMERA_ALLOWED_CIDRS"):
        guard("10.20.0.0/16").addresses(host, 80)


def test_without_networks_nothing_is_allowed() -> None:
    with pytest.raises(InvalidInput):
        guard("").addresses("10.0.0.1", 80)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1%2"],
)
def test_metadata_addresses_are_refused_even_where_all_is_allowed(address: str) -> None:
    with pytest.raises(InvalidInput, match="metadata"):
        guard("0.0.0.0/0, ::/0", address).addresses("camera.example", 80)


def test_one_bad_answer_spoils_the_name() -> None:
    with pytest.raises(InvalidInput):
        guard("10.20.0.0/16", "10.20.0.1", "127.0.0.1").addresses("camera.example", 80)


def test_wrapped_addresses_are_unwrapped() -> None:
    with pytest.raises(InvalidInput):
        guard("::/0", "::ffff:127.0.0.1").addresses("camera.example", 80)
    with pytest.raises(InvalidInput):
        guard("::/0", "2002:7f00:1::").addresses("camera.example", 80)
    with pytest.raises(InvalidInput, match="metadata"):
        guard("::/0, 0.0.0.0/0", "64:ff9b::a9fe:a9fe").addresses("camera.example", 80)


@pytest.mark.parametrize("address", ["fe80::1%eth0", "fe80::1%25eth0", "fe80::1%", "fd00:1::5%1"])
def test_addresses_with_a_scope_are_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="link-local"):
        guard("::/0", address).addresses("camera.example", 80)


@pytest.mark.parametrize("address", ["224.0.0.1", "ff02::1", "::"])
def test_multicast_and_the_unspecified_address_are_refused(address: str) -> None:
    with pytest.raises(InvalidInput):
        guard("0.0.0.0/0, ::/0", address).addresses("camera.example", 80)


def test_a_name_without_address_is_told_apart() -> None:
    with pytest.raises(Unavailable) as unknown:
        guard("10.0.0.0/8").addresses("no-such-camera.invalid", 80)
    assert unknown.value.code == "camera_host_unknown"


def test_a_wrong_network_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="CAMERA_ALLOWED_CIDRS"):
        parse_networks("10.20.0.0/16, camera")
