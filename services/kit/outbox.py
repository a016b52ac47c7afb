"""Owns the outbox: the records of what happened, in the same database and transaction as what happened.

A record that cannot be written refuses the action. Rows are numbered after commit by the relay (``relay.py``), never
here, so that numbers have no gaps.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from shutil import disk_usage
from typing import TYPE_CHECKING, ClassVar

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, insert
from sqlalchemy.exc import SQLAlchemyError

from services.kit import context
from services.kit.clock import milliseconds
from services.kit.db import finish, on_commit
from services.kit.event import from_message
from services.kit.faults import AUDIT_UNAVAILABLE, Fault
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.clock import Clock
    from services.kit.db import Database
    from services.kit.ids import Ids

RECORD_SECONDS = 5.0
RESERVE_BYTES = 64 << 20
"""Kept free on the disk of an embedded database, for what the policy calls reserved."""
MOST_TALLIED = 500_000
_MAX_WAITING = 4096
_AUTOINCREMENT = BigInteger().with_variant(Integer, "sqlite")


def outbox_tables(metadata: MetaData) -> tuple[Table, Table]:
    """Add the outbox to a service's tables; returns (outbox, outbox_state)."""
    if "outbox" in metadata.tables:
        return metadata.tables["outbox"], metadata.tables["outbox_state"]
    outbox = Table(
        "outbox",
        metadata,
        Column("id", _AUTOINCREMENT, primary_key=True, autoincrement=True),
        Column("event", LargeBinary, nullable=False),
        Column("created_ms", BigInteger, nullable=False),
        Column("epoch", String(30), nullable=True),
        Column("number", BigInteger, nullable=True, index=True),
        sqlite_autoincrement=True,
    )
    state = Table(
        "outbox_state",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("epoch", String(30), nullable=False),
        Column("predecessor", String(30), nullable=False),
        Column("numbered", BigInteger, nullable=False),
        Column("shipped", BigInteger, nullable=False),
        Column("holder", String(30), nullable=False),
        Column("until_ms", BigInteger, nullable=False),
    )
    return outbox, state


class Tally:
    """What this process has committed, in its own memory, until the live checks have compared it with the outbox."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._digests: set[bytes] = set()
        self._whole = True

    def add(self, events: Sequence[bytes]) -> None:
        """Remember records; beyond what fits, remember only that they were too many."""
        if len(self._digests) + len(events) > MOST_TALLIED:
            self._digests, self._whole = set(), False
        self._digests.update(sha256(data).digest() for data in events)

    def take(self) -> tuple[set[bytes], bool]:
        """Return the digests since the last time, and whether they are all; forget them."""
        taken, self._digests, whole, self._whole = self._digests, set(), self._whole, True
        return taken, whole


class Outbox:
    """Writes records; wakes the relay."""

    failures: ClassVar[tuple[type[Exception], ...]] = (SQLAlchemyError, OSError)
    """What its database raises when it is away or broken."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        free: Callable[[Path], int] = lambda folder: disk_usage(folder).free,
    ) -> None:
        """Take the service's own database, and how to ask how many bytes its disk has left."""
        self._free = free
        self.database = database
        self.table, self.state = outbox_tables(MetaData())
        self.written = asyncio.Event()
        self.tally = Tally()
        self._clock = clock
        self._ids = ids
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def event(self, action: str, outcome: event_pb2.Outcome.ValueType = event_pb2.OUTCOME_SUCCESS) -> event_pb2.Event:
        """Return a new event of now with an id, to be filled and added."""
        made = event_pb2.Event(event_id=self._ids.new("evt"), action=action, outcome=outcome)
        time = Timestamp()
        time.FromDatetime(self._clock.now())
        made.time.CopyFrom(time)
        return made

    def admit(self, *, reserved: bool) -> None:
        """Refuse what is not ``reserved`` when the last of the database's disk is reached.

        Raises:
            Fault: AUDIT_UNAVAILABLE.
        """
        folder = self.database.folder
        if not reserved and folder is not None and self._free(folder) < RESERVE_BYTES:
            raise Fault(AUDIT_UNAVAILABLE, retry_after=60)

    async def add(self, connection: AsyncConnection, event: event_pb2.Event) -> None:
        """Write the record in the caller's transaction.

        Raises:
            EventError: It does not fit the schema; the log would refuse it.
        """
        from_message(event)
        await self._insert(connection, [event.SerializeToString()])

    async def record(self, event: event_pb2.Event) -> None:
        """Write the record by itself, durable on return; calls of the same moment share one commit.

        Raises:
            Fault: AUDIT_UNAVAILABLE, when it could not be written in time.
            EventError: It does not fit the schema; the log would refuse it.
        """
        from_message(event)
        if len(self._waiting) >= _MAX_WAITING:
            raise Fault(AUDIT_UNAVAILABLE, retry_after=1)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event.SerializeToString(), done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        try:
            await asyncio.wait_for(asyncio.shield(done), RECORD_SECONDS)
        except TimeoutError:
            raise Fault(AUDIT_UNAVAILABLE, retry_after=1) from None

    async def _write_all(self) -> None:
        context.awaited.set(True)  # by calls that joined, if not by who came first
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                async with self.database.write() as connection:
                    await self._insert(connection, [data for data, _ in batch])
            except (SQLAlchemyError, OSError, TimeoutError):
                refused, self._waiting = [*batch, *self._waiting], []  # whoever came meanwhile has waited long enough
                _settle([done for _, done in refused], Fault(AUDIT_UNAVAILABLE, retry_after=1))
            except BaseException:
                _settle([done for _, done in batch], Fault(AUDIT_UNAVAILABLE, retry_after=1))
                raise
            else:
                _settle([done for _, done in batch], None)

    async def _insert(self, connection: AsyncConnection, events: Sequence[bytes]) -> None:
        await connection.execute(insert(self.table), self._rows(events))
        on_commit(connection, lambda: self._committed(events))

    def _committed(self, events: Sequence[bytes]) -> None:
        self.tally.add(events)
        self.written.set()  # not before: a relay that looked then would see nothing, and sleep

    def _rows(self, events: Sequence[bytes]) -> list[dict[str, object]]:
        now = milliseconds(self._clock.now())
        return [{"event": data, "created_ms": now} for data in events]

    async def close(self) -> None:
        """Write what is waiting."""
        if self._writer is not None:
            await finish(_until(self._writer))


async def _until(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})


def _settle(futures: Sequence[asyncio.Future[None]], fault: Fault | None) -> None:
    for future in futures:
        if future.done():
            continue
        if fault is None:
            future.set_result(None)
        else:
            future.set_exception(fault)
            future.exception()  # whoever stopped waiting has been told already
