"""SQL of the sweep: bundles of entries, how far retention has come, and what is recorded of it.

Owns the transaction of each step; what a step changed is counted in it, so that no crash loses a count. Opens no body.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.evidence.sql_requests import forget_requests
from services.audit.journal import Journal
from services.audit.retention.holds import Hold
from services.audit.retention.minimum import SAID_AGAIN, Said
from services.audit.retention.sql_holds import lock, require_active
from services.audit.retention.sweep import BodiesChangedError, Preview, Row, State
from services.audit.search.sql import blank_lines
from services.audit.store import HoldsChangedError
from services.audit.tables import COLD, ENTRIES, LOG_STATE, PRUNINGS, RETENTION, SECURITY
from services.audit.tiles import WIDTH
from services.kit.clock import from_milliseconds, milliseconds
from services.kit.db import Database

_E, _P, _R = ENTRIES.c, PRUNINGS.c, RETENTION.c
_LAST_SAID = (
    select(_P.event_id)
    .join(ENTRIES, _E.event_id == _P.event_id)
    .order_by(_P.minimum.desc(), _E.idx.desc())  # in the order of the log: clocks may be wrong
    .limit(1)
)
_GOING = ""
"""In place of a month: the bundle's object is to be deleted."""
_STRETCH = 1 << 20
"""Entries that one statement counts among: a large log takes many statements, and none of them long."""


