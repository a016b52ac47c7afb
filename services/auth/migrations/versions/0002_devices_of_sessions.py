"""Let sessions say from which device and network they were opened, and accounts know their devices again."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, String

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # The previous version still inserts sessions without them.
    op.add_column("sessions", Column("device", String(64), nullable=False, server_default=""))
    op.add_column("sessions", Column("place", String(64), nullable=False, server_default=""))
    op.create_table(
        "devices",
        Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
        Column("token_hash", LargeBinary(32), primary_key=True),
        Column("device", String(64), nullable=False),
        Column("first_seen_us", BigInteger, nullable=False),
        Column("last_seen_us", BigInteger, nullable=False),
    )
