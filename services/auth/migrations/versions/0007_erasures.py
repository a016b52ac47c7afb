"""Lay erasures: what was asked for, the numbered orders to the services, what they have done."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, String

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "erasures",
        Column("account_id", String(30), primary_key=True),
        Column("state", String(16), nullable=False),
        Column("requested_us", BigInteger, nullable=False),
        Column("due_us", BigInteger, nullable=False, index=True),
    )
    head = op.create_table(
        "erasure_head",
        Column("id", Integer, primary_key=True),
        Column("sequence", BigInteger, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0}])
    op.create_table(
        "erasure_orders",
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("account_id", String(30), nullable=False),
        Column("phase", String(16), nullable=False),
    )
    op.create_table(
        "erasure_parts",
        Column("account_id", String(30), primary_key=True),
        Column("service", String(32), primary_key=True),
        Column("event_id", String(30), nullable=False),
        Column("done_us", BigInteger, nullable=False),
    )
    op.create_table(
        "erasure_blocked",
        Column("account_id", String(30), primary_key=True),
        Column("service", String(32), primary_key=True),
        Column("kind", String(32), primary_key=True),
        Column("cause", String(32), primary_key=True),
        Column("count", BigInteger, nullable=False),
        Column("until_us", BigInteger, nullable=True),
    )
