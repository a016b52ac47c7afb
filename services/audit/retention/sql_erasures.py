"""SQL of a person's erasure from the log, and of the security records that stay of them.

Owns the short transactions that an erasure is made of; each leaves it where it can go on. Never opens a body.
"""

from collections.abc import Sequence

from sqlalchemy import insert, select, update

from services.audit.erasure import Reduced
from services.audit.retention.security import KeptSecurity
from services.audit.store import Kept, Minimal
from services.audit.tables import ENTRIES, ERASED, LOG_STATE, SECURITY
from services.kit.clock import Clock, milliseconds
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

    async def whole(self, subject: str, after: int, limit: int) -> list[Kept]:
        """Return at most `limit` of the person's records above index `after` that have a body."""
        columns = select(ENTRIES.c.idx, ENTRIES.c.event_id, ENTRIES.c.subject, ENTRIES.c.sealed)
        wanted = (ENTRIES.c.subject == subject) & (ENTRIES.c.idx > after) & (ENTRIES.c.sealed != b"")
        async with self._database.read() as connection:
            rows = await connection.execute(columns.where(wanted).order_by(ENTRIES.c.idx).limit(limit))
            return [Kept(*row) for row in rows]

    async def reduce(self, subject: str, records: Sequence[Reduced]) -> None:
        """Put security records in the place of bodies, all of them or none."""
        indexes = [record.index for record in records]
        async with self._database.write() as connection:
            held = select(SECURITY.c.idx).where(SECURITY.c.idx.in_(indexes))
            known = set((await connection.execute(held)).scalars())
            rows = [
                {"idx": record.index, "subject": subject, "period": kept.period, "sealed": kept.sealed}
                for record in records
                if (kept := record.minimal) is not None and record.index not in known
            ]
            if rows:
                await connection.execute(insert(SECURITY), rows)
            await connection.execute(update(ENTRIES).where(ENTRIES.c.idx.in_(indexes)).values(sealed=b""))

    async def security(self, subject: str, before: int | None, limit: int) -> list[KeptSecurity]:
        """Return the person's security records below index `before`, newest first."""
        wanted = SECURITY.c.subject == subject
        if before is not None:
            wanted &= SECURITY.c.idx < before
        query = (
            select(SECURITY.c.idx, ENTRIES.c.event_id, SECURITY.c.subject, SECURITY.c.period, SECURITY.c.sealed)
            .join(ENTRIES, ENTRIES.c.idx == SECURITY.c.idx)
            .where(wanted)
            .order_by(SECURITY.c.idx.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [KeptSecurity(*row[:3], Minimal(*row[3:])) for row in rows]
