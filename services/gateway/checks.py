"""Owns the gateway's live checks: what the edge offers to anybody, seen from outside, and what else it listens at.

``gateway.edge_listeners`` asks Envoy; the other ones of the edge look at it as a stranger does (`edge`).
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING

from services.gateway.edge import Edge
from services.kit.checks import Check, UnknownError
from services.kit.listening import strays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.gateway.answered import Answered
    from services.gateway.config import Config
    from services.gateway.doors import Doors
    from services.kit.clock import Clock

_SECONDS = 5.0
_MOST_BYTES = 1 << 20


def checks(config: Config, doors: Doors, answered: Answered, clock: Clock) -> Iterator[Check]:
    """Yield the checks."""
    public = config.public
    edge = Edge(public.probe or public.names[0], public.host, public.ca_bundle, public.names[0])

    async def days() -> int:
        return (await edge.certificate_ends() - clock.now()).days

    yield Check("gateway.doors", doors.answered)
    yield Check("gateway.unrecorded_requests", answered.unrecorded)
    yield Check("gateway.edge_tls", edge.bits)
    yield Check("gateway.edge_certificate_days", days, config.checks.certificate_days)
    yield Check("gateway.edge_plain_http", edge.answers_in_clear)
    if not public.local:
        yield Check("gateway.edge_hsts", edge.insists_days)
    admin = config.envoy.admin_here
    if admin is None:
        return

    async def unexpected() -> int:
        return strays(await listeners(admin), (public.listen,))

    yield Check("gateway.edge_listeners", unexpected)


async def listeners(admin: Path) -> list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]]:
    """Return where Envoy listens, as it says on its admin socket.

    Raises:
        OSError: It cannot be asked.
        UnknownError: It does not say.
    """
    answer = await asyncio.to_thread(_asked, admin)
    try:
        sockets = [one["local_address"]["socket_address"] for one in json.loads(answer)["listener_statuses"]]
        return [(ipaddress.ip_address(one["address"]), int(one["port_value"])) for one in sockets]
    except (ValueError, KeyError, TypeError) as error:
        raise UnknownError from error


class _Admin(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _asked(admin: Path) -> bytes:
    with closing(_Admin(admin)) as connection:
        try:
            connection.request("GET", "/listeners?format=json")
            return connection.getresponse().read(_MOST_BYTES)
        except http.client.HTTPException as error:
            raise UnknownError from error
