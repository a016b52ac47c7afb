"""Owns `gateway.unrecorded_requests` (P5): what the edge answered, as Envoy's spans tell it, against the log.

Best effort: in memory only, and so many at a time. Must never keep more of a request than its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from services.kit.checks import UnknownError
from services.kit.policy import Effect
from valv.audit.v1 import append_pb2, append_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from services.gateway.contracts import Exposed
    from services.kit.clients import Channels
    from services.kit.clock import Clock
    from services.kit.telemetry import Log

MOST = 65_536
"""Requests that are held for a comparison; what is answered beyond them is not compared."""
PATIENCE_SECONDS = 300.0
"""How long the log may lack one, counted from when it says so: records are on their way longest when it was away."""
_AT_ONCE = 1000


class Answered:
    """The requests that the log must hold."""

    def __init__(self, exposed: Iterable[Exposed], channels: Channels, clock: Clock, log: Log, patience: float) -> None:
        """Take what the edge routes, the way to the log, and the most patience, in seconds."""
        recorded = (one.binding for one in exposed if one.method.policy.effect is not Effect.UNRECORDED)
        self._routes = {f"{binding.verb} {binding.path}" for binding in recorded}
        self._channels, self._clock, self._log = channels, clock, log
        self._patience = min(PATIENCE_SECONDS, patience)
        self._held: dict[str, float | None] = {}  # since when the log is known to lack it

    def take(self, span: Span) -> None:
        """Take a span of Envoy's, if it is of a request that succeeded on a route whose calls are recorded."""
        if span.name in self._routes and len(self._held) < MOST:
            said = {attribute.key: attribute.value.string_value for attribute in span.attributes}
            if said.get("http.status_code", "").startswith("2") and (request := said.get("guid:x-request-id")):
                self._held.setdefault(request, None)

    async def unrecorded(self) -> int:
        """Return how many requests the log lacks for longer than records take; those that it has are let go.

        Raises:
            UnknownError: It does not say.
        """
        compared = list(self._held)
        for start in range(0, len(compared), _AT_ONCE):
            some = compared[start : start + _AT_ONCE]
            lacking, now = await self._lacking(some), self._clock.monotonic()
            since = {request: self._held.pop(request) for request in some}
            self._held |= {request: since[request] or now for request in lacking}
        times = [since for since in self._held.values() if since is not None]
        self._log.info("requests compared with the log", count=len(compared), number=len(times))
        return sum(self._clock.monotonic() - since >= self._patience for since in times)

    async def _lacking(self, requests: Iterable[str]) -> Iterable[str]:
        stub: append_pb2_grpc.AppendServiceAsyncStub = append_pb2_grpc.AppendServiceStub(self._channels.get("audit"))
        try:
            return (await stub.FindUnrecorded(append_pb2.FindUnrecordedRequest(request_ids=requests))).request_ids
        except grpc.aio.AioRpcError as error:
            raise UnknownError from error
