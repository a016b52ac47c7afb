"""Owns what a handler knows about the call it serves: who, as whom, from where, and the record being made of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.kit.faults import UNAUTHENTICATED, Fault
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.assertion import Assertion
    from services.kit.origin import Origin
    from services.kit.policy import Method
    from services.kit.scope import Scope
    from services.kit.tls import Peer


class Record:
    """What the audit record will say beyond what the kit knows itself. Handlers fill it; only the scope writes it."""

    def __init__(self) -> None:
        """Begin empty."""
        self.subject = ""
        self.action = ""
        self.target = event_pb2.Object()
        self.details = event_pb2.Details()
        self.otherwise: Callable[[], Awaitable[None]] | None = None
        """Done in place of a refusal's record when the refusal is only counted, so that both take as long."""

    def instead(self, action: str) -> None:
        """Record this action, one of the alternatives that the policy declares, in place of the policy's own."""
        self.action = action

    def object(self, kind: str, object_id: str) -> None:
        """Say what was touched."""
        self.target = event_pb2.Object(kind=kind, id=object_id)

    def detail(self, **values: str | int) -> None:
        """Add typed particulars; the names are the fields of ``valv.audit.v1.Details``."""
        for name, value in values.items():
            setattr(self.details, name, value)


@dataclass
class Call:
    """One call in progress: the second argument of every handler."""

    method: Method
    peer: Peer
    request_id: str
    trace_id: str
    origin: Origin
    metadata: Mapping[str, str]
    assertion: Assertion | None = None
    record: Record = field(default_factory=Record)
    reply_metadata: list[tuple[str, str]] = field(default_factory=list)
    scope: Scope | None = None

    @property
    def customer(self) -> str:
        """The signed-in customer's account id."""
        if self.assertion is None:
            raise Fault(UNAUTHENTICATED)
        return self.assertion.subject

    @property
    def session(self) -> str:
        """The session's id."""
        if self.assertion is None:
            raise Fault(UNAUTHENTICATED)
        return self.assertion.session

    async def tx(self) -> AsyncConnection:
        """Return the write transaction that commits with the audit record when the handler returns."""
        return await self._scope().tx()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a read-only transaction."""
        async with self._scope().database.read() as connection:
            yield connection

    async def phase(self, action: str | None = None) -> None:
        """Commit what was written so far, with a record of ``action`` if given."""
        await self._scope().phase(action)

    async def recorded(self) -> None:
        """Make the record durable now: before the first byte of a streamed answer."""
        await self._scope().recorded()

    def _scope(self) -> Scope:
        if self.scope is None:
            message = "this service has no database"
            raise RuntimeError(message)
        return self.scope
