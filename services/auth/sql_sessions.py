"""Owns the SQL of sessions and of the numbered rows that tell of their end, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, cast, exists, func, insert, select, update

from services.auth import tables as t
from services.auth.revocations import Revocation
from services.auth.sessions import Session
from services.auth.sql_times import from_microseconds, microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

SESSIONS = select(t.sessions, t.activity.c.active_us).outerjoin_from(
    t.sessions, t.activity, t.activity.c.session_id == t.sessions.c.session_id
)
"""Sessions with the activity that SQL holds of them."""
_BY_ID = SESSIONS.where(t.sessions.c.session_id == bindparam("session_id"))
_BY_TOKEN = SESSIONS.where(t.sessions.c.token_hash == bindparam("token_hash"))
_GIVEN = select(*(cast(bindparam(column.name), column.type) for column in t.sessions.c))
_STANDING = (t.accounts.c.account_id == bindparam("account_id")) & t.accounts.c.disabled_us.is_(None)
_INSERT = insert(t.sessions).from_select(list(t.sessions.c), _GIVEN.where(_STANDING).with_for_update(read=True))
_INSERT = _INSERT.execution_options(preserve_rowcount=True)


class SqlSessions:
    """Sessions."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def insert(self, session: Session, token_hash: bytes) -> bool:
        """Insert a session; False when its account is disabled. Who disables it waits, and then finds the session."""
        values = {"session_id": session.session_id, "account_id": session.account_id, "token_hash": token_hash}
        times = {"opened_us": microseconds(session.opened), "closes_us": microseconds(session.closes), "ended_us": None}
        how = {"amr": " ".join(session.amr), "device": session.device, "place": session.place}
        return (await self._connection.execute(_INSERT, {**values, **times, **how})).rowcount == 1

    async def by_token(self, token_hash: bytes) -> Session | None:
        """Return the session of a token, ended ones too."""
        row = (await self._connection.execute(_BY_TOKEN, {"token_hash": token_hash})).one_or_none()
        return None if row is None else session_of(row)

    async def get(self, session_id: str) -> Session | None:
        """Return a session, ended ones too."""
        row = (await self._connection.execute(_BY_ID, {"session_id": session_id})).one_or_none()
        return None if row is None else session_of(row)

    async def end(self, session_id: str, now: datetime) -> bool:
        """End a session; False when it had ended or does not exist."""
        still_open = (t.sessions.c.session_id == session_id) & t.sessions.c.ended_us.is_(None)
        ended = await self._connection.execute(update(t.sessions).where(still_open).values(ended_us=microseconds(now)))
        return ended.rowcount == 1

    async def open_of(self, account_id: str, closes_after: datetime) -> Sequence[Session]:
        """Return an account's sessions that nobody has ended and whose absolute end is later than that."""
        s = t.sessions.c
        wanted = (s.account_id == account_id) & s.ended_us.is_(None) & (s.closes_us > microseconds(closes_after))
        query = SESSIONS.where(wanted).order_by(s.session_id)
        return [session_of(row) for row in await self._connection.execute(query)]

    async def not_ended(self, closes_after: datetime, after: str, limit: int) -> Sequence[Session]:
        """Return sessions nobody has ended and whose absolute end is later than that, by id, after an id."""
        s = t.sessions.c
        wanted = s.ended_us.is_(None) & (s.closes_us > microseconds(closes_after)) & (s.session_id > after)
        query = SESSIONS.where(wanted).order_by(s.session_id).limit(limit)
        return [session_of(row) for row in await self._connection.execute(query)]


class SqlRevocations:
    """Revocations. The counter's row is locked until the transaction commits, so numbers appear in their order."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def add(self, session_id: str, now: datetime) -> Revocation:
        """Append a row."""
        head = t.revocation_head
        step = update(head).values(sequence=head.c.sequence + 1).returning(head.c.sequence)
        sequence = (await self._connection.execute(step)).scalar_one()
        values = {"sequence": sequence, "session_id": session_id, "revoked_us": microseconds(now)}
        await self._connection.execute(insert(t.revocations).values(values))
        return Revocation(sequence, session_id, now)

    async def since(self, sequence: int, limit: int) -> Sequence[Revocation]:
        """Return rows with higher numbers, in order."""
        query = select(t.revocations).where(t.revocations.c.sequence > sequence)
        rows = await self._connection.execute(query.order_by(t.revocations.c.sequence).limit(limit))
        return [_revocation(row) for row in rows]

    async def newer_than(self, time: datetime) -> Sequence[Revocation]:
        """Return rows made at or after a time, in order."""
        query = select(t.revocations).where(t.revocations.c.revoked_us >= microseconds(time))
        return [_revocation(row) for row in await self._connection.execute(query.order_by(t.revocations.c.sequence))]

    async def latest(self) -> int:
        """Return the highest number given; 0 when none was."""
        latest: int = (await self._connection.execute(select(t.revocation_head.c.sequence))).scalar_one()
        return latest

    async def still_open(self, since: datetime) -> int:
        """Count sessions revoked since then that their row does not show as ended."""
        still_open = exists().where(
            t.sessions.c.session_id == t.revocations.c.session_id, t.sessions.c.ended_us.is_(None)
        )
        query = select(func.count()).select_from(t.revocations)
        query = query.where((t.revocations.c.revoked_us >= microseconds(since)) & still_open)
        count: int = (await self._connection.execute(query)).scalar_one()
        return count


def session_of(row: Row[Any]) -> Session:
    """Return the session of a row of ``SESSIONS``."""
    opened = from_microseconds(row.opened_us)
    return Session(
        session_id=row.session_id,
        account_id=row.account_id,
        opened=opened,
        closes=from_microseconds(row.closes_us),
        active=opened if row.active_us is None else max(opened, from_microseconds(row.active_us)),
        amr=tuple(row.amr.split()),
        ended=None if row.ended_us is None else from_microseconds(row.ended_us),
        device=row.device,
        place=row.place,
    )


def _revocation(row: Row[Any]) -> Revocation:
    return Revocation(row.sequence, row.session_id, from_microseconds(row.revoked_us))
