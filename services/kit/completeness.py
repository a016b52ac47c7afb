"""The completeness of an outbox: it holds what this process committed to it, nothing else, and it says so each day.

Owns the tally that the process keeps in its own memory, out of reach of whoever can write to the database, and the
statement that audit compares with its entries. Looks at the outbox only; never repairs it.
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from services.kit.checks import UnknownError
from services.kit.clock import milliseconds
from valv.audit.v1 import event_pb2

if TYPE_CHECKING:
    from services.kit.clock import Clock
    from services.kit.outbox import Outbox

STATEMENT = "practice.statement"
WINDOW_MS = 25 * 3600 * 1000
"""A statement is about the records of so long; one is made each day."""
MOST_STATED = 200_000
_PAGE = 1000


class Comparison:
    """Compares the outbox with what this process committed to it since the last time."""

    def __init__(self, outbox: Outbox) -> None:
        """Take the outbox; what was committed before the first comparison is not compared."""
        self._outbox = outbox
        self._alone = outbox.database.dialect == "sqlite"  # no other process writes to it
        self._known: set[bytes] = set()
        self._older: set[bytes] = set()
        self._suspects: set[bytes] = set()
        self._from: int | None = None
        self._until = 0
        self._found = 0
        self._turn = asyncio.Lock()

    async def differences(self) -> int:
        """Return how many records were removed from the outbox, changed, or put into it by somebody else, so far.

        Records of other replicas cannot be told from an intruder's, so those are counted where there are none.

        Raises:
            UnknownError: More was committed than could be remembered, or nothing was compared yet.
        """
        async with self._turn:
            return await self._compare()

    async def _compare(self) -> int:
        tally, table = self._outbox.tally, self._outbox.table
        fresh, whole = tally.take()
        async with self._outbox.database.read() as connection:
            newest = (await connection.execute(select(func.max(table.c.id)))).scalar_one() or 0
        if self._from is None or not whole:
            self._from = self._until = newest
            self._known, self._older, self._suspects = set(fresh), set(), set()
            if not whole:
                raise UnknownError
            return self._found
        present = await self._present(self._from)
        late, _ = tally.take()
        self._known |= fresh | late
        foreign = present - self._known - self._older if self._alone else set()
        lost = fresh - present
        self._found += len(lost) + len(foreign & self._suspects)
        self._suspects = foreign - self._suspects
        self._from, self._until = self._until, newest
        self._older, self._known = self._known, set(late)
        return self._found

    async def _present(self, after: int) -> set[bytes]:
        """Return the digests of the records whose rows follow ``after``."""
        table, found = self._outbox.table, set[bytes]()
        while True:
            query = select(table.c.id, table.c.event).where(table.c.id > after).order_by(table.c.id).limit(_PAGE)
            async with self._outbox.database.read() as connection:
                rows = (await connection.execute(query)).all()
            found |= {sha256(data).digest() for _, data in rows}
            if len(rows) < _PAGE:
                return found
            after = rows[-1].id


class Statement:
    """What a producer says of its outbox, as a record of its own: how many, up to which number, and their digest."""

    def __init__(self, role: str, outbox: Outbox, clock: Clock) -> None:
        """Take who we are, and our outbox."""
        self._role, self._outbox, self._clock = role, outbox, clock

    async def state(self) -> int:
        """Record the statement; return how many numbers are missing among those that were sent.

        Raises:
            UnknownError: Nothing was sent yet.
            Fault: It cannot be recorded.
        """
        state = self._outbox.state
        async with self._outbox.database.read() as connection:
            row = (await connection.execute(select(state.c.epoch, state.c.shipped))).one_or_none()
        if row is None or row.shipped == 0:
            raise UnknownError
        count, missing, digest = await self._read(row.epoch, row.shipped)
        event = self._outbox.event(STATEMENT)
        event.actor.kind, event.actor.id = event_pb2.Actor.KIND_SERVICE, self._role
        event.object.kind, event.object.id = "epoch", row.epoch
        event.details.count, event.details.number, event.details.digest = count, row.shipped, digest
        await self._outbox.record(event)
        return missing

    async def _read(self, epoch: str, highest: int) -> tuple[int, int, str]:
        """Return (count, missing, digest) of the window's records, from the highest number down."""
        table, since = self._outbox.table, milliseconds(self._clock.now()) - WINDOW_MS
        columns = select(table.c.number, table.c.event, table.c.created_ms).where(table.c.epoch == epoch)
        digest, count, expected, missing = sha256(), 0, highest, 0
        while count < MOST_STATED:
            query = columns.where(table.c.number <= expected).order_by(table.c.number.desc()).limit(_PAGE)
            async with self._outbox.database.read() as connection:
                rows = (await connection.execute(query)).all()
            for number, data, created_ms in rows:
                if created_ms < since:
                    return count, missing, digest.hexdigest()
                missing += expected - number
                expected, count = number - 1, count + 1
                digest.update(event_pb2.Event.FromString(data).event_id.encode())
            if len(rows) < _PAGE:
                break
        return count, missing, digest.hexdigest()
