"""Owns how a service follows auth's orders to erase a customer's data: each one at least once, acknowledged when done.

The number up to which all orders were carried out is in the service's own database, so that a service restored to an
earlier day erases again what came back. An order that fails is tried again for ever and holds up no other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import grpc
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from services.kit.faults import Fault
from valv.audit.v1 import event_pb2
from valv.auth.v1 import erasure_pb2, erasure_pb2_grpc, session_pb2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from services.kit.db import Database
    from services.kit.outbox import Outbox
    from services.kit.telemetry import Log

RETRY_SECONDS = 2.0
_ACKNOWLEDGE_SECONDS = 10.0


class Cause(StrEnum):
    """Why something is kept."""

    STATUTORY = "statutory"
    LEGAL_HOLD = "legal_hold"


_CAUSES = {
    Cause.STATUTORY: erasure_pb2.BlockedItem.CAUSE_STATUTORY,
    Cause.LEGAL_HOLD: erasure_pb2.BlockedItem.CAUSE_LEGAL_HOLD,
}


class EraseAway(Exception):  # noqa: N818 - a state of what the erasure needs
    """Something the erasure needs is away; it is tried again."""


@dataclass(frozen=True)
class Blocked:
    """Things of one kind that had to be kept."""

    kind: str
    count: int
    cause: Cause
    until: datetime | None


@dataclass(frozen=True)
class Erased:
    """What a service did: the event that records it, and what it had to keep."""

    event_id: str
    blocked: Sequence[Blocked] = ()


def erasure_table(metadata: MetaData) -> Table:
    """Add the table that says how far orders were carried out."""
    return Table(
        "erasures_followed",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("sequence", BigInteger, nullable=False),
    )


class Follower:
    """Carries out orders of one phase."""

    def __init__(
        self,
        database: Database,
        channel: grpc.aio.Channel,
        erase: Callable[[str], Awaitable[Erased]],
        phase: session_pb2.ErasurePhase.ValueType,
        log: Log,
    ) -> None:
        """Take the service's database, the channel to auth, what erases an account here, and whose turn is ours.

        ``erase`` is asked more than once for the same account and may raise what stores raise, and EraseAway.
        """
        self._database, self._erase, self._phase, self._log = database, erase, phase, log
        self._stub: Any = erasure_pb2_grpc.ErasureServiceStub(channel)
        self._table = erasure_table(MetaData())
        self._waiting: dict[int, str] = {}
        self._stored = 0
        self._arrived = asyncio.Event()
        self.position = 0
        """The number of the last order that was received."""

    async def load(self) -> None:
        """Read how far orders were carried out; nothing is followed before it."""
        async with self._database.read() as connection:
            found = (await connection.execute(select(self._table.c.sequence))).scalar_one_or_none()
        self._stored = self.position = found or 0

    def take(self, order: session_pb2.ErasureOrder) -> None:
        """Take an order from the stream."""
        if order.phase == self._phase:
            self._waiting[order.sequence] = order.account_id
        self.position = max(self.position, order.sequence)
        self._arrived.set()

    async def run(self) -> None:
        """Carry out what arrives, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self.step()
            if self._waiting:
                await asyncio.sleep(RETRY_SECONDS)
                self._arrived.set()

    async def step(self) -> None:
        """Try every order that waits once, then remember how far all were carried out."""
        for sequence, account in sorted(self._waiting.items()):
            try:
                await self._acknowledge(account, await self._erase(account))
            except (grpc.aio.AioRpcError, SQLAlchemyError, OSError, TimeoutError, Fault, EraseAway) as error:
                self._log.failure("an erasure waits", error, sequence=sequence)
            else:
                del self._waiting[sequence]
        done = min(self._waiting, default=self.position + 1) - 1
        try:
            await self._remember(done)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            self._log.failure("how far erasures were followed was not kept", error)

    async def _acknowledge(self, account: str, erased: Erased) -> None:
        request = erasure_pb2.AcknowledgeRequest(account_id=account, event_id=erased.event_id)
        for item in erased.blocked:
            made = request.blocked.add(kind=item.kind, count=item.count, cause=_CAUSES[item.cause])
            if item.until is not None:
                made.until.FromDatetime(item.until)
        await self._stub.Acknowledge(request, timeout=_ACKNOWLEDGE_SECONDS)

    async def _remember(self, sequence: int) -> None:
        if sequence <= self._stored:
            return
        async with self._database.write() as connection:
            changed = await connection.execute(update(self._table).values(sequence=sequence))
            if not changed.rowcount:
                await connection.execute(insert(self._table).values(id=1, sequence=sequence))
        self._stored = sequence


def event_of(outbox: Outbox, role: str, account: str, count: int) -> event_pb2.Event:
    """Return the event ``<role>.account.erase``: the service erased so many things of a customer."""
    event = outbox.event(f"{role}.account.erase")
    event.actor.CopyFrom(event_pb2.Actor(kind=event_pb2.Actor.KIND_SERVICE, id=role))
    event.subject = account
    event.object.CopyFrom(event_pb2.Object(kind="account", id=account))
    event.details.count = count
    return event
