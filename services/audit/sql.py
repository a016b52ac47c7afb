"""SQL of the log's records: read by index, subject or event, and the latest evidence of the live checks.

Owns the reading. Opens the transactions that `sql_appending` writes in.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import ClassVar

from sqlalchemy import ColumnElement, Table, case, exc, func, select, union_all

from services.audit.journal import Journal
from services.audit.sql_appending import SqlAppending, head_of
from services.audit.store import Evidence, Head, Kept, Stored
from services.audit.tables import ALARMS, BODILESS, ENTRIES, EPOCHS, EVIDENCE, LOG_STATE, SET_ASIDE
from services.kit.checks import Finding
from services.kit.clock import Clock, from_milliseconds, milliseconds
from services.kit.db import Database


class SqlLog:
    """The log's records: appended in transactions, read by index, subject or event."""

    failures: ClassVar = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError, OSError)
    """What a database raises that is away, full or broken, whatever was to be written."""

    def __init__(self, database: Database, clock: Clock, journal: Journal) -> None:
        """Take the database, and the journal that alarms are recorded in."""
        self._database, self._clock, self._journal = database, clock, journal

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlAppending]:
        """Open a write transaction."""
        async with self._database.write() as connection:
            yield SqlAppending(connection, milliseconds(self._clock.now()), self._journal)

    async def head(self, producer: str) -> Head | None:
        """Return the producer's current epoch."""
        async with self._database.read() as connection:
            return await head_of(connection, (EPOCHS.c.producer == producer) & EPOCHS.c.current)

    async def size(self) -> int:
        """Return the number of entries."""
        async with self._database.read() as connection:
            return int((await connection.execute(select(LOG_STATE.c.size))).scalar_one())

    async def entries(self, start: int, limit: int) -> list[bytes]:
        """Return at most `limit` entries from `start` on, up to the first that is missing, or the log's end."""
        found = [
            select(table.c.idx, table.c.entry).where(table.c.idx >= start, table.c.idx < start + limit, ~_beyond(table))
            for table in (ENTRIES, BODILESS)
        ]
        async with self._database.read() as connection:
            rows = (await connection.execute(union_all(*found).order_by("idx"))).all()
        return [entry for expected, (index, entry) in enumerate(rows, start) if index == expected]

    async def stored(self, start: int, limit: int) -> list[Stored]:
        """Return at most `limit` rows from index `start` on; one that a restore has lost has no body and no id."""
        kept = _KEPT.add_columns(ENTRIES.c.entry).where(ENTRIES.c.idx >= start).order_by(ENTRIES.c.idx).limit(limit)
        lost = select(BODILESS.c.idx, BODILESS.c.entry).where(BODILESS.c.idx >= start).order_by(BODILESS.c.idx)
        async with self._database.read() as connection:
            rows = [Stored(Kept(*row[:-1]), row[-1]) for row in await connection.execute(kept)]
            left = [Stored(Kept(idx, "", "", b""), entry) for idx, entry in await connection.execute(lost.limit(limit))]
        return sorted(rows + left, key=lambda row: row.kept.index)[:limit]

    async def surplus(self) -> int:
        """Return how many rows lie beyond the log's end."""
        query = select(func.count()).select_from(ENTRIES).where(_beyond(ENTRIES))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

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
        found = (columns.name, columns.state, columns.measured, columns.threshold, columns.time_ms)
        query = select(*found, columns.event_id, columns.idx)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {
            name: Evidence(Finding(name, state, measured, threshold), from_milliseconds(ms), event_id, index)
            for name, state, measured, threshold, ms, event_id, index in rows
        }

    async def lateness(self) -> list[tuple[str, int]]:
        """Return each check, and by how many milliseconds its latest result arrived after it was made on its clock."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(EVIDENCE.c.name, EVIDENCE.c.late_ms))).all()
        return [(name, late_ms) for name, late_ms in rows]

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
                found = 0
                for table in (ENTRIES, SET_ASIDE):
                    columns = table.c
                    within = (columns.epoch_id == row) & (columns.number > since) & (columns.number <= highest)
                    found += (await connection.execute(select(func.count()).where(within))).scalar_one()
                if found == highest - since:
                    counted[row] = highest
                missing += highest - since - found
        return missing

    async def arrived(self, index: int) -> datetime | None:
        """Return when the entry at `index` arrived, or None when there is none."""
        query = select(ENTRIES.c.arrived_ms).where(ENTRIES.c.idx == index)
        async with self._database.read() as connection:
            ms = (await connection.execute(query)).scalar_one_or_none()
        return None if ms is None else from_milliseconds(ms)


_KEPT = select(ENTRIES.c.idx, ENTRIES.c.event_id, ENTRIES.c.subject, ENTRIES.c.sealed)


def _beyond(table: Table) -> ColumnElement[bool]:
    """Return the condition that selects rows beyond the log's end, or beyond what a recovery regains."""
    columns = LOG_STATE.c
    end = case((columns.wanted > columns.size, columns.wanted), else_=columns.size)
    return select(end).scalar_subquery() <= table.c.idx
