"""Owns the SQL of erasures, on SQLite and PostgreSQL: their rows, their orders, and the deletion of all other rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, exists, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from services.auth import tables as t
from services.auth.erasures.erasure import Blocked, Erasure, Order, Part, Phase, State
from services.auth.sql_times import from_microseconds, microseconds, upsert
from services.auth.store import StoreAway

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.auth.store import Work
    from services.kit.keyring import Keyring

KEPT = frozenset({"erasures", "erasure_orders", "erasure_parts", "erasure_blocked"})
"""Tables whose rows stay: the tombstone."""
QUEUED = frozenset({"link_revocations"})
"""Tables whose rows leave by themselves, and must not before: tokens that third parties have yet to revoke."""


class AccountTies:
    """What else hangs on an account: links to third parties, and keys in the keys database."""

    def __init__(self, unlink: Callable[[Work, str], Awaitable[int]], *keyrings: Keyring) -> None:
        """Take what forgets links, and all keyrings that have accounts for owners."""
        self._unlink, self._keyrings = unlink, keyrings

    async def unlink(self, work: Work, account_id: str) -> int:
        """Forget its links in the transaction of ``work``; a queue revokes their tokens. Raises Fault."""
        return await self._unlink(work, account_id)

    async def destroy_keys(self, account_id: str) -> None:
        """Destroy its keys for good. Raises StoreAway."""
        try:
            for keyring in self._keyrings:
                await keyring.destroy(account_id)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreAway from error


class SqlErasures:
    """Erasures. The counter's row is locked until the transaction commits, so numbers appear in their order."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Take the transaction."""
        self._connection = connection

    async def request(self, erasure: Erasure) -> bool:
        """Insert an erasure; False when the account has one."""
        values = {
            "account_id": erasure.account_id,
            "state": erasure.state.value,
            "requested_us": microseconds(erasure.requested),
            "due_us": microseconds(erasure.due),
        }
        made = upsert(self._connection, t.erasures).values(values).on_conflict_do_nothing()
        return (await self._connection.execute(made.returning(t.erasures.c.account_id))).first() is not None

    async def cancel(self, account_id: str) -> bool:
        """Delete an erasure that has not begun; False when there is none."""
        waiting = (t.erasures.c.account_id == account_id) & (t.erasures.c.state == State.REQUESTED.value)
        return (await self._connection.execute(delete(t.erasures).where(waiting))).rowcount == 1

    async def get(self, account_id: str) -> Erasure | None:
        """Return an account's erasure, also when nothing else is left of the account."""
        query = select(t.erasures).where(t.erasures.c.account_id == account_id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _erasure(row)

    async def pending(self, now: datetime, limit: int) -> Sequence[Erasure]:
        """Return erasures that are due or under way, the longest due first."""
        e = t.erasures.c
        wanted = (e.state != State.ERASED.value) & (e.due_us <= microseconds(now))
        query = select(t.erasures).where(wanted).order_by(e.due_us).limit(limit)
        return [_erasure(row) for row in await self._connection.execute(query)]

    async def move(self, account_id: str, old: State, new: State) -> bool:
        """Move an erasure on; False when it is not in the old state any more."""
        there = (t.erasures.c.account_id == account_id) & (t.erasures.c.state == old.value)
        moved = await self._connection.execute(update(t.erasures).where(there).values(state=new.value))
        return moved.rowcount == 1

    async def order(self, account_id: str, phase: Phase) -> int:
        """Append an order; returns its number."""
        head = t.erasure_head
        step = update(head).values(sequence=head.c.sequence + 1).returning(head.c.sequence)
        sequence: int = (await self._connection.execute(step)).scalar_one()
        values = {"sequence": sequence, "account_id": account_id, "phase": phase.value}
        await self._connection.execute(insert(t.erasure_orders).values(values))
        return sequence

    async def orders(self, after: int, limit: int) -> Sequence[Order]:
        """Return orders with higher numbers, in order."""
        o = t.erasure_orders.c
        query = select(o.sequence, o.account_id, o.phase).where(o.sequence > after).order_by(o.sequence).limit(limit)
        rows = await self._connection.execute(query)
        return [Order(sequence, account_id, Phase(phase)) for sequence, account_id, phase in rows]

    async def latest(self) -> int:
        """Return the highest number given; 0 when none was."""
        latest: int = (await self._connection.execute(select(t.erasure_head.c.sequence))).scalar_one()
        return latest

    async def acknowledge(self, part: Part) -> None:
        """Keep what a service has done; a later word of it replaces an earlier one."""
        said = {"event_id": part.event_id, "done_us": microseconds(part.done)}
        whose = {"account_id": part.account_id, "service": part.service}
        statement = upsert(self._connection, t.erasure_parts).values(**whose, **said)
        keys = [t.erasure_parts.c.account_id, t.erasure_parts.c.service]
        await self._connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=said))
        b = t.erasure_blocked
        mine = (b.c.account_id == part.account_id) & (b.c.service == part.service)
        await self._connection.execute(delete(b).where(mine))
        for item in part.blocked:
            until = None if item.until is None else microseconds(item.until)
            values = {"kind": item.kind, "count": item.count, "cause": item.cause, "until_us": until}
            await self._connection.execute(insert(b).values(**whose, **values))

    async def parts(self, account_id: str) -> Sequence[Part]:
        """Return what services have done, by their names."""
        p, b = t.erasure_parts, t.erasure_blocked
        blocked = (await self._connection.execute(select(b).where(b.c.account_id == account_id))).all()
        rows = await self._connection.execute(select(p).where(p.c.account_id == account_id).order_by(p.c.service))
        return [
            Part(
                row.account_id,
                row.service,
                row.event_id,
                from_microseconds(row.done_us),
                tuple(_blocked(item) for item in blocked if item.service == row.service),
            )
            for row in rows
        ]

    async def mail_waits(self, account_id: str, template: str) -> bool:
        """Tell whether a mail is in the queue."""
        waits = exists().where((t.mails.c.account_id == account_id) & (t.mails.c.template == template))
        return bool((await self._connection.execute(select(waits))).scalar_one())

    async def forget(self, account_id: str) -> None:
        """Delete every row about an account, but for its erasure's: whatever table names an account is emptied."""
        sessions = select(t.sessions.c.session_id).where(t.sessions.c.account_id == account_id)
        await self._connection.execute(delete(t.activity).where(t.activity.c.session_id.in_(sessions)))
        for table in reversed(t.metadata.sorted_tables):
            if "account_id" in table.c and table.name not in KEPT | QUEUED:
                await self._connection.execute(delete(table).where(table.c.account_id == account_id))


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(row.account_id, State(row.state), from_microseconds(row.requested_us), from_microseconds(row.due_us))


def _blocked(row: Row[Any]) -> Blocked:
    # A row's own ``count`` is a method of tuples.
    until = None if row.until_us is None else from_microseconds(row.until_us)
    return Blocked(row.kind, row._mapping["count"], row.cause, until)  # noqa: SLF001 - SQLAlchemy's public name for it
