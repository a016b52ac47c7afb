"""How coarsely an address becomes a place."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth import places


@pytest.mark.parametrize(
    "address,place",
    [
        ("192.0.2.7", "192.0.0.0/16"),
        ("203.0.113.255", "203.0.0.0/16"),
        ("2001:db8:1234::1", "2001:db8::/32"),
        ("127.0.0.1", places.THIS_MACHINE),
        ("::1", places.THIS_MACHINE),
        ("10.1.2.3", places.PRIVATE_NETWORK),
        ("192.168.1.2", places.PRIVATE_NETWORK),
        ("172.31.255.255", places.PRIVATE_NETWORK),
        ("172.32.0.1", "172.32.0.0/16"),
        ("100.64.0.1", places.PRIVATE_NETWORK),
        ("fd00::1", places.PRIVATE_NETWORK),
        ("fe80::1", places.PRIVATE_NETWORK),
        ("", places.UNKNOWN),
        ("somewhere", places.UNKNOWN),
    ],
)
def test_an_address_becomes_its_network(address: str, place: str) -> None:
    assert places.coarse(address) == place


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_neighbours_in_a_network_cannot_be_told_apart(address: ipaddress.IPv4Address, host: int) -> None:
    network = int(address) >> 16 << 16
    places_there = {places.coarse(str(ipaddress.IPv4Address(network | one))) for one in (0, host, 65535)}
    assert len(places_there) <= 2  # a private range may begin inside (100.64.0.0/10 does not; 172.16.0.0/12 does not)
    assert str(address) not in places_there or str(address).endswith(".0.0")
