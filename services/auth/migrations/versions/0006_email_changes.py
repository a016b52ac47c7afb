"""Keep changes of address: what a mail refers to must be there when it is sent."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, String

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "email_changes",
        Column("change_id", String(30), primary_key=True),
        Column("account_id", String(30), ForeignKey("accounts.account_id"), nullable=False, index=True),
        Column("email", String(320), nullable=False),
        Column("lookup", String(320), nullable=False),
        Column("old_email", String(320), nullable=False),
        Column("begun_us", BigInteger, nullable=False, index=True),
        Column("closed_us", BigInteger, nullable=True),
    )
    op.create_index("ix_mail_tokens_account_id", "mail_tokens", ["account_id"])
