"""SQL of one write transaction on the log.

Owns the next index of an entry and the state of each producer's epochs. What it was given is kept whole or not at all.
"""

from collections.abc import Mapping, Sequence
from itertools import count

from sqlalchemy import ColumnElement, insert, select, union_all, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.evidence.sql_requests import add_requests
from services.audit.journal import Journal
from services.audit.practices import owns
from services.audit.recovery.sql_places import SqlPlaces, epoch_is
from services.audit.search.sql import replace_lines
from services.audit.store import DuplicateEventError, Head, Record, Statement
from services.audit.tables import ALARMS, ENTRIES, EPOCHS, EVIDENCE, LOG_STATE, SECURITY, SET_ASIDE, STATEMENTS
from services.kit.checks import Finding
from services.kit.clock import milliseconds


class SqlAppending(SqlPlaces):
    """One write transaction on the log."""

    def __init__(self, connection: AsyncConnection, now_ms: int, journal: Journal) -> None:
        """Take an open transaction."""
        super().__init__(connection)
        self._now_ms, self._journal = now_ms, journal

    async def latest(self, producer: str) -> Head | None:
        """Return the producer's current epoch."""
        return await head_of(self._connection, (EPOCHS.c.producer == producer) & EPOCHS.c.current)

    async def held(self, producer: str, epoch: str) -> Head | None:
        """Return any epoch of the producer."""
        return await head_of(self._connection, epoch_is(producer, epoch))

    async def event_ids(self, producer: str, epoch: str, first: int, last: int) -> list[str]:
        """Return the event ids held under these numbers."""
        found = [
            select(table.c.number, table.c.event_id)
            .join(EPOCHS, EPOCHS.c.id == table.c.epoch_id)
            .where(epoch_is(producer, epoch) & table.c.number.between(first, last))
            for table in (ENTRIES, SET_ASIDE)
        ]
        rows = await self._connection.execute(union_all(*found).order_by("number"))
        return [event_id for _, event_id in rows]

    async def begin_epoch(self, producer: str, epoch: str, predecessor: str) -> None:
        """Make `epoch` the producer's current one."""
        mine = EPOCHS.c.producer == producer
        await self._connection.execute(update(EPOCHS).where(mine).values(current=False))
        values = {"producer": producer, "epoch": epoch, "predecessor": predecessor, "highest": 0, "current": True}
        await self._connection.execute(insert(EPOCHS).values(values))

    async def insert(self, producer: str, epoch: str, records: Sequence[Record], places: Mapping[bytes, int]) -> None:
        """Keep a producer's next records, each at its place or under the next index.

        Raises:
            DuplicateEventError: The id of one is held.
            ErasedError: Some are sealed under the keys of people who are being erased.
        """
        indexes = await self._indexes(records, places)
        await self._refuse_erased(records)  # after the update: who marks a person holds the row that it locks
        raise_head = (
            update(EPOCHS)
            .where(epoch_is(producer, epoch))
            .values(highest=records[-1].source.number)
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
            for index, record in zip(indexes, records, strict=True)
        ]
        try:
            await self._connection.execute(insert(ENTRIES), rows)
        except IntegrityError:
            raise DuplicateEventError from None
        await self._keep_minimal(records, indexes)
        if places:
            await self._fill(producer, places)
        await add_requests(self._connection, self._now_ms, {record.request for record in records})
        await replace_lines(self._connection, dict(zip(indexes, (record.tags for record in records), strict=True)))
        for index, record in zip(indexes, records, strict=True):
            await self._keep_said(producer, record, index)

    async def _keep_said(self, producer: str, record: Record, index: int) -> None:
        """Keep what a record says of its producer: a check's result, or what its outbox holds."""
        if record.finding is not None and owns(producer, record.finding.check):
            await self._keep_evidence(record, record.finding, index)
        if record.statement is not None:
            await self._keep_statement(producer, record.statement)

    async def _keep_statement(self, producer: str, statement: Statement) -> None:
        values = {
            "epoch": statement.epoch,
            "count": statement.count,
            "number": statement.number,
            "digest": statement.digest,
            "time_ms": min(milliseconds(statement.time), self._now_ms),
        }
        mine = STATEMENTS.c.producer == producer
        if not (await self._connection.execute(update(STATEMENTS).where(mine).values(values))).rowcount:
            await self._connection.execute(insert(STATEMENTS).values(producer=producer, **values))

    async def _indexes(self, records: Sequence[Record], places: Mapping[bytes, int]) -> list[int]:
        fresh = len(records) - len(places)
        grow = update(LOG_STATE).values(size=LOG_STATE.c.size + fresh).returning(LOG_STATE.c.size)
        following = count(int((await self._connection.execute(grow)).scalar_one()) - fresh)
        return [places[record.entry] if record.entry in places else next(following) for record in records]

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

    async def _keep_minimal(self, records: Sequence[Record], indexes: Sequence[int]) -> None:
        rows = [
            {"idx": index, "subject": record.subject, "period": kept.period, "sealed": kept.sealed}
            for index, record in zip(indexes, records, strict=True)
            if (kept := record.minimal) is not None
        ]
        if rows:
            await self._connection.execute(insert(SECURITY), rows)

    async def _keep_evidence(self, record: Record, finding: Finding, index: int) -> None:
        values = {
            "state": finding.state,
            "measured": finding.measured,
            "threshold": finding.threshold,
            "late_ms": self._now_ms - milliseconds(record.time),
            "time_ms": min(milliseconds(record.time), self._now_ms),
            "event_id": record.event_id,
            "idx": index,
        }
        mine = EVIDENCE.c.name == finding.check
        if not (await self._connection.execute(update(EVIDENCE).where(mine).values(values))).rowcount:
            await self._connection.execute(insert(EVIDENCE).values(name=finding.check, **values))


async def head_of(connection: AsyncConnection, wanted: ColumnElement[bool]) -> Head | None:
    """Return the epoch that is wanted, or None."""
    row = (await connection.execute(select(EPOCHS.c.epoch, EPOCHS.c.highest).where(wanted))).one_or_none()
    return Head(*row) if row is not None else None
