"""SQL of the export: how far each sink has come, and the entries it reads.

Owns the cursor's compare-and-swap. The record of how many bodies were opened is one transaction with its count.
"""

from dataclasses import replace

from sqlalchemy import func, insert, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.journal import Journal
from services.audit.siem.store import Cursor, Entry, MovedError
from services.audit.store import Kept
from services.audit.tables import BODILESS, ENTRIES, RECOVERIES, SIEM
from services.kit.clock import Clock, from_milliseconds, milliseconds
from services.kit.db import Database

_COLUMNS = select(SIEM.c.sink, SIEM.c.next_idx, SIEM.c.untold, SIEM.c.told_ms)


class SqlExports:
    """The cursors of the sinks, and the entries."""

    def __init__(self, database: Database, clock: Clock, journal: Journal) -> None:
        """Take the log's database, and the journal that exports are recorded in."""
        self._database, self._clock, self._journal = database, clock, journal

    async def exported(self, start: int, limit: int) -> list[Entry]:
        """Return at most `limit` entries from `start` on, up to the first that is missing.

        One whose record a restore has lost has no id and no body; it counts as arrived when that was known.
        """
        known = select(func.max(RECOVERIES.c.ended_ms)).scalar_subquery()
        lost = (BODILESS.c.idx, literal(""), literal(""), literal(b""), BODILESS.c.entry, func.coalesce(known, 0))
        columns = ENTRIES.c
        held = (columns.idx, columns.event_id, columns.subject, columns.sealed, columns.entry, columns.arrived_ms)
        within = [select(*fields).where(fields[0].between(start, start + limit - 1)) for fields in (held, lost)]
        async with self._database.read() as connection:
            rows = (await connection.execute(union_all(*within).order_by("idx"))).all()
        return [
            Entry(Kept(*row[:4]), row.entry, from_milliseconds(row.arrived_ms))
            for expected, row in enumerate(rows, start)
            if row.idx == expected
        ]

    async def load(self, sink: str) -> Cursor:
        """Return the sink's cursor, made at first use."""
        async with self._database.write() as connection:
            found = await _find(connection, sink)
            if found is None:
                await connection.execute(insert(SIEM).values(sink=sink, next_idx=0, untold=0, told_ms=None))
        return found or Cursor(sink, 0, 0, None)

    async def advance(self, cursor: Cursor, following: int, opened: int) -> Cursor:
        """Move the cursor to `following`; raise MovedError when it is elsewhere by now."""
        unmoved = (SIEM.c.sink == cursor.sink) & (SIEM.c.next_idx == cursor.next)
        values = {"next_idx": following, "untold": SIEM.c.untold + opened}
        async with self._database.write() as connection:
            if not (await connection.execute(update(SIEM).where(unmoved).values(values))).rowcount:
                raise MovedError
        return replace(cursor, next=following, untold=cursor.untold + opened)

    async def tell(self, cursor: Cursor) -> Cursor:
        """Record how many bodies were opened since the last record, if any, and begin to count anew."""
        now = milliseconds(self._clock.now())
        async with self._database.write() as connection:
            found = await _find(connection, cursor.sink)
            if found is None:
                raise MovedError
            if not found.untold:
                return found
            await self._journal.siem_sent(connection, cursor.sink, found.untold)
            mine = SIEM.c.sink == cursor.sink
            await connection.execute(update(SIEM).where(mine).values(untold=0, told_ms=now))
        return replace(found, untold=0, told=from_milliseconds(now))


async def _find(connection: AsyncConnection, sink: str) -> Cursor | None:
    row = (await connection.execute(_COLUMNS.where(SIEM.c.sink == sink).with_for_update())).one_or_none()
    if row is None:
        return None
    told = None if row.told_ms is None else from_milliseconds(row.told_ms)
    return Cursor(row.sink, row.next_idx, row.untold, told)
