"""Owns the SQL of the mail queue and of the tokens in mails, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, select, update

from services.auth import tables as t
from services.auth.mail import Outgoing
from services.auth.mail_tokens import MailToken
from services.auth.sql_times import from_microseconds, microseconds
from services.kit.ids import made_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class SqlMail:
    """The queue of mails."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def add(self, mail: Outgoing) -> None:
        """Queue a mail."""
        await self._connection.execute(
            insert(t.mails).values(
                mail_id=mail.mail_id,
                account_id=mail.account_id,
                template=mail.template,
                reference=mail.reference,
                due_us=microseconds(mail.due),
                attempts=mail.attempts,
            )
        )

    async def is_due(self, now: datetime) -> bool:
        """Tell whether a mail is due."""
        due = select(exists().where(t.mails.c.due_us <= microseconds(now)))
        return bool((await self._connection.execute(due)).scalar_one())

    async def oldest(self) -> datetime | None:
        """Return when the mail that has waited longest was queued."""
        first: str | None = (await self._connection.execute(select(func.min(t.mails.c.mail_id)))).scalar_one()
        return None if first is None else made_at(first)

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Outgoing]:
        """Take mails that are due; nobody else gets them before ``until``."""
        due = select(t.mails).where(t.mails.c.due_us <= microseconds(now)).order_by(t.mails.c.due_us).limit(limit)
        claimed = []
        for row in (await self._connection.execute(due)).all():
            unclaimed = (t.mails.c.mail_id == row.mail_id) & (t.mails.c.due_us == row.due_us)
            claim = update(t.mails).where(unclaimed).values(due_us=microseconds(until))
            if (await self._connection.execute(claim)).rowcount == 1:
                due_at = from_microseconds(row.due_us)
                claimed.append(Outgoing(row.mail_id, row.account_id, row.template, row.reference, due_at, row.attempts))
        return claimed

    async def postpone(self, mail_id: str, until: datetime) -> None:
        """Count a failed attempt; the next one is due then."""
        values = {"attempts": t.mails.c.attempts + 1, "due_us": microseconds(until)}
        await self._connection.execute(update(t.mails).where(t.mails.c.mail_id == mail_id).values(values))

    async def remove(self, mail_id: str) -> None:
        """Drop a mail that was sent or given up."""
        await self._connection.execute(delete(t.mails).where(t.mails.c.mail_id == mail_id))


class SqlMailTokens:
    """Tokens in mails."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def add(self, token: MailToken, token_hash: bytes) -> None:
        """Keep a token's hash."""
        await self._connection.execute(
            insert(t.mail_tokens).values(
                token_hash=token_hash,
                purpose=token.purpose,
                account_id=token.account_id,
                reference=token.reference,
                expires_us=microseconds(token.expires),
                used_us=None,
            )
        )

    async def find(self, token_hash: bytes, purpose: str, now: datetime) -> MailToken | None:
        """Return a token that could be used now."""
        query = select(t.mail_tokens).where(_good(token_hash, purpose, now))
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _token(row)

    async def drop(self, account_id: str, now: datetime) -> None:
        """Void all of an account's tokens that were not used."""
        unused = (t.mail_tokens.c.account_id == account_id) & t.mail_tokens.c.used_us.is_(None)
        await self._connection.execute(update(t.mail_tokens).where(unused).values(used_us=microseconds(now)))

    async def use(self, token_hash: bytes, purpose: str, now: datetime) -> MailToken | None:
        """Use a token up; exactly one of several racing calls gets it."""
        use = update(t.mail_tokens).where(_good(token_hash, purpose, now)).values(used_us=microseconds(now))
        row = (await self._connection.execute(use.returning(t.mail_tokens))).one_or_none()
        return None if row is None else _token(row)


def _good(token_hash: bytes, purpose: str, now: datetime) -> ColumnElement[bool]:
    c = t.mail_tokens.c
    unused = c.used_us.is_(None) & (c.expires_us > microseconds(now))
    return (c.token_hash == token_hash) & (c.purpose == purpose) & unused


def _token(row: Row[Any]) -> MailToken:
    return MailToken(row.purpose, row.account_id, row.reference, from_microseconds(row.expires_us))
