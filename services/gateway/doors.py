"""Owns what `gateway.doors` (P3) counts: listeners between services that answer who shows no certificate.

The gateway knocks at every door it knows, its own included, as a stranger: once over TLS without a client certificate,
once in the clear. Only a refusal is right. Counts only; nothing is sent but a greeting.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SECONDS = 3.0
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_ALERT = 0x15
"""First byte of a TLS alert: how a TLS listener refuses plain text."""


class Doors:
    """The listeners that must stay closed to strangers."""

    def __init__(self, addresses: Iterable[str], bundle: Path) -> None:
        """Take ``host:port`` of each, and the CA that vouches for them."""
        self._addresses = tuple(addresses)
        self._bundle = bundle

    async def answered(self) -> int:
        """Return how many doors answered a stranger.

        Raises:
            OSError: One could not be reached: nothing is known of it.
        """
        context = ssl.create_default_context(cafile=str(self._bundle))
        context.check_hostname = False  # whoever answers is wrong, whatever its name
        found = await asyncio.gather(
            *(_answers(address, secured) for address in self._addresses for secured in (None, context))
        )
        return sum(found)


async def _answers(address: str, secured: ssl.SSLContext | None) -> bool:
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(_SECONDS * 2):
        try:
            reader, writer = await asyncio.open_connection(host, int(port), ssl=secured)
        except (ssl.SSLError, ConnectionResetError):
            return False
        try:
            writer.write(_GREETING)
            first = await asyncio.wait_for(reader.read(1), _SECONDS)
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError, TimeoutError):
            return False  # the last: it holds its tongue
        finally:
            writer.transport.abort()
    return bool(first) and not (secured is None and first[0] == _ALERT)
