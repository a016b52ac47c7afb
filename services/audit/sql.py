"""SQL of the main database: entries, epochs, alarms, evidence, and the sequencer's lease.

Owns the tables. Bodies are sealed before they come here; no column holds what an event says, but for the results of the
live checks, which are public.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.journal import Journal
from services.audit.practices import owns
from services.audit.store import DuplicateEventError, Evidence, Finding, Head, Kept, Record
from services.kit.clock import Clock
from services.kit.db import Database
from services.kit.erasure import erasure_table
from services.kit.outbox import outbox_tables

REVISION = "0002"
METADATA = MetaData()
outbox_tables(METADATA)
erasure_table(METADATA)

EPOCHS = Table(
    "epochs",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("producer", String(32), nullable=False),
    Column("epoch", String(30), nullable=False),
    Column("predecessor", String(30), nullable=False),
    Column("highest", BigInteger, nullable=False),
    Column("current", Boolean, nullable=False),
    UniqueConstraint("producer", "epoch"),
)
ENTRIES = Table(
    "entries",
    METADATA,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch_id", Integer, ForeignKey("epochs.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("event_id", String(30), nullable=False, unique=True),
    Column("subject", String(30), nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("arrived_ms", BigInteger, nullable=False),
    UniqueConstraint("epoch_id", "number"),
    Index("entries_by_subject", "subject", "idx"),
)
LOG_STATE = Table(
    "log_state",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),
)
ALARMS = Table(
    "alarms",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("producer", String(32), nullable=False),
    Column("epoch", String(30), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
)
EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("name", String(96), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("measured", BigInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("event_id", String(30), nullable=False),
    Column("idx", BigInteger, nullable=False),
)
LEASES = Table(
    "leases",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("holder", String(30), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
)


class SqlLog:
    """The log's records: appended in transactions, read by index, subject or event."""

    def __init__(self, database: Database, clock: Clock, journal: Journal) -> None:
        """Take the database, and the journal that alarms are recorded in."""
        self._database, self._clock, self._journal = database, clock, journal

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["SqlAppending"]:
        """Open a write transaction."""
        async with self._database.write() as connection:
            yield SqlAppending(connection, _ms(self._clock.now()), self._journal)

    async def head(self, producer: str) -> Head | None:
        """Return the producer's current epoch."""
        async with self._database.read() as connection:
            return await _head(connection, (EPOCHS.c.producer == producer) & EPOCHS.c.current)

    async def size(self) -> int:
        """Return the number of entries."""
        async with self._database.read() as connection:
            return int((await connection.execute(select(LOG_STATE.c.size))).scalar_one())

    async def entries(self, start: int, limit: int) -> list[bytes]:
        """Return at most `limit` entries from `start` on, up to the first that is missing."""
        columns = select(ENTRIES.c.idx, ENTRIES.c.entry)
        query = columns.where(ENTRIES.c.idx >= start).order_by(ENTRIES.c.idx).limit(limit)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [entry for expected, (index, entry) in enumerate(rows, start) if index == expected]

    async def page(self, subject: str, before: int | None, limit: int) -> list[Kept]:
        """Return the subject's records below index `before`, newest first."""
        wanted = ENTRIES.c.subject == subject
        if before is not None:
            wanted &= ENTRIES.c.idx < before
        query = _KEPT.where(wanted).order_by(ENTRIES.c.idx.desc()).limit(limit)
        async with self._database.read() as connection:
            return [Kept(*row) for row in await connection.execute(query)]

    async def find(self, event_id: str) -> Kept | None:
        """Return the record of an event."""
        async with self._database.read() as connection:
            row = (await connection.execute(_KEPT.where(ENTRIES.c.event_id == event_id))).one_or_none()
        return Kept(*row) if row is not None else None

    async def evidence(self) -> dict[str, Evidence]:
        """Return the latest finding of every check."""
        columns = EVIDENCE.c
        query = select(columns.name, columns.state, columns.measured, columns.time_ms, columns.event_id, columns.idx)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {
            name: Evidence(Finding(name, state, measured, datetime.fromtimestamp(ms / 1000, UTC)), event_id, index)
            for name, state, measured, ms, event_id, index in rows
        }

    async def open_alarms(self) -> int:
        """Return how many alarms are open."""
        query = select(func.count()).where(ALARMS.c.closed_ms.is_(None))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def missing(self, counted: dict[int, int]) -> int:
        """Return how many numbers are missing between 1 and the highest of each epoch.

        `counted` (epoch row -> number up to which nothing was missing) is read and brought up to date.
        """
        missing = 0
        async with self._database.read() as connection:
            for row, highest in (await connection.execute(select(EPOCHS.c.id, EPOCHS.c.highest))).all():
                since = counted.get(row, 0)
                within = (ENTRIES.c.epoch_id == row) & (ENTRIES.c.number > since) & (ENTRIES.c.number <= highest)
                found = (await connection.execute(select(func.count()).where(within))).scalar_one()
                if found == highest - since:
                    counted[row] = highest
                missing += highest - since - found
        return missing

    async def arrived(self, index: int) -> datetime | None:
        """Return when the entry at `index` arrived, or None when there is none."""
        query = select(ENTRIES.c.arrived_ms).where(ENTRIES.c.idx == index)
        async with self._database.read() as connection:
            ms = (await connection.execute(query)).scalar_one_or_none()
        return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


