"""Lay accounts, sessions, revocations, mails and counters."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, text

from services.kit.migrate import create_outbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox(op)  # type: ignore[arg-type]  # Alembic's module stands in for its class
    _accounts()
    _sessions()
    _mails()
    op.create_table(
        "counters",
        Column("bucket", String(64), primary_key=True),
        Column("hits", Integer, nullable=False),
        Column("expires_us", BigInteger, nullable=False, index=True),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        Column("account_id", String(30), primary_key=True),
        Column("email", String(320), nullable=False),
        Column("lookup", String(320), nullable=False, unique=True),
        Column("locale", String(16), nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("confirmed_us", BigInteger, nullable=True),
    )
    op.create_table(
        "passwords",
        Column("account_id", String(30), ForeignKey("accounts.account_id"), primary_key=True),
        Column("parameters", String(64), nullable=False),
        Column("digest", String(128), nullable=False),
        Column("pepper", String(32), nullable=False),
    )
    op.create_table(
        "sign_ups",
        Column("sign_up_id", String(30), primary_key=True),
        Column("account_id", String(30), ForeignKey("accounts.account_id"), nullable=False, index=True),
        Column("parameters", String(64), nullable=False),
        Column("digest", String(128), nullable=False),
        Column("pepper", String(32), nullable=False),
        Column("created_us", BigInteger, nullable=False, index=True),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        Column("session_id", String(30), primary_key=True),
        Column("account_id", String(30), ForeignKey("accounts.account_id"), nullable=False, index=True),
        Column("token_hash", LargeBinary(32), nullable=False, unique=True),
        Column("opened_us", BigInteger, nullable=False),
        Column("closes_us", BigInteger, nullable=False, index=True),
        Column("amr", String(64), nullable=False),
        Column("ended_us", BigInteger, nullable=True),
    )
    still_open = text("ended_us IS NULL")
    op.create_index("sessions_open", "sessions", ["session_id"], sqlite_where=still_open, postgresql_where=still_open)
    op.create_table(
        "activity",
        Column("session_id", String(30), primary_key=True),
        Column("active_us", BigInteger, nullable=False, index=True),
    )
    head = op.create_table(
        "revocation_head",
        Column("id", Integer, primary_key=True),
        Column("sequence", BigInteger, nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "sequence": 0}])
    op.create_table(
        "revocations",
        Column("sequence", BigInteger, primary_key=True, autoincrement=False),
        Column("session_id", String(30), nullable=False),
        Column("revoked_us", BigInteger, nullable=False, index=True),
    )


def _mails() -> None:
    op.create_table(
        "mails",
        Column("mail_id", String(30), primary_key=True),
        Column("account_id", String(30), nullable=False),
        Column("template", String(32), nullable=False),
        Column("reference", String(30), nullable=False),
        Column("due_us", BigInteger, nullable=False, index=True),
        Column("attempts", Integer, nullable=False),
    )
    op.create_table(
        "mail_tokens",
        Column("token_hash", LargeBinary(32), primary_key=True),
        Column("purpose", String(16), nullable=False),
        Column("account_id", String(30), nullable=False),
        Column("reference", String(30), nullable=False),
        Column("expires_us", BigInteger, nullable=False, index=True),
        Column("used_us", BigInteger, nullable=True),
    )
