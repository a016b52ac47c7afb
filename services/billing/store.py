"""Owns the reading and writing of billing's rows. Maps them to the domain's types; decides nothing.

Every function works in a transaction its caller owns.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.billing import sql
from services.billing.cards import Card, CardSetup
from services.billing.charges import Charge, Point, State, Superseded
from services.billing.refunds import ENDED, Refund, RefundState
from services.kit.clock import from_milliseconds, milliseconds


def _row(made: Any) -> dict[str, Any]:
    row = asdict(made)
    row["create_ms"] = milliseconds(row.pop("create_time"))
    if "due" in row:
        row["due_ms"] = milliseconds(row.pop("due"))
    return row


def _fields(row: RowMapping) -> dict[str, Any]:
    fields: dict[str, Any] = dict(row)
    fields["create_time"] = from_milliseconds(fields.pop("create_ms"))
    if "due_ms" in fields:
        fields["due"] = from_milliseconds(fields.pop("due_ms"))
    return fields


def card_of(row: RowMapping) -> Card:
    """Return the card of a row."""
    fields = _fields(row)
    del fields["removing"]
    return Card(**fields)


def _charge(row: RowMapping) -> Charge:
    fields = _fields(row)
    return Charge(**{**fields, "point": Point(fields["point"]), "state": State(fields["state"])})


def _refund(row: RowMapping) -> Refund:
    fields = _fields(row)
    return Refund(**{**fields, "state": RefundState(fields["state"])})


async def _insert_once(connection: AsyncConnection, table: Table, row: dict[str, Any]) -> bool:
    statement = sql.insert_once(connection.dialect.name, table).values(row)
    return (await connection.execute(statement)).first() is not None


async def customer(connection: AsyncConnection, account: str) -> str | None:
    """Read the gateway's id of an account's customer."""
    statement = select(sql.customers.c.gateway_customer).where(sql.customers.c.account_id == account)
    return (await connection.execute(statement)).scalar_one_or_none()


async def add_setup(connection: AsyncConnection, setup: CardSetup) -> None:
    """Keep a set-up, and its customer when that is new."""
    row = _row(setup)
    named = {name: row[name] for name in ("account_id", "gateway_customer", "create_ms")}
    await _insert_once(connection, sql.customers, named)
    await connection.execute(sql.setups.insert().values(row))


async def setup(connection: AsyncConnection, account: str, setup_id: str) -> CardSetup | None:
    """Read an account's set-up."""
    statement = select(sql.setups).where(sql.setups.c.account_id == account, sql.setups.c.setup_id == setup_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else CardSetup(**_fields(row))


async def cards(connection: AsyncConnection, account: str) -> Sequence[Card]:
    """Read an account's cards, newest first."""
    return [card_of(row) for row in (await connection.execute(sql.live_cards(account))).mappings()]


async def card_of_method(connection: AsyncConnection, account: str, method: str) -> Card | None:
    """Read the card of a token."""
    statement = sql.live_cards(account).where(sql.cards.c.gateway_method == method)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else card_of(row)


async def add_card(connection: AsyncConnection, card: Card) -> Card | None:
    """Keep a card; returns the one kept before when its token is known, or None when that is being removed."""
    if await _insert_once(connection, sql.cards, {**_row(card), "removing": False}):
        return card
    return await card_of_method(connection, card.account_id, card.gateway_method)


async def begin_removal(connection: AsyncConnection, account: str, card_id: str) -> Card | None:
    """Mark a card as being removed."""
    await connection.execute(sql.mark_removing(account, card_id))
    statement = select(sql.cards).where(sql.cards.c.account_id == account, sql.cards.c.card_id == card_id)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else card_of(row)


async def end_removal(connection: AsyncConnection, card: Card) -> bool:
    """Forget a card; tells whether it was there."""
    result = await connection.execute(delete(sql.cards).where(sql.cards.c.card_id == card.card_id))
    return result.rowcount == 1


async def removals(connection: AsyncConnection, limit: int) -> Sequence[Card]:
    """Read cards whose removal was begun."""
    rows = await connection.execute(select(sql.cards).where(sql.cards.c.removing).limit(limit))
    return [card_of(row) for row in rows.mappings()]


async def add_charge(connection: AsyncConnection, charge: Charge) -> bool:
    """Add a charge; tells whether its idempotency key was new."""
    return await _insert_once(connection, sql.charges, _row(charge))


async def charge(connection: AsyncConnection, charge_id: str) -> Charge | None:
    """Read a charge."""
    row = (await connection.execute(select(sql.charges).where(sql.charges.c.charge_id == charge_id))).mappings()
    found = row.one_or_none()
    return None if found is None else _charge(found)


async def charge_of_key(connection: AsyncConnection, merchant: str, key: str) -> Charge | None:
    """Read the charge of an idempotency key."""
    statement = select(sql.charges).where(sql.charges.c.merchant == merchant, sql.charges.c.idempotency_key == key)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _charge(row)


async def move_charge(connection: AsyncConnection, charge: Charge) -> None:
    """Store a charge's new state.

    Raises:
        Superseded: Somebody has changed it since it was read.
    """
    names = ("due_ms", "point", "state", "intent", "decline_code")
    values = {name: value for name, value in _row(charge).items() if name in names}
    statement = sql.move(sql.charges, sql.charges.c.charge_id, charge.charge_id, charge.version, values)
    if (await connection.execute(statement)).rowcount != 1:
        raise Superseded


async def charges_page(connection: AsyncConnection, account: str, before: str, size: int) -> Sequence[Charge]:
    """Read an account's charges, newest first."""
    return [_charge(row) for row in (await connection.execute(sql.charges_page(account, before, size))).mappings()]


async def charges_due(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[Charge]:
    """Read unfinished charges that nobody is working on, the longest due first."""
    table = sql.charges.c
    due = select(sql.charges).where(table.point != Point.FINISHED.value, table.due_ms <= milliseconds(now))
    return [_charge(row) for row in (await connection.execute(due.order_by(table.due_ms).limit(limit))).mappings()]


async def lock_charge(connection: AsyncConnection, charge_id: str) -> Charge | None:
    """Read a charge and keep others from changing it until the transaction ends."""
    statement = select(sql.charges).where(sql.charges.c.charge_id == charge_id).with_for_update()
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _charge(row)


async def add_refund(connection: AsyncConnection, refund: Refund) -> bool:
    """Add a refund and reserve its amount; tells whether there was enough left."""
    if (await connection.execute(sql.reserve(refund.charge_id, refund.amount_minor))).rowcount != 1:
        return False
    await connection.execute(sql.refunds.insert().values(_row(refund)))
    return True


async def refund_of_key(connection: AsyncConnection, merchant: str, key: str) -> Refund | None:
    """Read the refund of an idempotency key."""
    statement = select(sql.refunds).where(sql.refunds.c.merchant == merchant, sql.refunds.c.idempotency_key == key)
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _refund(row)


async def refunds_of(connection: AsyncConnection, charges: Sequence[str]) -> Sequence[Refund]:
    """Read the refunds of charges, oldest first."""
    table = sql.refunds.c
    query = select(sql.refunds).where(table.charge_id.in_(charges)).order_by(table.create_ms, table.refund_id)
    return [_refund(row) for row in (await connection.execute(query)).mappings()]


async def move_refund(connection: AsyncConnection, refund: Refund) -> None:
    """Store a refund's new state, and what that means for its charge.

    Raises:
        Superseded: Somebody has changed it since it was read.
    """
    names = ("due_ms", "state", "failure_code")
    values = {name: value for name, value in _row(refund).items() if name in names}
    statement = sql.move(sql.refunds, sql.refunds.c.refund_id, refund.refund_id, refund.version, values)
    if (await connection.execute(statement)).rowcount != 1:
        raise Superseded
    if refund.state is RefundState.SUCCEEDED:
        await connection.execute(sql.release(refund.charge_id, reserved=0, refunded=refund.amount_minor))
    elif refund.state is RefundState.FAILED:
        await connection.execute(sql.release(refund.charge_id, reserved=refund.amount_minor, refunded=0))


async def refunds_due(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[Refund]:
    """Read refunds that have not ended and nobody is working on, the longest due first."""
    table = sql.refunds.c
    ended = [state.value for state in ENDED]
    due = select(sql.refunds).where(table.state.not_in(ended), table.due_ms <= milliseconds(now))
    return [_refund(row) for row in (await connection.execute(due.order_by(table.due_ms).limit(limit))).mappings()]


async def unsettled(connection: AsyncConnection) -> int:
    """Count charges whose outcome is not known."""
    statement = select(func.count()).select_from(sql.charges).where(sql.charges.c.state == State.UNKNOWN.value)
    return int((await connection.execute(statement)).scalar_one())
