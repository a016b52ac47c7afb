"""Owns the SQL behind activity and upkeep: what Redis may hold instead, and what is swept away in time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, select
from sqlalchemy.exc import SQLAlchemyError

from services.auth import tables as t
from services.auth.sessions import ActivityLost
from services.auth.sql_times import from_microseconds, microseconds, upsert

if TYPE_CHECKING:
    from datetime import datetime

    from services.kit.db import Database

_ACTIVITY_KEPT = timedelta(hours=12)
_TOKENS_KEPT = timedelta(days=7)
_SIGN_UPS_KEPT = timedelta(days=3)
_REVOCATIONS_KEPT = timedelta(days=1)
_CHALLENGES_KEPT = timedelta(hours=1)
_SEEDS_WAIT = timedelta(days=1)
_SESSIONS_KEPT = timedelta(days=30)
_UNCONFIRMED_KEPT = timedelta(days=7)


class SqlActivity:
    """The last recorded activity of sessions, in SQL."""

    beside_sessions = True

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    async def touch(self, session_id: str, now: datetime) -> None:
        """Record activity; an older time than the one recorded changes nothing."""
        try:
            async with self._database.write() as connection:
                statement = upsert(connection, t.activity).values(session_id=session_id, active_us=microseconds(now))
                newer = t.activity.c.active_us < statement.excluded.active_us
                await connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=[t.activity.c.session_id],
                        set_={"active_us": statement.excluded.active_us},
                        where=newer,
                    )
                )
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise ActivityLost from error

    async def last(self, session_id: str) -> datetime | None:
        """Return the last recorded activity."""
        try:
            async with self._database.read() as connection:
                query = select(t.activity.c.active_us).where(t.activity.c.session_id == session_id)
                found: int | None = (await connection.execute(query)).scalar_one_or_none()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise ActivityLost from error
        return None if found is None else from_microseconds(found)


class SqlUpkeep:
    """Drops rows that nothing can use any more."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database

    async def sweep(self, now: datetime) -> None:
        """Drop what is too old. Raises what the database raises."""
        aged = (
            (t.activity, t.activity.c.active_us, _ACTIVITY_KEPT),
            (t.counters, t.counters.c.expires_us, timedelta()),
            (t.mail_tokens, t.mail_tokens.c.expires_us, _TOKENS_KEPT),
            (t.challenges, t.challenges.c.expires_us, _CHALLENGES_KEPT),
            (t.sign_ups, t.sign_ups.c.created_us, _SIGN_UPS_KEPT),
            (t.revocations, t.revocations.c.revoked_us, _REVOCATIONS_KEPT),
            (t.email_changes, t.email_changes.c.begun_us, _TOKENS_KEPT),
            (t.sessions, t.sessions.c.closes_us, _SESSIONS_KEPT),
            (t.links, t.links.c.expires_us, timedelta()),
        )
        for table, column, kept in aged:
            async with self._database.write() as connection:
                await connection.execute(delete(table).where(column < microseconds(now - kept)))
        await self._drop_unconfirmed(microseconds(now - _UNCONFIRMED_KEPT))
        waiting = t.totp.c.confirmed_us.is_(None) & (t.totp.c.begun_us < microseconds(now - _SEEDS_WAIT))
        async with self._database.write() as connection:
            await connection.execute(delete(t.totp).where(waiting))

    async def _drop_unconfirmed(self, before: int) -> None:
        """Drop accounts whose address nobody ever confirmed: it may be somebody else's."""
        a = t.accounts.c
        waiting = exists().where(t.sign_ups.c.account_id == a.account_id)
        unconfirmed = a.confirmed_us.is_(None) & (a.created_us < before)
        async with self._database.write() as connection:
            await connection.execute(delete(t.accounts).where(unconfirmed & ~waiting))