_KEPT = select(ENTRIES.c.idx, ENTRIES.c.event_id, ENTRIES.c.subject, ENTRIES.c.sealed)


class SqlAppending:
    """One write transaction on the log."""

    def __init__(self, connection: AsyncConnection, now_ms: int, journal: Journal) -> None:
        """Take an open transaction."""
        self._connection, self._now_ms, self._journal = connection, now_ms, journal

    async def latest(self, producer: str) -> Head | None:
        """Return the producer's current epoch."""
        return await _head(self._connection, (EPOCHS.c.producer == producer) & EPOCHS.c.current)

    async def held(self, producer: str, epoch: str) -> Head | None:
        """Return any epoch of the producer."""
        return await _head(self._connection, _epoch(producer, epoch))

    async def event_ids(self, producer: str, epoch: str, first: int, last: int) -> list[str]:
        """Return the event ids held under these numbers."""
        query = (
            select(ENTRIES.c.event_id)
            .join(EPOCHS, EPOCHS.c.id == ENTRIES.c.epoch_id)
            .where(_epoch(producer, epoch) & ENTRIES.c.number.between(first, last))
            .order_by(ENTRIES.c.number)
        )
        return list((await self._connection.execute(query)).scalars())

    async def begin_epoch(self, producer: str, epoch: str, predecessor: str) -> None:
        """Make `epoch` the producer's current one."""
        mine = EPOCHS.c.producer == producer
        await self._connection.execute(update(EPOCHS).where(mine).values(current=False))
        values = {"producer": producer, "epoch": epoch, "predecessor": predecessor, "highest": 0, "current": True}
        await self._connection.execute(insert(EPOCHS).values(values))

    async def insert(self, producer: str, epoch: str, records: Sequence[Record]) -> None:
        """Keep the next records of the epoch under the next indexes; raise DuplicateEventError."""
        count = len(records)
        grow = update(LOG_STATE).values(size=LOG_STATE.c.size + count).returning(LOG_STATE.c.size)
        start = int((await self._connection.execute(grow)).scalar_one()) - count
        raise_head = (
            update(EPOCHS)
            .where(_epoch(producer, epoch))
            .values(highest=EPOCHS.c.highest + count)
            .returning(EPOCHS.c.id)
        )
        row = (await self._connection.execute(raise_head)).scalar_one()
        rows = [
            {
                "idx": index,
                "epoch_id": row,
                "number": record.source.number,
                "event_id": record.event_id,
                "subject": record.subject,
                "entry": record.entry,
                "sealed": record.sealed,
                "arrived_ms": self._now_ms,
            }
            for index, record in enumerate(records, start)
        ]
        try:
            await self._connection.execute(insert(ENTRIES), rows)
        except IntegrityError:
            raise DuplicateEventError from None
        for index, record in enumerate(records, start):
            if record.finding is not None and owns(producer, record.finding.check):
                await self._keep_evidence(record.event_id, record.finding, index)

    async def alarm(self, producer: str, epoch: str, reason: str, missing: int) -> None:
        """Open an alarm unless one is open, and record it."""
        mine = (ALARMS.c.producer == producer) & (ALARMS.c.reason == reason) & ALARMS.c.closed_ms.is_(None)
        if (await self._connection.execute(select(ALARMS.c.id).where(mine))).first() is not None:
            return
        values = {"producer": producer, "epoch": epoch, "reason": reason, "opened_ms": self._now_ms}
        await self._connection.execute(insert(ALARMS).values(values))
        await self._journal.alarm_opened(self._connection, producer, reason, missing)

    async def calm(self, producer: str) -> None:
        """Close the producer's open alarms, and record it."""
        mine = (ALARMS.c.producer == producer) & ALARMS.c.closed_ms.is_(None)
        closed = await self._connection.execute(update(ALARMS).where(mine).values(closed_ms=self._now_ms))
        if closed.rowcount:
            await self._journal.alarm_closed(self._connection, producer)

    async def _keep_evidence(self, event_id: str, finding: Finding, index: int) -> None:
        values = {
            "state": finding.state,
            "measured": finding.measured,
            "time_ms": min(_ms(finding.time), self._now_ms),
            "event_id": event_id,
            "idx": index,
        }
        mine = EVIDENCE.c.name == finding.check
        if not (await self._connection.execute(update(EVIDENCE).where(mine).values(values))).rowcount:
            await self._connection.execute(insert(EVIDENCE).values(name=finding.check, **values))


