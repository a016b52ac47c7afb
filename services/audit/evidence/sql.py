"""SQL of the alerts and of the reconciliation.

Owns that a check has at most one open alert, and that each change commits with its entry.
"""

from collections.abc import AsyncIterator

from sqlalchemy import insert, select, update

from services.audit.journal import Journal
from services.audit.store import Alert, Statement
from services.audit.tables import ALERTS, ENTRIES, EPOCHS, LOG_STATE, STATEMENTS
from services.kit.clock import Clock, from_milliseconds, milliseconds
from services.kit.db import Database

_PAGE = 1000
_OPEN = ALERTS.c.closed_ms.is_(None)


class SqlAlerts:
    """The alerts."""

    def __init__(self, database: Database, clock: Clock, journal: Journal) -> None:
        """Take the database, and the journal that alerts are recorded in."""
        self._database, self._clock, self._journal = database, clock, journal

    async def open(self) -> dict[str, Alert]:
        """Return the open alerts by the check they are about."""
        query = select(ALERTS.c.name, ALERTS.c.reason, ALERTS.c.opened_ms).where(_OPEN)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {name: Alert(reason, from_milliseconds(opened_ms)) for name, reason, opened_ms in rows}

    async def raise_(self, check: str, reason: str) -> bool:
        """Open an alert; return False when one is open already."""
        async with self._database.write() as connection:
            await connection.execute(select(LOG_STATE.c.id).with_for_update())  # replicas take turns
            mine = (ALERTS.c.name == check) & _OPEN
            if (await connection.execute(select(ALERTS.c.id).where(mine))).first() is not None:
                return False
            opened_ms = milliseconds(self._clock.now())
            await connection.execute(insert(ALERTS).values(name=check, reason=reason, opened_ms=opened_ms))
            await self._journal.alert_opened(connection, check, reason)
        return True

    async def close(self, check: str) -> bool:
        """Close the check's alert; return False when there is none."""
        mine = (ALERTS.c.name == check) & _OPEN
        async with self._database.write() as connection:
            closing = update(ALERTS).where(mine).values(closed_ms=milliseconds(self._clock.now()))
            if not (await connection.execute(closing)).rowcount:
                return False
            await self._journal.alert_closed(connection, check)
        return True


class SqlBooks:
    """What the log holds, and what producers say."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    async def statements(self) -> dict[str, Statement]:
        """Return each producer's latest statement."""
        c = STATEMENTS.c
        query = select(c.producer, c.epoch, c["count"], c.number, c.digest, c.time_ms)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return {
            producer: Statement(epoch, count, number, digest, from_milliseconds(time_ms))
            for producer, epoch, count, number, digest, time_ms in rows
        }

    async def ids(self, producer: str, epoch: str, count: int, number: int) -> AsyncIterator[str]:
        """Yield the ids of at most `count` events of an epoch, from `number` down."""
        mine = select(EPOCHS.c.id).where((EPOCHS.c.producer == producer) & (EPOCHS.c.epoch == epoch)).scalar_subquery()
        held = select(ENTRIES.c.number, ENTRIES.c.event_id).where(ENTRIES.c.epoch_id == mine)
        while count > 0:
            page = held.where(ENTRIES.c.number <= number).order_by(ENTRIES.c.number.desc()).limit(min(count, _PAGE))
            async with self._database.read() as connection:
                rows = (await connection.execute(page)).all()
            for _, event_id in rows:
                yield event_id
            if not rows:
                return
            count, number = count - len(rows), rows[-1].number - 1
