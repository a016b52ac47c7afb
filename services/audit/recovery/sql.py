"""SQL of recoveries: which entries await their record, who has replayed, when it began and ended.

Owns the transactions that begin and end one.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, Row, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.journal import Journal
from services.audit.recovery.recovery import Progress
from services.audit.store import Standing
from services.audit.tables import BODILESS, ENTRIES, EPOCHS, LOG_STATE, RECOVERIES, REPLAYS, SECURITY, SET_ASIDE
from services.kit.clock import Clock, from_milliseconds, milliseconds
from services.kit.db import Database
from services.kit.ids import Ids

_OPEN = RECOVERIES.c.ended_ms.is_(None)


class SqlRecoveries:
    """The store of a `Recovery`."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, journal: Journal) -> None:
        """Take the main database, and the journal that a recovery is recorded in."""
        self._database, self._clock, self._ids, self._journal = database, clock, ids, journal

    async def size(self) -> int:
        """Return the number of entries before the recovery."""
        async with self._database.read() as connection:
            return int((await connection.execute(select(LOG_STATE.c.size))).scalar_one())

    async def progress(self) -> Progress | None:
        """Return how far the running recovery is, or None."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(RECOVERIES).where(_OPEN))).one_or_none()
            if row is None:
                return None
            bodiless = (await connection.execute(select(LOG_STATE.c.bodiless))).scalar_one()
            known = set((await connection.execute(select(EPOCHS.c.producer).distinct())).scalars())
            heard = {each.producer: each.standing for each in await connection.execute(select(REPLAYS))}
        keyless = [producer for producer, standing in heard.items() if standing == Standing.KEYLESS]
        began = from_milliseconds(row.began_ms)
        return Progress(began, row.held, row.target, bodiless, sorted(known - heard.keys()), sorted(keyless))

    async def await_records(self, first: int, entries: Sequence[bytes]) -> None:
        """Keep these signed entries as ones whose record is awaited; those held are skipped."""
        last = first + len(entries) - 1
        async with self._database.write() as connection:
            held: set[int] = set()
            for table in (ENTRIES, BODILESS):
                query = select(table.c.idx).where(table.c.idx.between(first, last))
                held.update((await connection.execute(query)).scalars())
            rows = [{"idx": index, "entry": entry} for index, entry in enumerate(entries, first) if index not in held]
            if rows:
                await connection.execute(insert(BODILESS), rows)

    async def begin(self, target: int) -> None:
        """Let producers replay up to `target`, and record it."""
        now = milliseconds(self._clock.now())
        async with self._database.write() as connection:
            state = await _state(connection)
            if state.wanted == target:
                return
            bodiless = (await connection.execute(select(func.count()).select_from(BODILESS))).scalar_one()
            await connection.execute(update(LOG_STATE).values(wanted=target, bodiless=bodiless))
            await connection.execute(delete(REPLAYS))
            await connection.execute(update(RECOVERIES).where(_OPEN).values(ended_ms=now))
            values = {"began_ms": now, "held": state.size, "target": target, "lost": 0}
            await connection.execute(insert(RECOVERIES).values(values))
            await self._journal.recovery_began(connection, bodiless)

    async def end(self, target: int, lost: int) -> bool:
        """Let the log go on from `target`, and record it; False when not `lost` entries are without a record by now.

        When some are, numbers may have been used for records that are gone: every producer then begins a new epoch.
        What stays of erased people's records that found no place is appended.
        """
        now = milliseconds(self._clock.now())
        async with self._database.write() as connection:
            state = await _state(connection)
            if state.wanted != target or state.bodiless != lost:
                return False
            row = (await connection.execute(select(RECOVERIES).where(_OPEN))).one()
            appended = await _append_aside(connection, target, now)
            await connection.execute(update(LOG_STATE).values(size=target + appended, wanted=0))
            await connection.execute(update(RECOVERIES).where(_OPEN).values(ended_ms=now, lost=lost))
            await connection.execute(delete(REPLAYS))
            if lost:
                await self._succeed_epochs(connection)
            await self._journal.recovery_ended(connection, max(0, target - row.held - lost), lost)
        return True

    async def _succeed_epochs(self, connection: AsyncConnection) -> None:
        """Give each producer's epoch a successor without records, so that its relay begins another."""
        current = (await connection.execute(select(EPOCHS).where(EPOCHS.c.current))).all()
        await connection.execute(update(EPOCHS).values(current=False))
        for row in current:
            values = {"producer": row.producer, "epoch": self._ids.new("epo"), "predecessor": row.epoch}
            await connection.execute(insert(EPOCHS).values(**values, highest=0, current=True))


async def _append_aside(connection: AsyncConnection, target: int, now_ms: int) -> int:
    """Append what stays of erased people's events whose place is not known; return how many entries that makes."""
    own, order = SET_ASIDE.c, (SET_ASIDE.c.epoch_id, SET_ASIDE.c.number)
    again = func.row_number().over(partition_by=own.event_id, order_by=order)
    elsewhere = select(ENTRIES.c.idx).where(ENTRIES.c.event_id == own.event_id).exists()
    kept = select(SET_ASIDE, again.label("again")).where(own.entry.is_not(None), ~elsewhere).subquery()
    index = literal(target - 1, BigInteger) + func.row_number().over(order_by=(kept.c.epoch_id, kept.c.number))
    same = ("epoch_id", "number", "event_id", "subject", "entry")
    rest = {"idx": index, "sealed": literal(b"", LargeBinary), "arrived_ms": literal(now_ms, BigInteger)}
    fresh = select(*(kept.c[name] for name in same), *rest.values()).where(kept.c.again == 1)
    await connection.execute(insert(ENTRIES).from_select((*same, *rest), fresh))
    appended = select(func.count()).select_from(ENTRIES).where(ENTRIES.c.idx >= target)
    mine = (ENTRIES.c.epoch_id == own.epoch_id) & (ENTRIES.c.number == own.number)
    minimal = select(ENTRIES.c.idx, own.subject, own.period, own.sealed).join(SET_ASIDE, mine)
    minimal = minimal.where(ENTRIES.c.idx >= target, own.period.is_not(None))
    await connection.execute(insert(SECURITY).from_select(("idx", "subject", "period", "sealed"), minimal))
    await connection.execute(delete(SET_ASIDE).where(select(ENTRIES.c.idx).where(mine).exists()))
    blank = {"entry": None, "subject": None, "period": None, "sealed": None}
    await connection.execute(update(SET_ASIDE).where(own.entry.is_not(None)).values(blank))
    return int((await connection.execute(appended)).scalar_one())


async def _state(connection: AsyncConnection) -> Row[Any]:
    return (await connection.execute(select(LOG_STATE).with_for_update())).one()
