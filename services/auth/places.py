"""Owns how coarsely Valv says where somebody is: the network of an address, never the address. Looks up nothing.

No geographic data is shipped: an IPv4 address becomes its /16, an IPv6 address its /32 (what a provider is given), and
addresses that mean nothing beyond a house become a class.
"""

from __future__ import annotations

import ipaddress

THIS_MACHINE = "this-machine"
PRIVATE_NETWORK = "private-network"
UNKNOWN = ""
_PREFIX = {4: 16, 6: 32}
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)


def coarse(address: str) -> str:
    """Return the place of an address as the edge saw it: "192.0.0.0/16", "this-machine", "private-network" or ""."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN
    if parsed.is_loopback:
        return THIS_MACHINE
    if any(parsed in network for network in _PRIVATE if network.version == parsed.version):
        return PRIVATE_NETWORK
    return str(ipaddress.ip_network((parsed, _PREFIX[parsed.version]), strict=False))
