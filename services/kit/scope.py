"""Owns the audit scope: the transaction of one call and the record its policy declares. Nothing happens unrecorded.

A handler writes through the scope's transaction; the record is added to it and the answer leaves only when both were
committed. A read is recorded before its first byte. A refusal is recorded too: by itself when it is known who was
refused, else counted in windows, so that a flood of strangers cannot fill the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.kit.faults import AUDIT_UNAVAILABLE, Code, Fault
from services.kit.policy import Effect, Subject
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.call import Call
    from services.kit.db import Database
    from services.kit.outbox import Outbox
    from services.kit.refusals import Refusals

_KINDS = {
    Subject.NOBODY: event_pb2.Actor.KIND_NOBODY,
    Subject.CUSTOMER: event_pb2.Actor.KIND_CUSTOMER,
    Subject.OPERATOR: event_pb2.Actor.KIND_OPERATOR,
    Subject.SERVICE: event_pb2.Actor.KIND_SERVICE,
}
_FAILURES = {Code.INTERNAL, Code.UNAVAILABLE, Code.UNKNOWN, Code.DATA_LOSS, Code.DEADLINE_EXCEEDED}


class Scope:
    """The transaction and the record of one call."""

    def __init__(self, call: Call, outbox: Outbox, refusals: Refusals) -> None:
        """Take the call and where its record goes."""
        self._call, self._outbox, self._refusals = call, outbox, refusals
        self._open: AbstractAsyncContextManager[AsyncConnection] | None = None
        self._connection: AsyncConnection | None = None
        self._recorded = call.method.policy.effect is Effect.UNRECORDED

    @property
    def database(self) -> Database:
        """The service's database."""
        return self._outbox.database

    def admit(self) -> None:
        """Refuse a call whose record may not fit on the disk any more."""
        if not self._recorded:
            self._outbox.admit(reserved=self._call.method.policy.reserved)

    async def tx(self) -> AsyncConnection:
        """Return the call's write transaction, beginning it at first use."""
        if self._call.method.policy.effect is Effect.READ:
            message = f"{self._call.method.full_name} is declared to read"
            raise RuntimeError(message)
        if self._connection is None:
            opened = self.database.write()
            self._connection = await opened.__aenter__()
            self._open = opened  # not before: what was never open cannot be rolled back
        return self._connection

    async def phase(self, action: str | None) -> None:
        """Commit what was written so far, with a record of ``action`` if given."""
        if action is not None:
            await self._outbox.add(await self.tx(), self._event(action))
        await self._commit()

    async def recorded(self) -> None:
        """Write the call's record now, by itself or with its transaction; once."""
        if self._recorded:
            await self._commit()
            return
        event = self._event(self._action())
        if self._connection is None:
            await self._outbox.record(event)
        else:
            try:
                await self._outbox.add(self._connection, event)
                await self._commit()
            except self._outbox.failures as error:
                raise Fault(AUDIT_UNAVAILABLE, retry_after=1) from error
        self._recorded = True

    async def refuse(self, fault: Fault) -> None:
        """Record a refusal or failure; what the call wrote has been rolled back."""
        action = self._call.method.policy.action or self._call.method.full_name
        outcome = event_pb2.OUTCOME_FAILED if fault.reason.code in _FAILURES else event_pb2.OUTCOME_DENIED
        if not self._known() or self._call.method.policy.effect is Effect.UNRECORDED:
            # A stranger's dead token reaches auth as the gateway's renewal: it must not fill the log either.
            await self._count(fault, action, outcome, None)
            return
        event = self._event(action)
        event.outcome, event.reason = outcome, fault.reason.name
        if self._call.method.policy.subject is Subject.NOBODY and event.subject:
            await self._count(fault, action, outcome, event)
        else:
            await self._outbox.record(event)

    async def _count(
        self, fault: Fault, action: str, outcome: event_pb2.Outcome.ValueType, about: event_pb2.Event | None
    ) -> None:
        recorded = await self._refusals.count(action, fault.reason.name, outcome, about)
        if not recorded and self._call.record.otherwise is not None:
            await self._call.record.otherwise()

    async def abandon(self, error: BaseException) -> None:
        """Roll back what the call wrote and did not commit."""
        opened, self._open, self._connection = self._open, None, None
        if opened is not None:
            await opened.__aexit__(type(error), error, error.__traceback__)

    async def _commit(self) -> None:
        opened, self._open, self._connection = self._open, None, None
        if opened is not None:
            await opened.__aexit__(None, None, None)

    def _action(self) -> str:
        policy, instead = self._call.method.policy, self._call.record.action
        if instead and instead not in policy.alternatives:
            message = f"{self._call.method.full_name} does not declare {instead}"
            raise RuntimeError(message)
        return instead or policy.action

    def _known(self) -> bool:
        return bool(self._call.assertion or self._call.record.subject or self._call.peer.role not in ("", "envoy"))

    def _event(self, action: str) -> event_pb2.Event:
        call, policy = self._call, self._call.method.policy
        event = self._outbox.event(action)
        customer = call.assertion.subject if call.assertion else ""
        event.actor.kind = _KINDS[policy.subject]
        if policy.subject is Subject.CUSTOMER and not customer:
            event.actor.kind = event_pb2.Actor.KIND_NOBODY
        event.actor.id = {
            Subject.NOBODY: "",
            Subject.CUSTOMER: customer,
            Subject.OPERATOR: call.peer.name or "",
            Subject.SERVICE: call.peer.role,
        }[policy.subject]
        event.subject = call.record.subject or customer
        event.object.CopyFrom(call.record.target)
        if policy.subject is Subject.NOBODY or (customer and event.subject == customer):
            event.origin.address, event.origin.device = call.origin.address, call.origin.device
        event.request_id, event.trace_id = call.request_id, call.trace_id
        if call.assertion:
            event.session = call.assertion.session
        event.details.CopyFrom(call.record.details)
        return event
