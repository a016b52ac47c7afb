"""Owns the gateway's live checks: what the edge offers to anybody, seen from outside, and what else it listens at.

``gateway.edge_tls`` shakes hands as a browser does, chain and name verified, then as an old one that knows no 256-bit
suite, and measures the fewest bits that were agreed on. ``gateway.edge_certificate_days`` reads the certificate that
the edge showed. ``gateway.edge_listeners`` asks Envoy. Must never send the edge anything but a handshake.
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from services.kit.checks import Check, UnknownError
from services.kit.listening import strays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from services.gateway.config import Config
    from services.gateway.doors import Doors
    from services.kit.clock import Clock

_SECONDS = 5.0
_MOST_BYTES = 1 << 20
_WEAK = "ECDHE+AES128:AES128:@SECLEVEL=0"


def checks(config: Config, doors: Doors, clock: Clock) -> Iterator[Check]:
    """Yield the checks."""
    edge = Edge(config.public.probe or config.public.names[0], config.public.host, config.public.ca_bundle)

    async def days() -> int:
        return (await edge.certificate_ends() - clock.now()).days

    yield Check("gateway.doors", doors.answered)
    yield Check("gateway.edge_tls", edge.bits)
    yield Check("gateway.edge_certificate_days", days, config.checks.certificate_days)
    admin = config.envoy.admin_here
    if admin is None:
        return

    async def unexpected() -> int:
        return strays(await listeners(admin), (config.public.listen,))

    yield Check("gateway.edge_listeners", unexpected)


@dataclass(frozen=True)
class Edge:
    """The public listener: where it answers (``host`` or ``host:port``), its name, and the CAs if not the system's."""

    address: str
    name: str
    bundle: Path | None

    async def bits(self) -> int:
        """Return the fewest bits that a handshake agrees on; 0 for an unverified chain or name, or an old protocol.

        Raises:
            OSError: The edge cannot be reached.
        """
        try:
            offered, _ = await self._shake(self._verifying())
        except ssl.SSLError:
            return 0
        weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        weak.check_hostname, weak.verify_mode = False, ssl.CERT_NONE  # nobody is trusted: it is hung up at once
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers(_WEAK)
        try:
            agreed, _ = await self._shake(weak)
        except (ssl.SSLError, ConnectionResetError):
            return offered
        return min(offered, agreed)

    async def certificate_ends(self) -> datetime:
        """Return when the certificate that the edge shows ends.

        Raises:
            OSError: The edge cannot be reached, or shows none that verifies.
        """
        _, certificate = await self._shake(self._verifying())
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)

    def _verifying(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=None if self.bundle is None else str(self.bundle))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    async def _shake(self, context: ssl.SSLContext) -> tuple[int, dict[str, Any]]:
        host, _, port = self.address.partition(":") if self.address[0] != "[" else self.address.rpartition(":")
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(
                host.strip("[]"), int(port or 443), ssl=context, server_hostname=self.name
            )
            cipher, certificate = writer.get_extra_info("cipher"), writer.get_extra_info("peercert")
            writer.transport.abort()
        return int(cipher[2]), certificate


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
