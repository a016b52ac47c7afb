"""Owns the transport of snapshots: the aggregated discovery service, state of the world, with ACK and NACK.

Must never look inside a resource, and never log what Envoy says about one without cutting it down (it echoes them).
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envoy.service.discovery.v3 import discovery_pb2

from services.gateway.xds.snapshot import ORDER, type_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from services.gateway.xds.snapshot import Snapshot
    from services.kit.telemetry import Log

ANSWER_SECONDS = 10.0


class RefusedError(Exception):
    """Envoy refused a pushed configuration and was given the one before; holds the short type name only."""


@dataclass
class _Subscription:
    """What one stream wants of one type, and where it stands."""

    names: frozenset[str]
    version: str = ""
    nonce: str = ""
    answered: bool = True
    refused: bool = False


@dataclass(eq=False)
class _Stream:
    """One connected Envoy."""

    write: Callable[[discovery_pb2.DiscoveryResponse], Awaitable[None]]
    subscriptions: dict[str, _Subscription] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Ads:
    """Serves the present snapshot to every connected Envoy."""

    def __init__(self, log: Log) -> None:
        """Begin with nothing to serve: streams wait."""
        self._log = log
        self._snapshot: Snapshot | None = None
        self._streams: set[_Stream] = set()
        self._nonces = itertools.count(1)
        self._changed = asyncio.Condition()

    @property
    def snapshot(self) -> Snapshot | None:
        """What is served."""
        return self._snapshot

    async def stream(
        self,
        requests: AsyncIterator[discovery_pb2.DiscoveryRequest],
        write: Callable[[discovery_pb2.DiscoveryResponse], Awaitable[None]],
    ) -> None:
        """Serve one Envoy until it goes."""
        stream = _Stream(write)
        self._streams.add(stream)
        self._log.info("envoy connected", count=len(self._streams))
        try:
            async for request in requests:
                await self._received(stream, request)
        finally:
            self._streams.discard(stream)
            async with self._changed:
                self._changed.notify_all()
            self._log.info("envoy left", count=len(self._streams))

    async def push(self, snapshot: Snapshot) -> None:
        """Give every connected Envoy a new snapshot, type by type, each after the one before was accepted.

        Raises:
            RefusedError: An Envoy refused a part; all were given the snapshot before.
        """
        before, self._snapshot = self._snapshot, snapshot
        for kind in map(type_url, ORDER):
            await self._send_all(kind)
            if await self._refused(kind):
                await self._restore(before)
                raise RefusedError(kind.rpartition(".")[2])

    async def _restore(self, before: Snapshot | None) -> None:
        self._snapshot = before
        for kind in map(type_url, ORDER):
            await self._send_all(kind)

    async def _send_all(self, kind: str) -> None:
        await asyncio.gather(*(self._send(stream, kind) for stream in tuple(self._streams)))

    async def _refused(self, kind: str) -> bool:
        """Wait until every Envoy that was sent this type has answered; tell whether one refused."""

        def settled() -> bool:
            return all(subscription.answered for subscription in self._subscriptions(kind))

        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(settled), ANSWER_SECONDS)
            except TimeoutError:
                self._log.warning("envoy does not answer a configuration", type=kind.rpartition(".")[2])
        return any(subscription.refused for subscription in self._subscriptions(kind))

    def _subscriptions(self, kind: str) -> list[_Subscription]:
        return [stream.subscriptions[kind] for stream in self._streams if kind in stream.subscriptions]

    async def _received(self, stream: _Stream, request: discovery_pb2.DiscoveryRequest) -> None:
        kind, names = request.type_url, frozenset(request.resource_names)
        known = stream.subscriptions.get(kind)
        if known is None:
            stream.subscriptions[kind] = _Subscription(names)
            await self._send(stream, kind)
            return
        if request.response_nonce != known.nonce:
            return  # an answer to something older
        known.answered = True
        known.refused = request.HasField("error_detail")
        if known.refused:
            self._log.error(
                "envoy refused a configuration", type=kind.rpartition(".")[2], code=request.error_detail.code
            )
        if names != known.names:
            known.names, known.version = names, ""
            await self._send(stream, kind)
        async with self._changed:
            self._changed.notify_all()

    async def _send(self, stream: _Stream, kind: str) -> None:
        snapshot, subscription = self._snapshot, stream.subscriptions.get(kind)
        if snapshot is None or subscription is None or kind not in snapshot.versions:
            return
        version = snapshot.versions[kind]
        if subscription.version == version:
            return
        found = snapshot.resources[kind]
        wanted = [found[name] for name in found if not subscription.names or name in subscription.names]
        subscription.version, subscription.nonce = version, str(next(self._nonces))
        subscription.answered, subscription.refused = False, False
        response = discovery_pb2.DiscoveryResponse(
            version_info=version, type_url=kind, nonce=subscription.nonce, resources=wanted
        )
        try:
            async with stream.lock:
                await stream.write(response)
        except Exception as error:  # noqa: BLE001 - gRPC names no type; one broken stream must not stop the others
            self._log.failure("envoy cannot be written to", error, type=kind.rpartition(".")[2])
            self._streams.discard(stream)
