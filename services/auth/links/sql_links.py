"""Owns the SQL of links and of what waits to be revoked, on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, insert, or_, select, update

from services.auth import tables as t
from services.auth.links.purpose import Offer, PurposeText
from services.auth.links.store import Kept, Link, Revocation
from services.auth.sql_times import from_microseconds, microseconds
from services.kit.envelope import is_sealed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.auth.links.store import Return


class SqlLinks:
    """Links and attempts at them."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def begin(self, link: Link) -> None:
        """Insert an attempt in place of the account's others with the same provider, but for one that is held."""
        c, offer = t.links.c, link.offer
        others = (c.account_id == link.account_id) & (c.provider == offer.provider) & c.connected_us.is_(None)
        await self._connection.execute(delete(t.links).where(others & _free(link.created)))
        await self._connection.execute(
            insert(t.links).values(
                link_id=link.link_id,
                account_id=link.account_id,
                provider=offer.provider,
                purpose=offer.purpose,
                version=offer.version,
                locale=offer.locale,
                roles=",".join(offer.roles),
                used_for=offer.text.used_for,
                kept_text=offer.text.kept,
                kept_for=offer.text.kept_for,
                created_us=microseconds(link.created),
                expires_us=None if link.expires is None else microseconds(link.expires),
            )
        )

    async def get(self, account_id: str, link_id: str) -> Link | None:
        """Return an account's link or attempt."""
        own = (t.links.c.link_id == link_id) & (t.links.c.account_id == account_id)
        row = (await self._connection.execute(select(t.links).where(own))).one_or_none()
        return None if row is None else _link(row)

    async def connected(self, account_id: str) -> Sequence[Link]:
        """Return an account's links, oldest first."""
        c = t.links.c
        own = (c.account_id == account_id) & c.connected_us.is_not(None)
        return [_link(row) for row in await self._connection.execute(select(t.links).where(own).order_by(c.link_id))]

    async def consent(self, link_id: str, now: datetime, back: Return | None, sealed: bytes | None) -> bool:
        """Record consent, and what the person must come back with; False when the attempt is over or held."""
        values = {
            "consented_us": microseconds(now),
            "session_id": None if back is None else back.session_id,
            "state_hash": None if back is None else back.state_hash,
            "sealed": sealed,
        }
        attempt = (t.links.c.link_id == link_id) & _open(now) & _free(now)
        return (await self._connection.execute(update(t.links).where(attempt).values(values))).rowcount == 1

    async def hold(self, link_id: str, now: datetime, until: datetime, *, connected: bool) -> bool:
        """Hold a link, or an attempt that was consented to; False when there is none or somebody else holds it."""
        c = t.links.c
        state = c.connected_us.is_not(None) if connected else _open(now) & c.consented_us.is_not(None)
        wanted = (c.link_id == link_id) & state & _free(now)
        values = {"held_us": microseconds(until)}
        return (await self._connection.execute(update(t.links).where(wanted).values(values))).rowcount == 1

    async def hold_return(self, account_id: str, back: Return, now: datetime, until: datetime) -> Link | None:
        """Use a state up and hold its attempt; exactly one of several racing calls gets it."""
        c = t.links.c
        its = (c.state_hash == back.state_hash) & (c.session_id == back.session_id) & (c.account_id == account_id)
        values = {"state_hash": None, "held_us": microseconds(until)}
        use = update(t.links).where(its & _open(now) & _free(now)).values(values).returning(t.links)
        row = (await self._connection.execute(use)).one_or_none()
        return None if row is None else _link(row)

    async def keep(self, link_id: str, until: datetime, now: datetime, kept: Kept, sealed: bytes | None) -> bool:
        """Make what is held until then a link; False when it is not held any more, or there is one already."""
        c, other = t.links.c, t.links.alias()
        same = (other.c.account_id == c.account_id) & (other.c.provider == c.provider)
        taken = exists().where(same & other.c.connected_us.is_not(None))
        values = {
            "connected_us": microseconds(now),
            "expires_us": None,
            "held_us": None,
            "session_id": None,
            "kept": kept.value,
            "sealed": sealed,
        }
        keep = update(t.links).where(_held(link_id, until) & ~taken).values(values)
        return (await self._connection.execute(keep)).rowcount == 1

    async def renew(self, link_id: str, until: datetime, sealed: bytes) -> bool:
        """Replace the grant of a link held until then, and let go of it; False when it is not held any more."""
        renew = update(t.links).where(_held(link_id, until)).values(sealed=sealed, held_us=None)
        return (await self._connection.execute(renew)).rowcount == 1

    async def release(self, link_id: str, until: datetime) -> None:
        """Let go of what is held until then."""
        await self._connection.execute(update(t.links).where(_held(link_id, until)).values(held_us=None))

    async def lose(self, link_id: str, until: datetime) -> None:
        """Forget the grant of a link held until then, and let go of it: it does not work any more."""
        values = {"held_us": None, "sealed": None, "kept": Kept.LOST.value}
        await self._connection.execute(update(t.links).where(_held(link_id, until)).values(values))

    async def remove(self, account_id: str, link_id: str) -> bool:
        """Drop a link or an attempt; False when there is none."""
        own = (t.links.c.link_id == link_id) & (t.links.c.account_id == account_id)
        return (await self._connection.execute(delete(t.links).where(own))).rowcount == 1

    async def without_consent(self) -> int:
        """Count links that were connected before, or without, the consent that is recorded of them."""
        unasked = t.links.c.consented_us.is_(None) | (t.links.c.consented_us > t.links.c.connected_us)
        query = select(func.count()).select_from(t.links).where(t.links.c.connected_us.is_not(None) & unasked)
        count: int = (await self._connection.execute(query)).scalar_one()
        return count

    async def unsealed(self) -> int:
        """Count grants, in use or waiting to be revoked, that are not sealed."""
        count = 0
        for column in (t.links.c.sealed, t.link_revocations.c.sealed):
            async with self._connection.stream(select(column).where(column.is_not(None))) as rows:
                async for sealed in rows.scalars():
                    count += not is_sealed(bytes(sealed))
        return count


