"""Owns auth's SQL, on SQLite and PostgreSQL. Must never decide anything: rules are the domain's."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from services.auth import tables as t
from services.auth.accounts import Account
from services.auth.ledger import OutboxLedger
from services.auth.mail import Outgoing
from services.auth.mail_tokens import MailToken
from services.auth.passwords import PasswordHash
from services.auth.revocations import Revocation
from services.auth.sessions import Session
from services.auth.store import StoreAway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.kit.call import Call
    from services.kit.db import Database
    from services.kit.outbox import Outbox

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Return Unix microseconds, exactly."""
    return (time - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """Return the time of Unix microseconds."""
    return _EPOCH + value * _MICROSECOND


def upsert(connection: AsyncConnection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that can say ON CONFLICT, in the connection's dialect."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


class SqlAccounts:
    """Accounts and their passwords."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def ensure(self, account: Account) -> Account:
        """Insert an account unless its address is known; returns the one that holds the address."""
        values = {
            "account_id": account.account_id,
            "email": account.email,
            "lookup": account.lookup,
            "locale": account.locale,
            "created_us": microseconds(account.created),
            "confirmed_us": None,
        }
        await self._connection.execute(upsert(self._connection, t.accounts).values(values).on_conflict_do_nothing())
        row = (await self._connection.execute(select(t.accounts).where(t.accounts.c.lookup == account.lookup))).one()
        return _account(row)

    async def get(self, account_id: str) -> Account | None:
        """Return an account."""
        rows = await self._connection.execute(select(t.accounts).where(t.accounts.c.account_id == account_id))
        row = rows.one_or_none()
        return None if row is None else _account(row)

    async def credentials(self, lookup: str) -> tuple[Account, PasswordHash | None] | None:
        """Return the account with this address and its password; accounts not confirmed have none."""
        p = t.passwords
        query = select(t.accounts, p.c.parameters, p.c.digest, p.c.pepper).outerjoin_from(t.accounts, p)
        row = (await self._connection.execute(query.where(t.accounts.c.lookup == lookup))).one_or_none()
        if row is None:
            return None
        return _account(row), None if row.digest is None else PasswordHash(row.parameters, row.digest, row.pepper)

    async def propose(self, sign_up_id: str, account_id: str, password: PasswordHash, now: datetime) -> None:
        """Keep the password of a sign-up until the address is confirmed."""
        values = {"sign_up_id": sign_up_id, "account_id": account_id, "created_us": microseconds(now)}
        await self._connection.execute(insert(t.sign_ups).values(**values, **_hash_values(password)))

    async def confirm(self, account_id: str, sign_up_id: str, now: datetime) -> bool:
        """Confirm an account, take the password of that sign-up and drop all others; False when it is too late."""
        unconfirmed = (t.accounts.c.account_id == account_id) & t.accounts.c.confirmed_us.is_(None)
        confirm = update(t.accounts).where(unconfirmed).values(confirmed_us=microseconds(now))
        if (await self._connection.execute(confirm)).rowcount != 1:
            return False
        chosen = select(t.sign_ups).where(
            (t.sign_ups.c.sign_up_id == sign_up_id) & (t.sign_ups.c.account_id == account_id)
        )
        row = (await self._connection.execute(chosen)).one_or_none()
        if row is None:
            return False
        password = PasswordHash(row.parameters, row.digest, row.pepper)
        await self._connection.execute(insert(t.passwords).values(account_id=account_id, **_hash_values(password)))
        await self._connection.execute(delete(t.sign_ups).where(t.sign_ups.c.account_id == account_id))
        return True

    async def replace_password(self, account_id: str, old: PasswordHash, new: PasswordHash) -> bool:
        """Replace a password's hash if it is still the old one."""
        same = (t.passwords.c.account_id == account_id) & (t.passwords.c.digest == old.digest)
        changed = await self._connection.execute(update(t.passwords).where(same).values(**_hash_values(new)))
        return changed.rowcount == 1

    async def parameters_in_use(self) -> Sequence[tuple[str, str, int]]:
        """Count passwords by (parameters, pepper key id)."""
        p = t.passwords.c
        query = select(p.parameters, p.pepper, func.count()).group_by(p.parameters, p.pepper)
        return [(parameters, pepper, count) for parameters, pepper, count in await self._connection.execute(query)]


class SqlSessions:
    """Sessions."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def insert(self, session: Session, token_hash: bytes) -> None:
        """Insert a session."""
        await self._connection.execute(
            insert(t.sessions).values(
                session_id=session.session_id,
                account_id=session.account_id,
                token_hash=token_hash,
                opened_us=microseconds(session.opened),
                closes_us=microseconds(session.closes),
                amr=" ".join(session.amr),
                ended_us=None,
            )
        )

    async def by_token(self, token_hash: bytes) -> Session | None:
        """Return the session of a token, ended ones too."""
        rows = await self._connection.execute(select(t.sessions).where(t.sessions.c.token_hash == token_hash))
        row = rows.one_or_none()
        return None if row is None else _session(row)

    async def get(self, session_id: str) -> Session | None:
        """Return a session, ended ones too."""
        rows = await self._connection.execute(select(t.sessions).where(t.sessions.c.session_id == session_id))
        row = rows.one_or_none()
        return None if row is None else _session(row)

    async def end(self, session_id: str, now: datetime) -> bool:
        """End a session; False when it had ended or does not exist."""
        still_open = (t.sessions.c.session_id == session_id) & t.sessions.c.ended_us.is_(None)
        ended = await self._connection.execute(update(t.sessions).where(still_open).values(ended_us=microseconds(now)))
        return ended.rowcount == 1

    async def not_ended(self, closes_after: datetime, after: str, limit: int) -> Sequence[Session]:
        """Return sessions nobody has ended and whose absolute end is later than that, by id, after an id."""
        s = t.sessions.c
        wanted = s.ended_us.is_(None) & (s.closes_us > microseconds(closes_after)) & (s.session_id > after)
        query = select(t.sessions).where(wanted).order_by(s.session_id).limit(limit)
        return [_session(row) for row in await self._connection.execute(query)]


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

    async def use(self, token_hash: bytes, purpose: str, now: datetime) -> MailToken | None:
        """Use a token up; exactly one of several racing calls gets it."""
        c, now_us = t.mail_tokens.c, microseconds(now)
        good = (c.token_hash == token_hash) & (c.purpose == purpose) & c.used_us.is_(None) & (c.expires_us > now_us)
        use = (
            update(t.mail_tokens).where(good).values(used_us=now_us).returning(c.account_id, c.reference, c.expires_us)
        )
        row = (await self._connection.execute(use)).one_or_none()
        return (
            None
            if row is None
            else MailToken(purpose, row.account_id, row.reference, from_microseconds(row.expires_us))
        )


class SqlStore:
    """All stores over one transaction."""

    def __init__(self, connection: AsyncConnection, outbox: Outbox) -> None:
        """Take the transaction and the outbox that shares it."""
        self.accounts = SqlAccounts(connection)
        self.sessions = SqlSessions(connection)
        self.revocations = SqlRevocations(connection)
        self.mail = SqlMail(connection)
        self.mail_tokens = SqlMailTokens(connection)
        self.ledger = OutboxLedger(connection, outbox)


class SqlWork:
    """The unit of work of one call: its audit scope's transaction."""

    def __init__(self, call: Call, outbox: Outbox) -> None:
        """Take the call."""
        self._call, self._outbox = call, outbox

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlStore]:
        """Open a read-only transaction."""
        async with self._call.read() as connection:
            yield SqlStore(connection, self._outbox)

    async def write(self) -> SqlStore:
        """Return the call's write transaction."""
        return SqlStore(await self._call.tx(), self._outbox)

    async def commit(self) -> None:
        """Commit what was written, with the call's record."""
        await self._call.recorded()


class SqlUnits:
    """Transactions of auth's own."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        """Take the database."""
        self._database, self._outbox = database, outbox

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlStore]:
        """Open a read-only transaction. Raises StoreAway."""
        try:
            async with self._database.read() as connection:
                yield SqlStore(connection, self._outbox)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreAway from error

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlStore]:
        """Open a write transaction. Raises StoreAway."""
        try:
            async with self._database.write() as connection:
                yield SqlStore(connection, self._outbox)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreAway from error


def _hash_values(password: PasswordHash) -> dict[str, str]:
    return {"parameters": password.parameters, "digest": password.digest, "pepper": password.pepper}


def _account(row: Row[Any]) -> Account:
    confirmed = None if row.confirmed_us is None else from_microseconds(row.confirmed_us)
    return Account(row.account_id, row.email, row.lookup, row.locale, from_microseconds(row.created_us), confirmed)


def _session(row: Row[Any]) -> Session:
    opened = from_microseconds(row.opened_us)
    return Session(
        session_id=row.session_id,
        account_id=row.account_id,
        opened=opened,
        closes=from_microseconds(row.closes_us),
        active=opened,
        amr=tuple(row.amr.split()),
        ended=None if row.ended_us is None else from_microseconds(row.ended_us),
    )


def _revocation(row: Row[Any]) -> Revocation:
    return Revocation(row.sequence, row.session_id, from_microseconds(row.revoked_us))
