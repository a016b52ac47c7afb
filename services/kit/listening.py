"""The process's own listening sockets, as the kernel tells them, against those that its configuration declares.

Owns the reading of ``/proc``; knows nothing of other processes.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.kit.checks import UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_LISTEN = "0A"


def listening(proc: Path = Path("/proc/self")) -> frozenset[tuple[Address, int]]:
    """Return the addresses and ports at which this process listens for TCP.

    Raises:
        UnknownError: This system has no ``/proc``.
    """
    try:
        own = frozenset(_inodes(proc / "fd"))
        tables = [
            (proc / "net" / name).read_text("ascii") for name in ("tcp", "tcp6") if (proc / "net" / name).exists()
        ]
    except OSError as error:
        raise UnknownError from error
    if not tables:
        raise UnknownError
    rows = (line.split() for table in tables for line in table.splitlines()[1:])
    return frozenset(_address(row[1]) for row in rows if row[3] == _LISTEN and row[9] in own)


def strays(found: Iterable[tuple[Address, int]], declared: Iterable[str]) -> int:
    """Return how many listening sockets no declared ``host:port`` covers.

    One declared for a single address covers that alone; one for all addresses (``0.0.0.0``, ``[::]``) or for a name
    covers its port.
    """
    allowed = [_declared(address) for address in declared]
    return sum(
        not any(port == wanted and (host is None or host == address) for host, wanted in allowed)
        for address, port in found
    )


def _declared(text: str) -> tuple[Address | None, int]:
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None, int(port)
    return (None if address.is_unspecified else address), int(port)


def _inodes(folder: Path) -> Iterator[str]:
    for name in os.listdir(folder):  # noqa: PTH208 - names alone, of links to what is no file
        try:
            found = _SOCKET.fullmatch(os.readlink(folder / name))  # noqa: PTH115 - what it names is no path
        except FileNotFoundError:
            continue  # closed meanwhile
        if found is not None:
            yield found[1]


def _address(text: str) -> tuple[Address, int]:
    """Read the kernel's form: words of four bytes in the machine's order, then the port."""
    words, _, port = text.partition(":")
    step = -1 if sys.byteorder == "little" else 1
    data = b"".join(bytes.fromhex(words[start : start + 8])[::step] for start in range(0, len(words), 8))
    address = ipaddress.ip_address(data)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address, int(port, 16)
