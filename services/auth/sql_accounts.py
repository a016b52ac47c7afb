"""Owns the SQL of accounts and their passwords, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.auth import tables as t
from services.auth.accounts import Account
from services.auth.passwords import PasswordHash
from services.auth.sql_times import from_microseconds, microseconds, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

_BY_ID = select(t.accounts).where(t.accounts.c.account_id == bindparam("account_id"))
_CREDENTIALS = (
    select(t.accounts, t.passwords.c.parameters, t.passwords.c.digest, t.passwords.c.pepper)
    .outerjoin_from(t.accounts, t.passwords)
    .where(t.accounts.c.lookup == bindparam("lookup"))
)
_LOCK = select(t.accounts.c.account_id).where(t.accounts.c.account_id == bindparam("account_id")).with_for_update()


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
        return account_of(row)

    async def get(self, account_id: str) -> Account | None:
        """Return an account."""
        row = (await self._connection.execute(_BY_ID, {"account_id": account_id})).one_or_none()
        return None if row is None else account_of(row)

    async def credentials(self, lookup: str) -> tuple[Account, PasswordHash | None] | None:
        """Return the account with this address and its password; accounts not confirmed have none."""
        row = (await self._connection.execute(_CREDENTIALS, {"lookup": lookup})).one_or_none()
        if row is None:
            return None
        return account_of(row), None if row.digest is None else PasswordHash(row.parameters, row.digest, row.pepper)

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

    async def password_of(self, account_id: str) -> PasswordHash | None:
        """Return an account's password, if it has one."""
        query = select(t.passwords).where(t.passwords.c.account_id == account_id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else PasswordHash(row.parameters, row.digest, row.pepper)

    async def set_password(self, account_id: str, password: PasswordHash | None) -> None:
        """Give an account another password, or none."""
        if password is None:
            await self._connection.execute(delete(t.passwords).where(t.passwords.c.account_id == account_id))
            return
        values = _hash_values(password)
        statement = upsert(self._connection, t.passwords).values(account_id=account_id, **values)
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=[t.passwords.c.account_id], set_=values)
        )

    async def lock(self, account_id: str) -> None:
        """Let nobody else who locks this account go on before the transaction ends."""
        if self._connection.dialect.name == "sqlite":
            return  # it has one writer
        await self._connection.execute(_LOCK, {"account_id": account_id})

    async def set_locale(self, account_id: str, locale: str) -> None:
        """Give an account this language."""
        mine = t.accounts.c.account_id == account_id
        await self._connection.execute(update(t.accounts).where(mine).values(locale=locale))

    async def move(self, account_id: str, email: str, lookup: str) -> bool:
        """Give an account another address; False when a confirmed one has it. One that never confirmed it goes."""
        a = t.accounts.c
        unconfirmed = (a.lookup == lookup) & a.confirmed_us.is_(None)
        waiting = t.sign_ups.c.account_id.in_(select(a.account_id).where(unconfirmed))
        await self._connection.execute(delete(t.sign_ups).where(waiting))
        await self._connection.execute(delete(t.accounts).where(unconfirmed))
        try:
            async with self._connection.begin_nested():
                change = update(t.accounts).where(a.account_id == account_id).values(email=email, lookup=lookup)
                return (await self._connection.execute(change)).rowcount == 1
        except IntegrityError:
            return False

    async def parameters_in_use(self) -> Sequence[tuple[str, str, int]]:
        """Count passwords by (parameters, pepper key id)."""
        p = t.passwords.c
        query = select(p.parameters, p.pepper, func.count()).group_by(p.parameters, p.pepper)
        return [(parameters, pepper, count) for parameters, pepper, count in await self._connection.execute(query)]


def _hash_values(password: PasswordHash) -> dict[str, str]:
    return {"parameters": password.parameters, "digest": password.digest, "pepper": password.pepper}


def account_of(row: Row[Any]) -> Account:
    """Return the account of a row of all columns."""
    return Account(
        account_id=row.account_id,
        email=row.email,
        lookup=row.lookup,
        locale=row.locale,
        created=from_microseconds(row.created_us),
        confirmed=None if row.confirmed_us is None else from_microseconds(row.confirmed_us),
        disabled=None if row.disabled_us is None else from_microseconds(row.disabled_us),
        disabled_because=row.disabled_because or "",
    )
