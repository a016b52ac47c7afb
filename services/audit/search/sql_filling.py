"""SQL of the index's back-fill: which entries have no line yet, and up to where all have one.

Owns the mark. It moves only together with the lines that were missing below it.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.search.sql import add_lines
from services.audit.search.store import State
from services.audit.search.tags import Tags
from services.audit.store import Kept
from services.audit.tables import ENTRIES, ERASED, EVENT_INDEX, INDEX_STATE, LOG_STATE
from services.kit.db import Database

_DELETED_AT_ONCE = 5000


class SqlFilling:
    """The index as its back-fill sees it."""

    def __init__(self, database: Database) -> None:
        """Take the main database."""
        self._database = database

    async def state(self) -> State:
        """Return how far it is."""
        columns = select(INDEX_STATE.c.version, INDEX_STATE.c.filled, LOG_STATE.c.size)
        query = columns.join(LOG_STATE, LOG_STATE.c.id == INDEX_STATE.c.id)
        async with self._database.read() as connection:
            return State(*(await connection.execute(query)).one())

    async def restart(self, version: int) -> None:
        """Throw all lines away, some at a time, and begin an index of this version."""
        first = select(EVENT_INDEX.c.idx).order_by(EVENT_INDEX.c.idx).limit(_DELETED_AT_ONCE)
        deleted = _DELETED_AT_ONCE
        while deleted == _DELETED_AT_ONCE:
            async with self._database.write() as connection:
                deleted = (await connection.execute(delete(EVENT_INDEX).where(EVENT_INDEX.c.idx.in_(first)))).rowcount
                await connection.execute(update(INDEX_STATE).values(filled=0))
        async with self._database.write() as connection:
            await connection.execute(update(INDEX_STATE).values(version=version))

    async def missing(self, start: int, end: int) -> Sequence[Kept]:
        """Return the records from `start` up to `end`, without it, that have no line."""
        lines = select(func.count()).where(EVENT_INDEX.c.idx >= start, EVENT_INDEX.c.idx < end)
        query = (
            select(ENTRIES.c.idx, ENTRIES.c.event_id, ENTRIES.c.subject, ENTRIES.c.sealed)
            .outerjoin(EVENT_INDEX, EVENT_INDEX.c.idx == ENTRIES.c.idx)
            .where(ENTRIES.c.idx >= start, ENTRIES.c.idx < end, EVENT_INDEX.c.idx.is_(None))
            .order_by(ENTRIES.c.idx)
        )
        async with self._database.read() as connection:
            if (await connection.execute(lines)).scalar_one() == end - start:
                return []
            return [Kept(*row) for row in await connection.execute(query)]

    async def fill(self, start: int, end: int, lines: Mapping[int, Tags | None]) -> bool:
        """Add lines and move the mark from `start` to `end`; False when another replica has moved it."""
        async with self._database.write() as connection:
            mine = update(INDEX_STATE).where(INDEX_STATE.c.filled == start).values(filled=end)
            if not (await connection.execute(mine)).rowcount:
                return False
            if lines:
                await add_lines(connection, {**lines, **dict.fromkeys(await _erased(connection, list(lines)))})
        return True


async def _erased(connection: AsyncConnection, indexes: Sequence[int]) -> Sequence[int]:
    """Return the entries about people whose erasure has begun by now; none else begins while the transaction lasts."""
    rows = select(ENTRIES.c.idx, ENTRIES.c.subject).where(ENTRIES.c.idx.in_(indexes)).with_for_update()
    found = (await connection.execute(rows)).all()
    subjects = {row.subject for row in found}
    erased = set((await connection.execute(select(ERASED.c.subject).where(ERASED.c.subject.in_(subjects)))).scalars())
    return [row.idx for row in found if row.subject in erased]
