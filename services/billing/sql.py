"""Owns billing's tables and statements. No column holds a card number; a live check scans them all for one."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    UniqueConstraint,
    Update,
    and_,
    false,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

from services.kit.erasure import erasure_table
from services.kit.outbox import outbox_tables

metadata = MetaData()

customers = Table(
    "customers",
    metadata,
    Column("account_id", String(30), primary_key=True),
    Column("gateway_customer", String(255), nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

setups = Table(
    "card_setups",
    metadata,
    Column("setup_id", String(30), primary_key=True),
    Column("account_id", String(30), nullable=False),
    Column("gateway_customer", String(255), nullable=False),
    Column("gateway_setup", String(255), nullable=False, unique=True),
    Column("create_ms", BigInteger, nullable=False),
)

cards = Table(
    "cards",
    metadata,
    Column("card_id", String(30), primary_key=True),
    Column("account_id", String(30), nullable=False, index=True),
    Column("gateway_customer", String(255), nullable=False),
    Column("gateway_method", String(255), nullable=False, unique=True),
    Column("brand", String(32), nullable=False),
    Column("last4", String(4), nullable=False),
    Column("exp_month", Integer, nullable=False),
    Column("exp_year", Integer, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
    Column("removing", Boolean, nullable=False, default=False),
)

charges = Table(
    "charges",
    metadata,
    Column("charge_id", String(30), primary_key=True),
    Column("merchant", String(63), nullable=False),
    Column("account_id", String(30), nullable=False),
    Column("card_id", String(30), nullable=False),
    Column("last4", String(4), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reference", String(64), nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("gateway_customer", String(255), nullable=False),
    Column("gateway_method", String(255), nullable=False),
    Column("create_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("point", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("intent", String(255), nullable=False),
    Column("decline_code", String(64), nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("reserved_minor", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("merchant", "idempotency_key"),
    CheckConstraint("refunded_minor <= reserved_minor AND reserved_minor <= amount_minor", name="refunds_bounded"),
    Index("charges_by_account", "account_id", "charge_id"),
    Index("charges_due", "point", "due_ms"),
)

refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", String(30), primary_key=True),
    Column("charge_id", String(30), nullable=False, index=True),
    Column("merchant", String(63), nullable=False),
    Column("account_id", String(30), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("intent", String(255), nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("create_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("failure_code", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    UniqueConstraint("merchant", "idempotency_key"),
    Index("refunds_due", "state", "due_ms"),
)

erased = Table(
    "erased",
    metadata,
    Column("account_id", String(30), primary_key=True),
    Column("until_ms", BigInteger, nullable=False, index=True),
)

outbox, outbox_state = outbox_tables(metadata)
erasure_table(metadata)


def insert_once(dialect: str, table: Table) -> ReturningInsert[Any]:
    """Insert a row unless one with a key of it is there; a row comes back when it was inserted."""
    inserted: ColumnElement[Any] = literal_column("1")
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing().returning(inserted)
    return sqlite.insert(table).on_conflict_do_nothing().returning(inserted)


def live_cards(account: str) -> Select[Any]:
    """Select an account's cards, newest first."""
    return (
        select(cards)
        .where(cards.c.account_id == account, cards.c.removing == false())
        .order_by(cards.c.card_id.desc())
        .limit(100)
    )


def mark_removing(account: str, card_id: str) -> Update:
    """Mark an account's card as being removed."""
    return update(cards).where(cards.c.account_id == account, cards.c.card_id == card_id).values(removing=true())


def charges_page(account: str, before: str, size: int) -> Select[Any]:
    """Select an account's charges, newest first, older than one if given."""
    older = charges.c.charge_id < before if before else true()
    return (
        select(charges)
        .where(and_(charges.c.account_id == account, older))
        .order_by(charges.c.charge_id.desc())
        .limit(size)
    )


def move(table: Table, key: Column[Any], row_id: str, version: int, values: dict[str, Any]) -> Update:
    """Update a row unless somebody has changed it since this version was read."""
    changed = {**values, "version": version + 1}
    return update(table).where(key == row_id, table.c.version == version).values(changed)


def reserve(charge_id: str, amount_minor: int) -> Update:
    """Reserve an amount for a refund, unless less is left."""
    reserved = charges.c.reserved_minor + amount_minor
    return (
        update(charges)
        .where(charges.c.charge_id == charge_id, reserved <= charges.c.amount_minor)
        .values(reserved_minor=reserved)
    )


def release(charge_id: str, *, reserved: int, refunded: int) -> Update:
    """End a reservation: give it up, or count it as given back."""
    return (
        update(charges)
        .where(charges.c.charge_id == charge_id)
        .values(reserved_minor=charges.c.reserved_minor - reserved, refunded_minor=charges.c.refunded_minor + refunded)
    )
