"""Owns what the edge is seen to offer to anybody who comes from outside: by real handshakes, and one plain request.

A browser's handshake (chain and name verified) and one of an old client that knows no 256-bit suite tell the fewest
bits that are agreed on. The headers of the start page, asked for over the same handshake, tell for how long browsers
insist on HTTPS; asked for in clear, there must be no page. Must never sign in, nor ask for more than headers.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

from services.kit.checks import UnknownError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_SECONDS = 5.0
_WEAK = "ECDHE+AES128:AES128:@SECLEVEL=0"
_HTTPS, _HTTP = 443, 80
_AGE = re.compile(r"max-age *= *\"?([0-9]{1,12})\"?", re.IGNORECASE)
_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UPGRADE_REQUIRED)
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Edge:
    """The public listener: where it answers (``host`` or ``host:port``), its name, and the CAs if not the system's."""

    address: str
    name: str
    bundle: Path | None
    authority: str = ""
    """What a request names, if that is more than the name."""

    async def bits(self) -> int:
        """Return the fewest bits that a handshake agrees on; 0 for an unverified chain or name, or an old protocol.

        Raises:
            OSError: The edge cannot be reached.
        """
        try:
            offered = await self._agreed(self._verifying())
        except ssl.SSLError:
            return 0
        weak = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        weak.check_hostname, weak.verify_mode = False, ssl.CERT_NONE  # nobody is trusted: it is hung up at once
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers(_WEAK)
        try:
            agreed = await self._agreed(weak)
        except (ssl.SSLError, ConnectionResetError):
            return offered
        return min(offered, agreed)

    async def certificate_ends(self) -> datetime:
        """Return when the certificate that the edge shows ends.

        Raises:
            OSError: The edge cannot be reached, or shows none that verifies.
        """
        async with self._shaken(self._verifying()) as (_, writer):
            certificate = writer.get_extra_info("peercert")
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)

    async def insists_days(self) -> int:
        """Return for how many days browsers are told to ask for HTTPS alone, of subdomains too; 0 if they are not.

        Raises:
            OSError: The edge cannot be reached, or its certificate does not verify.
            UnknownError: It does not answer.
        """
        async with self._shaken(self._verifying()) as streams:
            answer = await self._asked(*streams)
        if answer is None:
            raise UnknownError
        said = [part.strip() for part in (answer[1]["strict-transport-security"] or "").split(";")]
        ages = [age for part in said if (age := _AGE.fullmatch(part)) is not None]
        if len(ages) != 1 or "includesubdomains" not in (part.lower() for part in said):
            return 0
        return timedelta(seconds=int(ages[0][1])) // timedelta(days=1)

    async def answers_in_clear(self) -> int:
        """Return at how many ports, its own and HTTP's, plain HTTP gets more than a way to HTTPS or a refusal.

        Raises:
            OSError: The edge cannot be reached.
        """
        host, port = self._place()
        found = await self._serves_in_clear(host, port)
        if port == _HTTPS:
            try:
                found += await self._serves_in_clear(host, _HTTP)
            except OSError:  # of a host with several addresses, no more is said than that
                return found  # closed: at its own port it has answered
        return found

    async def _serves_in_clear(self, host: str, port: int) -> int:
        async with _connected(host, port) as streams:
            answer = await self._asked(*streams)
        if answer is None or answer[0] in _REFUSALS:
            return 0
        elsewhere = HTTPStatus.MOVED_PERMANENTLY <= answer[0] < HTTPStatus.BAD_REQUEST
        return int(not (elsewhere and (answer[1]["location"] or "").startswith("https://")))

    async def _asked(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[int, http.client.HTTPMessage] | None:
        """Ask for the start page's headers; return (status, headers), or None when what comes is no answer of HTTP."""
        writer.write(f"HEAD / HTTP/1.1\r\nHost: {self.authority or self.name}\r\nConnection: close\r\n\r\n".encode())
        try:
            await writer.drain()
            status, _, fields = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
            protocol, code, *_ = status.split(b" ")
            headers = http.client.parse_headers(BytesIO(fields))
            return (int(code), headers) if protocol.startswith(b"HTTP/1.") else None
        except (ConnectionResetError, BrokenPipeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return None
        except (ValueError, http.client.HTTPException):
            return None

    def _place(self) -> tuple[str, int]:
        host, _, port = self.address.partition(":") if self.address[0] != "[" else self.address.rpartition(":")
        return host.strip("[]"), int(port or _HTTPS)

    def _verifying(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=None if self.bundle is None else str(self.bundle))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    async def _agreed(self, context: ssl.SSLContext) -> int:
        async with self._shaken(context) as (_, writer):
            return int(writer.get_extra_info("cipher")[2])

    @asynccontextmanager
    async def _shaken(self, context: ssl.SSLContext) -> AsyncIterator[_Streams]:
        async with _connected(*self._place(), ssl=context, server_hostname=self.name) as streams:
            yield streams


@asynccontextmanager
async def _connected(host: str, port: int, **tls: Any) -> AsyncIterator[_Streams]:
    """Connect; hang up within a few seconds, whatever the other side does."""
    async with asyncio.timeout(_SECONDS):
        reader, writer = await asyncio.open_connection(host, port, **tls)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()