class SqlRevocationQueue:
    """What waits to be revoked."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def add(self, revocation: Revocation) -> None:
        """Queue one."""
        await self._connection.execute(
            insert(t.link_revocations).values(
                revocation_id=revocation.revocation_id,
                link_id=revocation.link_id,
                account_id=revocation.account_id,
                provider=revocation.provider,
                sealed=revocation.sealed,
                due_us=microseconds(revocation.due),
                ends_us=microseconds(revocation.ends),
                attempts=revocation.attempts,
            )
        )

    async def is_due(self, now: datetime) -> bool:
        """Tell whether one is due."""
        due = select(exists().where(t.link_revocations.c.due_us <= microseconds(now)))
        return bool((await self._connection.execute(due)).scalar_one())

    async def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Revocation]:
        """Take those that are due; nobody else gets them before ``until``."""
        c = t.link_revocations.c
        due = select(t.link_revocations).where(c.due_us <= microseconds(now)).order_by(c.due_us).limit(limit)
        claimed = []
        for row in (await self._connection.execute(due)).all():
            unclaimed = (c.revocation_id == row.revocation_id) & (c.due_us == row.due_us)
            claim = update(t.link_revocations).where(unclaimed).values(due_us=microseconds(until))
            if (await self._connection.execute(claim)).rowcount == 1:
                claimed.append(_revocation(row))
        return claimed

    async def postpone(self, revocation_id: str, until: datetime) -> None:
        """Count a failed attempt; the next one is due then."""
        c = t.link_revocations.c
        values = {"attempts": c.attempts + 1, "due_us": microseconds(until)}
        later = update(t.link_revocations).where(c.revocation_id == revocation_id).values(values)
        await self._connection.execute(later)

    async def remove(self, revocation_id: str) -> None:
        """Drop one that was done or given up."""
        done = t.link_revocations.c.revocation_id == revocation_id
        await self._connection.execute(delete(t.link_revocations).where(done))


def _open(now: datetime) -> ColumnElement[bool]:
    return t.links.c.connected_us.is_(None) & (t.links.c.expires_us > microseconds(now))


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(t.links.c.held_us.is_(None), t.links.c.held_us <= microseconds(now))


def _held(link_id: str, until: datetime) -> ColumnElement[bool]:
    return (t.links.c.link_id == link_id) & (t.links.c.held_us == microseconds(until))


def _link(row: Row[tuple[object, ...]]) -> Link:
    roles = tuple(row.roles.split(",")) if row.roles else ()
    text = PurposeText(row.used_for, row.kept_text, row.kept_for)
    return Link(
        link_id=row.link_id,
        account_id=row.account_id,
        offer=Offer(row.provider, row.purpose, row.version, row.locale, roles, text),
        created=from_microseconds(row.created_us),
        expires=_time(row.expires_us),
        consented=_time(row.consented_us),
        connected=_time(row.connected_us),
        kept=None if row.kept is None else Kept(row.kept),
        sealed=None if row.sealed is None else bytes(row.sealed),
    )


def _revocation(row: Row[tuple[object, ...]]) -> Revocation:
    return Revocation(
        revocation_id=row.revocation_id,
        link_id=row.link_id,
        account_id=row.account_id,
        provider=row.provider,
        sealed=bytes(row.sealed),
        due=from_microseconds(row.due_us),
        ends=from_microseconds(row.ends_us),
        attempts=row.attempts,
    )


def _time(value: int | None) -> datetime | None:
    return None if value is None else from_microseconds(value)
