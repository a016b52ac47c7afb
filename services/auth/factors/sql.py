"""Owns the SQL of second factors, on SQLite and PostgreSQL. Using something up is always one conditional statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, delete, exists, func, insert, select, update

from services.auth import tables as t
from services.auth.factors.challenges import Challenge, Purpose
from services.auth.factors.passkeys import Passkey
from services.auth.factors.totp import Authenticator
from services.auth.sql_times import from_microseconds, microseconds, upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

_NO_STEP = -1
_HAS_SECOND = select(
    exists().where(t.totp.c.account_id == bindparam("account"), t.totp.c.confirmed_us.is_not(None))
    | exists().where(t.passkeys.c.account_id == bindparam("account"))
)


class SqlFactors:
    """All stores of factors over one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self.totp = SqlTotp(connection)
        self.passkeys = SqlPasskeys(connection)
        self.recovery_codes = SqlRecoveryCodes(connection)
        self.challenges = SqlChallenges(connection)
        self._connection = connection

    async def has_second(self, account_id: str) -> bool:
        """Tell whether an account has a confirmed app or a passkey: one query, since every sign-in asks."""
        return bool((await self._connection.execute(_HAS_SECOND, {"account": account_id})).scalar_one())


class SqlTotp:
    """Authenticator apps."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def find(self, account_id: str) -> Authenticator | None:
        """Return the account's app, confirmed or not."""
        row = (await self._connection.execute(select(t.totp).where(t.totp.c.account_id == account_id))).one_or_none()
        if row is None:
            return None
        confirmed = None if row.confirmed_us is None else from_microseconds(row.confirmed_us)
        return Authenticator(row.account_id, row.sealed, from_microseconds(row.begun_us), confirmed, row.last_step)

    async def begin(self, account_id: str, sealed: bytes, now: datetime) -> bool:
        """Keep a seed that waits to be confirmed, in place of one that waited; False when one is confirmed."""
        values = {"sealed": sealed, "begun_us": microseconds(now), "last_step": _NO_STEP}
        statement = upsert(self._connection, t.totp).values(account_id=account_id, confirmed_us=None, **values)
        begin = statement.on_conflict_do_update(
            index_elements=[t.totp.c.account_id], set_=values, where=t.totp.c.confirmed_us.is_(None)
        )
        return (await self._connection.execute(begin.returning(t.totp.c.account_id))).one_or_none() is not None

    async def confirm(self, account_id: str, sealed: bytes, step: int, now: datetime) -> bool:
        """Confirm the seed that waits, if it is still this one; its first accepted step is this one."""
        waits = _this(account_id, sealed) & t.totp.c.confirmed_us.is_(None)
        confirm = update(t.totp).where(waits).values(confirmed_us=microseconds(now), last_step=step)
        return (await self._connection.execute(confirm)).rowcount == 1

    async def accept(self, account_id: str, sealed: bytes, step: int) -> bool:
        """Take a step of a confirmed app if it is later than every step taken before."""
        later = _this(account_id, sealed) & t.totp.c.confirmed_us.is_not(None) & (t.totp.c.last_step < step)
        return (await self._connection.execute(update(t.totp).where(later).values(last_step=step))).rowcount == 1

    async def remove(self, account_id: str) -> bool:
        """Remove a confirmed app; False when there is none."""
        confirmed = (t.totp.c.account_id == account_id) & t.totp.c.confirmed_us.is_not(None)
        return (await self._connection.execute(delete(t.totp).where(confirmed))).rowcount == 1


