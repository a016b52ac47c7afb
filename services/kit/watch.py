"""Owns what a process knows of sessions that ended before their time, and the following of auth's stream of them.

The state is complete up to auth's last heartbeat. When none came for five seconds it says so rather than guess: a
session that cannot be checked is not admitted.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import grpc
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from services.kit.clock import Clock
from services.kit.faults import REVOCATION_UNKNOWN, SESSION_ENDED, Fault
from services.kit.telemetry import Log
from valv.auth.v1 import session_pb2, session_pb2_grpc

SILENT_SECONDS = 5.0
KEEP_SECONDS = 90.0
"""Longer than an assertion lives (30 s) and than auth replays (60 s)."""
_PAUSE_SECONDS = 0.2


class KeySetError(Exception):
    """What auth published is not a set of Ed25519 public keys."""


class RevocationState:
    """The revoked sessions of the last minute and the keys that sign assertions, with how fresh that knowledge is."""

    def __init__(self, clock: Clock, on_keys: Callable[[str], None] | None = None) -> None:
        """Begin without knowledge: nothing is admitted until the first heartbeat.

        Args:
            clock: The clock; only its monotonic side is used.
            on_keys: Called with the JSON Web Key Set each time it changes.
        """
        self._clock = clock
        self._on_keys = on_keys
        self._revoked: OrderedDict[str, float] = OrderedDict()
        self._heard: float | None = None
        self.jwks = ""
        self.keys: Mapping[str, OKPKey] = {}

    def replace_keys(self, jwks: str) -> None:
        """Take the keys: all of them, as a JSON Web Key Set (RFC 7517).

        Raises:
            KeySetError: It is not a set of Ed25519 public keys with ids.
        """
        if jwks != self.jwks:
            self.keys = _keys_of(jwks)
            self.jwks = jwks
            if self._on_keys is not None:
                self._on_keys(jwks)

    def revoke(self, session: str, _time: datetime) -> None:
        """Take note that a session has ended. Kept by when it was heard, so that a stepped clock revives nobody."""
        now = self._clock.monotonic()
        self._revoked[session] = now
        self._revoked.move_to_end(session)
        self._prune(now)

    def heard(self) -> None:
        """Take note that the state is complete now."""
        self._heard = self._clock.monotonic()
        self._prune(self._heard)

    def require_fresh(self) -> None:
        """Check that the state is no older than five seconds.

        Raises:
            Fault: REVOCATION_UNKNOWN.
        """
        if self._heard is None or self._clock.monotonic() - self._heard > SILENT_SECONDS:
            raise Fault(REVOCATION_UNKNOWN, retry_after=1)

    def require_live(self, session: str) -> None:
        """Check that a session was not revoked.

        Raises:
            Fault: SESSION_ENDED.
        """
        if session in self._revoked:
            raise Fault(SESSION_ENDED)

    def _prune(self, now: float) -> None:
        """Forget what no living assertion can name; the oldest come first."""
        while self._revoked:
            oldest = next(iter(self._revoked))
            if now - self._revoked[oldest] <= KEEP_SECONDS:
                return
            del self._revoked[oldest]


class Erasures(Protocol):
    """Takes orders to erase."""

    @property
    def position(self) -> int:
        """The number of the last order that was received."""
        ...

    def take(self, order: session_pb2.ErasureOrder) -> None:
        """Take an order."""
        ...


class Watch:
    """Follows auth's stream for as long as the process runs."""

    def __init__(
        self, channel: grpc.aio.Channel, state: RevocationState, clock: Clock, erasures: Erasures | None = None
    ) -> None:
        """Take the channel to auth and the state to feed; the clock says in the log how long it was not fed.

        ``erasures`` takes the orders to erase, in a service that keeps data of customers.
        """
        self._stub: Any = session_pb2_grpc.WatchServiceStub(channel)
        self._state = state
        self._clock = clock
        self._erasures = erasures
        self._log = Log("watch")
        self._sequence = 0
        self._lost_at: float | None = clock.monotonic()

    async def run(self) -> None:
        """Follow for ever; a lost stream is resumed where it was lost. Waiting for auth is gRPC's own backoff."""
        while True:
            try:
                await self._follow()
            except (grpc.aio.AioRpcError, TimeoutError, ValueError, KeySetError) as error:
                self._lost(type(error).__name__)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._lost("closed")  # the channel was rebuilt under the stream
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        after = None if self._erasures is None else self._erasures.position
        request = session_pb2.WatchRequest(after=self._sequence, erasures_after=after)
        call = self._stub.Watch(request, wait_for_ready=True)
        try:
            while True:
                async with asyncio.timeout(SILENT_SECONDS):
                    message = await call.read()
                if message is grpc.aio.EOF:
                    return
                self._take(message)
        finally:
            call.cancel()

    def _take(self, message: session_pb2.WatchResponse) -> None:
        kind = message.WhichOneof("body")
        if kind == "erasure":
            if self._erasures is not None:
                self._erasures.take(message.erasure)
            return
        if kind == "keys":
            self._state.replace_keys(message.keys.jwks)
        elif kind == "revocation":
            self._state.revoke(message.revocation.session_id, message.revocation.time.ToDatetime(UTC))
        elif kind == "heartbeat":
            self._state.heard()
            if self._lost_at is not None:
                lost, self._lost_at = self._clock.monotonic() - self._lost_at, None
                self._log.info("revocations are followed", sequence=message.sequence, seconds=round(lost, 1))
        self._sequence = message.sequence

    def _lost(self, error: str) -> None:
        if self._lost_at is None:
            self._lost_at = self._clock.monotonic()
            self._log.warning("revocations are not followed", error=error)


def _keys_of(jwks: str) -> dict[str, OKPKey]:
    try:
        listed = json.loads(jwks)["keys"]
        if not all(key["kty"] == "OKP" and key["crv"] == "Ed25519" and "d" not in key for key in listed):
            raise KeySetError("a key is not an Ed25519 public key")
        return {str(key["kid"]): OKPKey.import_key(key) for key in listed}
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise KeySetError("not a key set") from error
