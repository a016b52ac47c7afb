"""Owns what happens around every handler, whatever the transport.

In order: trace, access log, errors, peer limit, audit scope, authorize, deadline, handler. Everything a handler raises
leaves as a typed fault; what an exception says stays in the process.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from services.kit import cardguard, context, telemetry
from services.kit.faults import (
    CARD_NUMBER_REFUSED,
    DEADLINE_EXCEEDED,
    IDEMPOTENCY_KEY_REQUIRED,
    INTERNAL,
    OVERLOADED,
    PERMISSION_DENIED,
    REAUTHENTICATE,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Fault,
)
from services.kit.policy import Subject
from services.kit.scope import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from services.kit.assertion import AssertionVerifier
    from services.kit.call import Call
    from services.kit.clock import Clock
    from services.kit.outbox import Outbox
    from services.kit.refusals import Refusals
    from services.kit.telemetry import Log

ASSERTION_HEADER = "x-valv-assertion"
DEFAULT_SECONDS = 15.0
MAX_IDEMPOTENCY_KEY = 255


class Chain:
    """The one way into a handler."""

    def __init__(
        self,
        clock: Clock,
        log: Log,
        outbox: Outbox | None,
        refusals: Refusals | None,
        verifier: AssertionVerifier | None,
        max_calls: int,
    ) -> None:
        """Take the parts; a service without customers has no verifier, one without a store no outbox."""
        self._clock, self._log, self._outbox, self._refusals = clock, log, outbox, refusals
        self._verifier, self._max_calls = verifier, max_calls
        self._failures = (OSError,) if outbox is None else outbox.failures
        self._running: dict[str, int] = {}

    @asynccontextmanager
    async def around(
        self, call: Call, request: Message, *, seconds: float | None = DEFAULT_SECONDS
    ) -> AsyncIterator[None]:
        """Wrap one call. ``seconds`` is the longest it may take; None lets a transfer run on.

        Raises:
            Fault: Whatever went wrong, already recorded and logged.
        """
        context.request_id.set(call.request_id)
        context.awaited.set(call.method.policy.within == 0)
        context.deadline.set(None if seconds is None else self._clock.monotonic() + seconds)
        started = self._clock.monotonic()
        outcome = "CANCELLED"
        with telemetry.server_span(call.method.full_name, call.metadata) as span:
            call.trace_id = telemetry.trace_id()
            try:
                async with self._faults(call), self._limit(call), self._scope(call):
                    self._authorize(call, request)
                    async with asyncio.timeout(seconds):
                        yield
                outcome = "OK"
            except Fault as fault:
                outcome = fault.reason.name
                raise
            finally:
                telemetry.annotate(span, method=call.method.full_name, peer=call.peer.role, outcome=outcome)
                self._log.info(
                    "call",
                    method=call.method.full_name,
                    peer=call.peer.role,
                    outcome=outcome,
                    milliseconds=round((self._clock.monotonic() - started) * 1000, 1),
                )

    @asynccontextmanager
    async def _faults(self, call: Call) -> AsyncIterator[None]:
        try:
            yield
        except Fault:
            raise
        except TimeoutError:
            raise Fault(DEADLINE_EXCEEDED) from None
        except self._failures as error:
            self._log.failure("a store failed", error, method=call.method.full_name)
            raise Fault(UNAVAILABLE, retry_after=1) from None
        except Exception as error:  # noqa: BLE001 - the boundary: logged here, told to nobody
            self._log.failure("a handler failed", error, method=call.method.full_name)
            raise Fault(INTERNAL) from None

    @asynccontextmanager
    async def _limit(self, call: Call) -> AsyncIterator[None]:
        role = call.peer.role
        if self._running.get(role, 0) >= self._max_calls:
            raise Fault(OVERLOADED, retry_after=1)
        self._running[role] = self._running.get(role, 0) + 1
        try:
            yield
        finally:
            self._running[role] -= 1

    @asynccontextmanager
    async def _scope(self, call: Call) -> AsyncIterator[None]:
        if self._outbox is None or self._refusals is None:
            yield
            return
        scope = call.scope = Scope(call, self._outbox, self._refusals)
        try:
            async with self._faults(call):
                scope.admit()
                yield
                await scope.recorded()
        except Fault as fault:
            await scope.abandon(fault)
            await scope.refuse(fault)
            raise
        except BaseException as error:
            await scope.abandon(error)
            raise

    def _authorize(self, call: Call, request: Message) -> None:
        policy = call.method.policy
        if call.peer.role not in policy.callers:
            raise Fault(PERMISSION_DENIED)
        if policy.subject is Subject.OPERATOR and call.peer.name is None:
            raise Fault(PERMISSION_DENIED)
        if policy.subject is Subject.CUSTOMER:
            self._authenticate(call)
        if policy.idempotency_key and not 0 < len(request.idempotency_key) <= MAX_IDEMPOTENCY_KEY:  # type: ignore[attr-defined]  # the concrete object has it
            raise Fault(IDEMPOTENCY_KEY_REQUIRED, field="idempotency_key")
        if cardguard.holds_card_number(request):
            raise Fault(CARD_NUMBER_REFUSED)

    def _authenticate(self, call: Call) -> None:
        token = call.metadata.get(ASSERTION_HEADER)
        if token is None or self._verifier is None:
            raise Fault(UNAUTHENTICATED)
        call.assertion = self._verifier.verify(token)
        fresh = call.method.policy.fresh_within
        if fresh is not None and (self._clock.now() - call.assertion.auth_time).total_seconds() > fresh:
            raise Fault(REAUTHENTICATE)
