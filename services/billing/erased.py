"""Owns the reading and writing of rows that an erasure deletes or has to keep. Decides nothing.

Every function works in a transaction its caller owns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing import sql
from services.billing.cards import Card
from services.billing.store import card_of
from services.kit.clock import from_milliseconds, milliseconds


@dataclass(frozen=True)
class Records:
    """The records of payments of one customer; `latest` is when the newest was made."""

    charges: int
    refunds: int
    latest: datetime | None


async def begin_removals(connection: AsyncConnection, account: str) -> Sequence[Card]:
    """Mark all cards of an account as being removed; returns them, those marked before too."""
    await connection.execute(update(sql.cards).where(sql.cards.c.account_id == account).values(removing=True))
    rows = await connection.execute(select(sql.cards).where(sql.cards.c.account_id == account))
    return [card_of(row) for row in rows.mappings()]


async def forget_customer(connection: AsyncConnection, account: str) -> int:
    """Forget the customer at the gateway and all set-ups; returns how many rows that were."""
    gone = 0
    for table in (sql.setups, sql.customers):
        gone += (await connection.execute(delete(table).where(table.c.account_id == account))).rowcount
    return gone


async def records_of(connection: AsyncConnection, account: str) -> Records:
    """Count the records of payments."""
    found = []
    for table in (sql.charges, sql.refunds):
        query = select(func.count(), func.max(table.c.create_ms)).where(table.c.account_id == account)
        found.append((await connection.execute(query)).one())
    latest = max((made for _, made in found if made is not None), default=None)
    return Records(found[0][0], found[1][0], None if latest is None else from_milliseconds(latest))


async def keep_until(connection: AsyncConnection, account: str, until: datetime) -> None:
    """Note until when the records of an erased customer are kept."""
    await connection.execute(delete(sql.erased).where(sql.erased.c.account_id == account))
    await connection.execute(sql.erased.insert().values(account_id=account, until_ms=milliseconds(until)))


async def due(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[str]:
    """Return erased customers whose records need not be kept any longer."""
    query = select(sql.erased.c.account_id).where(sql.erased.c.until_ms <= milliseconds(now)).limit(limit)
    return (await connection.execute(query)).scalars().all()


async def forget_records(connection: AsyncConnection, account: str) -> int:
    """Delete the records of payments of an erased customer; returns how many."""
    gone = 0
    for table in (sql.refunds, sql.charges):
        gone += (await connection.execute(delete(table).where(table.c.account_id == account))).rowcount
    await connection.execute(delete(sql.erased).where(sql.erased.c.account_id == account))
    return gone
