"""Lay customers at the gateway, card set-ups, cards, charges and refunds."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    UniqueConstraint,
)

from services.kit.migrate import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox(op)  # type: ignore[arg-type]  # Alembic's module stands in for its class
    _cards()
    _charges()
    _refunds()


def _cards() -> None:
    op.create_table(
        "customers",
        Column("account_id", String(30), primary_key=True),
        Column("gateway_customer", String(255), nullable=False),
        Column("create_ms", BigInteger, nullable=False),
    )
    op.create_table(
        "card_setups",
        Column("setup_id", String(30), primary_key=True),
        Column("account_id", String(30), nullable=False),
        Column("gateway_customer", String(255), nullable=False),
        Column("gateway_setup", String(255), nullable=False, unique=True),
        Column("create_ms", BigInteger, nullable=False),
    )
    op.create_table(
        "cards",
        Column("card_id", String(30), primary_key=True),
        Column("account_id", String(30), nullable=False, index=True),
        Column("gateway_customer", String(255), nullable=False),
        Column("gateway_method", String(255), nullable=False, unique=True),
        Column("brand", String(32), nullable=False),
        Column("last4", String(4), nullable=False),
        Column("exp_month", Integer, nullable=False),
        Column("exp_year", Integer, nullable=False),
        Column("create_ms", BigInteger, nullable=False),
        Column("removing", Boolean, nullable=False),
    )


def _charges() -> None:
    op.create_table(
        "charges",
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


def _refunds() -> None:
    op.create_table(
        "refunds",
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