class SqlSweep:
    """The rows that retention works on."""

    def __init__(self, database: Database, journal: Journal) -> None:
        """Take the log's database, and the journal in which sweeps are recorded."""
        self._database, self._journal = database, journal

    async def state(self) -> State:
        """Return how far retention has come."""
        query = select(_R.cold_below, _R.expired_below, _R.minimum, _R.swept_ms)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one()
        swept = from_milliseconds(row.swept_ms) if row.swept_ms is not None else None
        return State(row.cold_below, row.expired_below, row.minimum, swept)

    async def bundle(self, number: int) -> tuple[list[Row], datetime | None]:
        """Return the entries of a bundle, in order, and when the last of them, or the first after them, arrived."""
        query = select(_E.idx, _E.subject, _E.sealed, _E.arrived_ms).where(_within(number)).order_by(_E.idx)
        following = select(_E.arrived_ms).where(_E.idx >= (number + 1) * WIDTH).order_by(_E.idx).limit(1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            after = None if rows else (await connection.execute(following)).scalar_one_or_none()
        youngest = max((row.arrived_ms for row in rows), default=after)
        found = [Row(index, subject, sealed, from_milliseconds(ms)) for index, subject, sealed, ms in rows]
        return found, None if youngest is None else from_milliseconds(youngest)

    async def cool(self, number: int, copied: Mapping[int, bytes], month: str) -> None:
        """Take the bodies that were copied out of the rows; raise BodiesChangedError when they are others by now."""
        async with self._database.write() as connection:
            await lock(connection)
            query = select(_E.idx, _E.sealed).where(_within(number) & (_E.sealed != b"")).with_for_update()
            found = {index % WIDTH: sealed for index, sealed in (await connection.execute(query)).all()}
            if found != dict(copied):
                raise BodiesChangedError
            if found:
                await connection.execute(update(ENTRIES).where(_within(number)).values(sealed=b""))
                await connection.execute(insert(COLD).values(bundle=number, period=month))
            values: dict[str, Any] = {"cold_below": (number + 1) * WIDTH, "cooled": _R.cooled + int(bool(found))}
            await connection.execute(update(RETENTION).values(values))

    async def cold_period(self, bundle: int) -> str | None:
        """Return the month whose key seals the bundle, or None when it is not cold."""
        query = select(COLD.c.period).where((COLD.c.bundle == bundle) & (COLD.c.period != _GOING))
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one_or_none()

    async def expire(
        self, number: int, kept: Collection[int], thawed: Mapping[int, bytes], active: Collection[str]
    ) -> None:
        """Destroy a bundle's bodies and index rows but for those `kept`, whose bodies come back from the cold store."""
        goes = _within(number) & _E.idx.not_in(kept)
        minimal = SECURITY.c.idx.between(number * WIDTH, (number + 1) * WIDTH - 1) & SECURITY.c.idx.not_in(kept)
        async with self._database.write() as connection:
            await require_active(connection, active)
            if (await connection.execute(select(_R.expired_below))).scalar_one() != number * WIDTH:
                raise HoldsChangedError
            for index, sealed in thawed.items():
                mine = (_E.idx == index) & (_E.sealed == b"")
                await connection.execute(update(ENTRIES).where(mine).values(sealed=sealed))
            cold = select(COLD.c.bundle).where((COLD.c.bundle == number) & (COLD.c.period != _GOING)).exists()
            count = await connection.execute(
                update(ENTRIES).where(goes & (_full() | cold)).values(sealed=b"", subject="")
            )
            bundle = range(number * WIDTH, (number + 1) * WIDTH)
            await blank_lines(connection, [index for index in bundle if index not in kept])
            await connection.execute(delete(SECURITY).where(minimal))
            await connection.execute(update(COLD).where(COLD.c.bundle == number).values(period=_GOING))
            values: dict[str, Any] = {"expired_below": (number + 1) * WIDTH, "expired": _R.expired + count.rowcount}
            await connection.execute(update(RETENTION).values(values))
            if kept:
                first = update(RETENTION).where(_R.kept_from.is_(None) | (_R.kept_from > min(kept)))
                await connection.execute(first.values(kept_from=min(kept)))

    async def expired_cold(self) -> list[int]:
        """Return the bundles whose objects are to be deleted."""
        async with self._database.read() as connection:
            return list((await connection.execute(select(COLD.c.bundle).where(COLD.c.period == _GOING))).scalars())

    async def forget_cold(self, number: int) -> None:
        """Keep that a bundle's object is deleted."""
        async with self._database.write() as connection:
            await connection.execute(delete(COLD).where((COLD.c.bundle == number) & (COLD.c.period == _GOING)))

    async def periods_in_use(self) -> set[str]:
        """Return the months whose keys something that is kept is sealed under."""
        query = select(SECURITY.c.period).distinct().union(select(COLD.c.period).distinct())
        async with self._database.read() as connection:
            return set((await connection.execute(query)).scalars())

    async def raise_minimum(self, now: datetime) -> None:
        """Raise the minimum index to all that has expired before the first entry that was kept; say it now and then."""
        async with self._database.write() as connection:
            await lock(connection)
            row = (await connection.execute(select(_R.expired_below, _R.kept_from, _R.minimum))).one()
            kept = row.kept_from if row.kept_from is not None else row.expired_below
            minimum = min(row.expired_below, kept - kept % WIDTH)
            minimum = max(minimum, row.minimum)
            lately = select(_P.event_id).where((_P.minimum == minimum) & _said_within(SAID_AGAIN, now))
            if minimum and (await connection.execute(lately)).first() is None:
                await connection.execute(update(RETENTION).values(minimum=minimum))
                spent = ~_said_within(2 * SAID_AGAIN, now) & (_P.event_id != _LAST_SAID.scalar_subquery())
                await connection.execute(delete(PRUNINGS).where(spent))
                event_id = await self._journal.pruned(connection, minimum)
                values = {"event_id": event_id, "minimum": minimum, "said_ms": milliseconds(now)}
                await connection.execute(insert(PRUNINGS).values(values))

    async def said(self, size: int) -> Said | None:
        """Return the highest minimum index that one of the first `size` entries of the log says, and the last to."""
        query = _LAST_SAID.with_only_columns(_P.minimum, _P.event_id).where(_E.idx < size)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return Said(*row) if row is not None else None

    async def finish(self, now: datetime) -> None:
        """Forget which requests of earlier days have entries; keep that the sweep is done, and record it."""
        await forget_requests(self._database, milliseconds(now))
        async with self._database.write() as connection:
            row = (await connection.execute(select(_R.cooled, _R.expired))).one()
            values = {"swept_ms": milliseconds(now), "cooled": 0, "expired": 0}
            await connection.execute(update(RETENTION).values(values))
            await self._journal.swept(connection, row.cooled, row.expired)

    async def shred(self, month: str) -> None:
        """Record that a month's key is about to be destroyed."""
        async with self._database.write() as connection:
            await self._journal.shredded(connection, month)

    async def preview(self, cold_before: datetime | None, keep_before: datetime, holds: Sequence[Hold]) -> Preview:
        """Count what a sweep would do (nothing gets cold without `cold_before`)."""
        async with self._database.read() as connection:
            state = (await connection.execute(select(_R.cold_below, _R.expired_below))).one()
            cold = state.cold_below
            if cold_before is not None:
                cold = await _first_younger(connection, cold, milliseconds(cold_before))
            over = await _first_younger(connection, state.expired_below, milliseconds(keep_before))
            covered = or_(*(_covers(hold) for hold in holds)) if holds else ~true()
            expired = await _count(connection, state.expired_below, over, true())
            held = await _count(connection, state.expired_below, over, covered)
        return Preview((cold - state.cold_below) // WIDTH, expired, held)


def _said_within(period: timedelta, now: datetime) -> ColumnElement[bool]:
    """Tell that it was said not longer ago, nor, by a clock that was ahead, in a time further off."""
    return (_P.said_ms > milliseconds(now - period)) & (_P.said_ms < milliseconds(now + period))


def _within(number: int) -> ColumnElement[bool]:
    return _E.idx.between(number * WIDTH, (number + 1) * WIDTH - 1)


def _full() -> ColumnElement[bool]:
    """Tell that a row still says more than its leaf."""
    return or_(_E.sealed != b"", _E.subject != "", _E.idx.in_(select(SECURITY.c.idx)))


def _covers(hold: Hold) -> ColumnElement[bool]:
    if hold.span is None:
        return _E.subject == hold.subject
    until = true() if hold.span.until is None else _E.arrived_ms < milliseconds(hold.span.until)
    return and_(_E.arrived_ms >= milliseconds(hold.span.since), until)


async def _first_younger(connection: AsyncConnection, start: int, before_ms: int) -> int:
    """Return the first index of the first bundle from `start` on that is not whole, or not older than that."""
    end = int((await connection.execute(select(LOG_STATE.c.size))).scalar_one())
    for stretch in _stretches(start, end):
        young = select(func.min(_E.idx)).where(stretch & (_E.arrived_ms >= before_ms))
        if (found := (await connection.execute(young)).scalar_one()) is not None:
            end = int(found)
            break
    return max(start, end - end % WIDTH)


async def _count(connection: AsyncConnection, start: int, end: int, wanted: ColumnElement[bool]) -> int:
    counts = (select(func.count()).select_from(ENTRIES).where(each & wanted) for each in _stretches(start, end))
    return sum([int((await connection.execute(count)).scalar_one()) for count in counts])


def _stretches(start: int, end: int) -> Iterator[ColumnElement[bool]]:
    return (_E.idx.between(at, min(at + _STRETCH, end) - 1) for at in range(start, end, _STRETCH))