class SqlLease:
    """The sequencer's lease. Safety comes from the token that the checkpoint store compares, not from clocks."""

    SECONDS = 3.0

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        """Take the database and this process's name."""
        self._database, self._clock, self._holder = database, clock, holder
        self._token: int | None = None
        self._renew = 0.0

    async def hold(self) -> int | None:
        """Take or keep the lease; return its token, or None while another holds it."""
        if self._token is not None and self._clock.monotonic() < self._renew:
            return self._token
        now = _ms(self._clock.now())
        renew = self._clock.monotonic() + self.SECONDS / 2
        async with self._database.write() as connection:
            row = (await connection.execute(select(LEASES).where(_MINE).with_for_update())).one()
            if row.holder != self._holder and row.until_ms > now:
                self._token = None
                return None
            token: int = row.token + (row.holder != self._holder)
            values = {"holder": self._holder, "token": token, "until_ms": now + int(self.SECONDS * 1000)}
            await connection.execute(update(LEASES).where(_MINE).values(values))
        self._token, self._renew = token, renew
        return token

    async def surpass(self, fence: int) -> int:
        """Raise the held lease's token above `fence`."""
        mine = _MINE & (LEASES.c.holder == self._holder)
        async with self._database.write() as connection:
            changed = await connection.execute(update(LEASES).where(mine).values(token=fence + 1))
        if not changed.rowcount:
            self._token = None
            raise TimeoutError("the lease was lost")
        self._token = fence + 1
        return self._token

    async def release(self) -> None:
        """Give the lease up, if held."""
        mine = _MINE & (LEASES.c.holder == self._holder)
        async with self._database.write() as connection:
            await connection.execute(update(LEASES).where(mine).values(until_ms=0))
        self._token = None


_MINE = LEASES.c.name == "sequencer"


async def _head(connection: AsyncConnection, wanted: ColumnElement[bool]) -> Head | None:
    row = (await connection.execute(select(EPOCHS.c.epoch, EPOCHS.c.highest).where(wanted))).one_or_none()
    return Head(*row) if row is not None else None


def _epoch(producer: str, epoch: str) -> ColumnElement[bool]:
    return (EPOCHS.c.producer == producer) & (EPOCHS.c.epoch == epoch)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
