"""Owns the watching of what changes under the edge: endpoints by name, the public certificate's files, public keys."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from services.kit.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.gateway.composition import Addresses
    from services.gateway.publisher import Publisher
    from services.kit.telemetry import Log

LOOKUP_SECONDS = 5.0
FILES_SECONDS = 2.0


class Endpoints:
    """Looks up the upstreams' host names again and again; keeps the last good answer."""

    def __init__(self, addresses: Mapping[str, str], publisher: Publisher, log: Log) -> None:
        """Take ``host:port`` by cluster."""
        self._addresses, self._publisher, self._log = dict(addresses), publisher, log
        self._known: dict[str, Addresses] = {}

    async def run(self) -> None:
        """Look up for ever."""
        while True:
            found = {name: await self._lookup(name, address) for name, address in self._addresses.items()}
            if found != self._known:
                self._known = found
                self._publisher.offer(endpoints=found)
            await asyncio.sleep(LOOKUP_SECONDS)

    async def _lookup(self, name: str, address: str) -> Addresses:
        host, _, port = address.rpartition(":")
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=1)
        except OSError:
            self._log.warning("an upstream's name has no address", peer=name)
            return self._known.get(name, ())
        return tuple(sorted({(str(info[4][0]), int(port)) for info in found}))


class Certificate:
    """Reads the public certificate and key again when they change; a pair that does not fit is left alone."""

    def __init__(self, chain: Path, key: Path, publisher: Publisher, log: Log) -> None:
        """Take the files."""
        self._chain, self._key, self._publisher, self._log = chain, key, publisher, log
        self._known: tuple[bytes, bytes] | None = None

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(FILES_SECONDS)

    def look(self) -> None:
        """Read once, and offer what is new and fits."""
        try:
            found = (self._chain.read_bytes(), self._key.read_bytes())
            if found == self._known:
                return
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._chain, self._key)
        except OSError as error:  # ssl.SSLError is one
            self._log.warning("the public certificate cannot be used", type=type(error).__name__)
            return
        self._known = found
        self._publisher.offer(chain=found[0], key=Secret(found[1]))
