"""SQL of a person's erasure from the log, and of the security records that stay of them.

Owns the short transactions that an erasure is made of; each leaves it where it can go on. Never opens a body.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.erasure import Reduced, Whole
from services.audit.retention.held import Held
from services.audit.retention.security import KeptSecurity
from services.audit.retention.sql_holds import require_active
from services.audit.search.sql import blank_lines
from services.audit.store import Kept, Minimal
from services.audit.tables import COLD, ENTRIES, ERASED, HELD, HOLDS, LOG_STATE, SECURITY
from services.audit.tiles import WIDTH
from services.kit.clock import Clock, from_milliseconds, milliseconds
from services.kit.db import Database


class SqlErasures:
    """What an erasure does to the records of a person."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Take the log's database."""
        self._database, self._clock = database, clock

    async def begin(self, subject: str) -> None:
        """Keep that the person's erasure has begun: no record is taken under their key from now on."""
        async with self._database.write() as connection:
            await connection.execute(select(LOG_STATE.c.size).with_for_update())  # no append is under way meanwhile
            known = await connection.execute(select(ERASED.c.subject).where(ERASED.c.subject == subject))
            if known.first() is None:
                values = {"subject": subject, "begun_ms": milliseconds(self._clock.now())}
                await connection.execute(insert(ERASED).values(values))

    async def whole(self, subject: str, after: int, limit: int) -> list[Whole]:
        """Return at most `limit` of the person's records above index `after` that have a body, here or in the cold."""
        columns = select(ENTRIES.c.idx, ENTRIES.c.event_id, ENTRIES.c.subject, ENTRIES.c.sealed, ENTRIES.c.arrived_ms)
        reduced = ENTRIES.c.idx.in_(select(SECURITY.c.idx).where(SECURITY.c.subject == subject))
        cold = (ENTRIES.c.idx // WIDTH).in_(select(COLD.c.bundle)) & ~reduced
        wanted = (ENTRIES.c.subject == subject) & (ENTRIES.c.idx > after) & or_(ENTRIES.c.sealed != b"", cold)
        async with self._database.read() as connection:
            rows = await connection.execute(columns.where(wanted).order_by(ENTRIES.c.idx).limit(limit))
            return [Whole(Kept(*kept), from_milliseconds(ms)) for *kept, ms in rows]

    async def reduce(self, subject: str, records: Sequence[Reduced], active: Collection[str]) -> None:
        """Put what stays in the place of bodies, all or none; raise HoldsChangedError unless `active` are in force."""
        indexes = [record.index for record in records]
        async with self._database.write() as connection:
            await require_active(connection, active)
            held = select(SECURITY.c.idx).where(SECURITY.c.idx.in_(indexes))
            known = set((await connection.execute(held)).scalars())
            rows = [
                {"idx": record.index, "subject": subject, "period": kept.period, "sealed": kept.sealed}
                for record in records
                if (kept := record.minimal) is not None and record.index not in known
            ]
            if rows:
                await connection.execute(insert(SECURITY), rows)
            await _hold(connection, records)
            await connection.execute(update(ENTRIES).where(ENTRIES.c.idx.in_(indexes)).values(sealed=b""))
            await blank_lines(connection, indexes)  # after the update, which waits for who is making their lines

    async def told(self, subject: str) -> int:
        """Return how many of the person's bodies are kept under legal holds that are not secret."""
        mine = (ENTRIES.c.subject == subject) & ~HOLDS.c.secret
        joined = HELD.join(ENTRIES, ENTRIES.c.idx == HELD.c.idx).join(HOLDS, HOLDS.c.id == HELD.c.hold)
        async with self._database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(joined).where(mine))).scalar_one())

    async def security(self, subject: str, before: int | None, limit: int) -> list[KeptSecurity]:
        """Return what stays of the person's records below index `before`, newest first."""
        wanted = (ENTRIES.c.subject == subject) & (SECURITY.c.idx.is_not(None) | HELD.c.idx.is_not(None))
        if before is not None:
            wanted &= ENTRIES.c.idx < before
        joined = ENTRIES.outerjoin(SECURITY, SECURITY.c.idx == ENTRIES.c.idx)
        query = (
            select(ENTRIES.c.idx, ENTRIES.c.event_id, SECURITY.c.period, SECURITY.c.sealed, HELD.c.hold, HELD.c.sealed)
            .select_from(joined.outerjoin(HELD, HELD.c.idx == ENTRIES.c.idx))
            .where(wanted)
            .order_by(ENTRIES.c.idx.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            KeptSecurity(
                index,
                event_id,
                subject,
                Minimal(period, minimal) if period is not None else None,
                Held(hold, body) if hold is not None else None,
            )
            for index, event_id, period, minimal, hold, body in rows
        ]


async def _hold(connection: AsyncConnection, records: Sequence[Reduced]) -> None:
    rows = [
        {"idx": record.index, "hold": held.hold_id, "sealed": held.sealed}
        for record in records
        if (held := record.held) is not None
    ]
    if rows:
        await connection.execute(delete(HELD).where(HELD.c.idx.in_([row["idx"] for row in rows])))
        await connection.execute(insert(HELD), rows)