class SqlPasskeys:
    """Passkeys."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def add(self, passkey: Passkey) -> bool:
        """Add a passkey; False when its credential is known, whoever has it."""
        statement = upsert(self._connection, t.passkeys).values(
            passkey_id=passkey.passkey_id,
            account_id=passkey.account_id,
            credential_id=passkey.credential_id,
            public_key=passkey.public_key,
            sign_count=passkey.sign_count,
            verifies_user=passkey.verifies_user,
            transports=" ".join(passkey.transports),
            display_name=passkey.display_name,
            created_us=microseconds(passkey.created),
            used_us=None,
        )
        add = statement.on_conflict_do_nothing(index_elements=[t.passkeys.c.credential_id])
        return (await self._connection.execute(add.returning(t.passkeys.c.passkey_id))).one_or_none() is not None

    async def of(self, account_id: str) -> Sequence[Passkey]:
        """Return an account's passkeys, oldest first."""
        query = select(t.passkeys).where(t.passkeys.c.account_id == account_id).order_by(t.passkeys.c.passkey_id)
        return [_passkey(row) for row in await self._connection.execute(query)]

    async def by_credential(self, credential_id: bytes) -> Passkey | None:
        """Return the passkey of a credential."""
        query = select(t.passkeys).where(t.passkeys.c.credential_id == credential_id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _passkey(row)

    async def used(self, passkey_id: str, sign_count: int, now: datetime) -> bool:
        """Record a use if its count is higher than the one before, or the authenticator does not count (both 0)."""
        p = t.passkeys.c
        rises = p.sign_count == 0 if sign_count == 0 else p.sign_count < sign_count
        use = update(t.passkeys).where((p.passkey_id == passkey_id) & rises)
        used = await self._connection.execute(use.values(sign_count=sign_count, used_us=microseconds(now)))
        return used.rowcount == 1

    async def rename(self, account_id: str, passkey_id: str, display_name: str) -> bool:
        """Rename an account's passkey; False when it has none of that id."""
        rename = update(t.passkeys).where(_own(account_id, passkey_id)).values(display_name=display_name)
        return (await self._connection.execute(rename)).rowcount == 1

    async def remove(self, account_id: str, passkey_id: str) -> bool:
        """Remove an account's passkey; False when it has none of that id."""
        return (await self._connection.execute(delete(t.passkeys).where(_own(account_id, passkey_id)))).rowcount == 1


class SqlRecoveryCodes:
    """Recovery codes."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def replace(self, account_id: str, digests: Sequence[bytes], now: datetime) -> None:
        """Put these in place of all that there were; none removes them."""
        await self._connection.execute(delete(t.recovery_codes).where(t.recovery_codes.c.account_id == account_id))
        made = {"account_id": account_id, "made_us": microseconds(now), "used_us": None}
        if digests:
            await self._connection.execute(insert(t.recovery_codes), [{**made, "digest": one} for one in digests])

    async def has(self, account_id: str, digest: bytes) -> bool:
        """Tell whether a code is known and not used."""
        found = select(exists().where(_fresh(account_id, digest)))
        return bool((await self._connection.execute(found)).scalar_one())

    async def use(self, account_id: str, digest: bytes, now: datetime) -> bool:
        """Use a code up; False when it is unknown or used."""
        use = update(t.recovery_codes).where(_fresh(account_id, digest)).values(used_us=microseconds(now))
        return (await self._connection.execute(use)).rowcount == 1

    async def left(self, account_id: str) -> int:
        """Count the codes that are not used."""
        c = t.recovery_codes.c
        query = select(func.count()).select_from(t.recovery_codes)
        left = query.where((c.account_id == account_id) & c.used_us.is_(None))
        count: int = (await self._connection.execute(left)).scalar_one()
        return count


class SqlChallenges:
    """Challenges."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def add(self, challenge: Challenge, challenge_hash: bytes) -> None:
        """Keep a challenge."""
        await self._connection.execute(
            insert(t.challenges).values(
                challenge_hash=challenge_hash,
                purpose=challenge.purpose.value,
                account_id=challenge.account_id,
                session_id=challenge.session_id,
                attempts=0,
                expires_us=microseconds(challenge.expires),
                used_us=None,
            )
        )

    async def attempt(self, challenge_hash: bytes, now: datetime, limit: int) -> Challenge | None:
        """Count an attempt at a challenge that is not used, not too old and has attempts left, and return it."""
        c = t.challenges.c
        count = update(t.challenges).where(_open(challenge_hash, now) & (c.attempts < limit))
        count = count.values(attempts=c.attempts + 1)
        counted = count.returning(c.purpose, c.account_id, c.session_id, c.expires_us)
        row = (await self._connection.execute(counted)).one_or_none()
        if row is None:
            return None
        return Challenge(Purpose(row.purpose), row.account_id, row.session_id, from_microseconds(row.expires_us))

    async def use(self, challenge_hash: bytes, now: datetime) -> bool:
        """Use a challenge up; False when it is unknown, used or too old."""
        use = update(t.challenges).where(_open(challenge_hash, now)).values(used_us=microseconds(now))
        return (await self._connection.execute(use)).rowcount == 1

    async def drop(self, account_id: str) -> None:
        """Drop an account's challenges."""
        await self._connection.execute(delete(t.challenges).where(t.challenges.c.account_id == account_id))


def _this(account_id: str, sealed: bytes) -> ColumnElement[bool]:
    return (t.totp.c.account_id == account_id) & (t.totp.c.sealed == sealed)


def _own(account_id: str, passkey_id: str) -> ColumnElement[bool]:
    return (t.passkeys.c.account_id == account_id) & (t.passkeys.c.passkey_id == passkey_id)


def _fresh(account_id: str, digest: bytes) -> ColumnElement[bool]:
    c = t.recovery_codes.c
    return (c.account_id == account_id) & (c.digest == digest) & c.used_us.is_(None)


def _open(challenge_hash: bytes, now: datetime) -> ColumnElement[bool]:
    c = t.challenges.c
    return (c.challenge_hash == challenge_hash) & c.used_us.is_(None) & (c.expires_us > microseconds(now))


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        passkey_id=row.passkey_id,
        account_id=row.account_id,
        credential_id=row.credential_id,
        public_key=row.public_key,
        sign_count=row.sign_count,
        verifies_user=row.verifies_user,
        transports=tuple(row.transports.split()),
        display_name=row.display_name,
        created=from_microseconds(row.created_us),
        used=None if row.used_us is None else from_microseconds(row.used_us),
    )
